package api

var versionActions = []Action{
	{
		Name: "CreateKeyVersion", Kind: KindWrite, Handle: handleCreateKeyVersion, RAM: RAM{onKey("CreateKeyVersion")},
		Summary: "Adds a version: a symmetric key seals under it from then on, one of an asymmetric key can be named in calls.",
		Params:  []ParamSpec{anyKeyParam},
		States:  cryptoStates,
		Answers: versionAnswer("KeyVersion"),
		Errors: list(aliasOrKeyErrors, cryptoStateErrors,
			[]string{CodeUnsupportedOrigin, CodeRejectedUnsupportedOperation, CodeRejectedLimitExceeded}),
	},
	{
		Name: "DescribeKeyVersion", Kind: KindRead, Handle: handleDescribeKeyVersion, RAM: RAM{onKey("DescribeKeyVersion")},
		Summary: "Tells about one version of a key.",
		Params:  []ParamSpec{anyKeyParam, versionParam},
		Answers: versionAnswer("KeyVersion"),
		Errors:  list(aliasOrKeyErrors, []string{CodeForbiddenKeyVersionNotFound}),
	},
	{
		Name: "ListKeyVersions", Kind: KindRead, Handle: handleListKeyVersions, RAM: RAM{onKey("ListKeyVersions")},
		Summary: "Lists the versions of a key, newest first.",
		Params:  []ParamSpec{anyKeyParam, pageNumber, pageSize},
		Answers: list(versionAnswer("KeyVersions.KeyVersion[]"), pageAnswers),
		Errors:  list(aliasOrKeyErrors, []string{CodeInvalidParameter}),
	},
}

// versionAnswer is what is told of a key version.
func versionAnswer(at string) []Member {
	return []Member{{at + ".KeyId", "string", ""}, {at + ".KeyVersionId", "string", ""}, {at + ".CreationDate", "timestamp", ""}}
}
