package api

// Actions returns the action table of the KMS API, for documents and tests. It is shared and never modified.
func Actions() []Action { return kmsActions }

// MeridianActions returns the table of the actions that are Meridian's own. It is shared and never modified.
func MeridianActions() []Action { return meridianActions }

// The indexes of the tables.
var (
	kmsByName      = byName(kmsActions)
	meridianByName = byName(meridianActions)
)

func byName(actions []Action) map[string]*Action {
	index := make(map[string]*Action, len(actions))
	for i := range actions {
		index[actions[i].Name] = &actions[i]
	}
	return index
}

// lookupAction finds the action of a version. Both are case-sensitive. An unknown version and an unknown action of a
// known version have different codes: InvalidVersion, InvalidAction.NotFound.
func lookupAction(version, name string) (*Action, *Error) {
	var index map[string]*Action
	switch version {
	case KMSVersion:
		index = kmsByName
	case MeridianVersion:
		index = meridianByName
	default:
		return nil, newError(CodeInvalidVersion, shorten(version), KMSVersion)
	}
	if action, ok := index[name]; ok {
		return action, nil
	}
	return nil, newError(CodeInvalidActionNotFound, shorten(name), version)
}
