package api

// Actions returns the action table, for documents and tests. It is shared and never modified.
func Actions() []Action { return kmsActions }

// kmsByName is the index of the table.
var kmsByName = func() map[string]*Action {
	index := make(map[string]*Action, len(kmsActions))
	for i := range kmsActions {
		index[kmsActions[i].Name] = &kmsActions[i]
	}
	return index
}()

// lookupAction finds the action of a version. Both are case-sensitive. An unknown version and an unknown action of a
// known version have different codes: InvalidVersion, InvalidAction.NotFound.
func lookupAction(version, name string) (*Action, *Error) {
	if version != KMSVersion {
		return nil, newError(CodeInvalidVersion, shorten(version), KMSVersion)
	}
	if action, ok := kmsByName[name]; ok {
		return action, nil
	}
	return nil, newError(CodeInvalidActionNotFound, shorten(name), version)
}
