package api

// lookupAction finds the action of a version. Both are case-sensitive. An unknown version and an unknown
// action of a known version have different codes: InvalidVersion, InvalidAction.NotFound.
func lookupAction(version, name string) (*Action, *Error) {
	return nil, nil
}
