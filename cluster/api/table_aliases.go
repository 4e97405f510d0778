package api

var aliasActions = []Action{
	{
		Name: "CreateAlias", Kind: KindWrite, Handle: handleCreateAlias, RAM: RAM{onKey("CreateAlias"), onAlias("CreateAlias")},
		Summary: "Gives a key a name.",
		Params:  []ParamSpec{aliasParam, keyIDParam}, States: unlessDying,
		Errors: keyErrors(CodeAliasAlreadyExists, CodeRejectedStateModifiedFailed, CodeInvalidParameter, CodeRejectedLimitExceeded),
	},
	{
		Name: "UpdateAlias", Kind: KindWrite, Handle: handleUpdateAlias, RAM: RAM{onKey("UpdateAlias"), onAlias("UpdateAlias")},
		Summary: "Moves a name to another key.",
		Params:  []ParamSpec{aliasParam, keyIDParam}, States: editStates,
		Errors: keyErrors(CodeForbiddenAliasNotFound, CodeRejectedPendingDeletion, CodeInvalidParameter),
	},
	{
		Name: "DeleteAlias", Kind: KindWrite, Handle: handleDeleteAlias, RAM: RAM{onKey("DeleteAlias"), onAlias("DeleteAlias")},
		Summary: "Takes a name away from its key.",
		Params:  []ParamSpec{aliasParam},
		Errors:  []string{CodeForbiddenAliasNotFound, CodeInvalidParameter},
	},
	{
		Name: "ListAliases", Kind: KindRead, Handle: handleListAliases, RAM: RAM{onAliases("ListAliases")},
		Summary: "Lists the aliases of the region, page by page, by name.",
		Params:  []ParamSpec{pageNumber, pageSize},
		Answers: aliasAnswers,
		Errors:  []string{CodeInvalidParameter},
	},
	{
		Name: "ListAliasesByKeyId", Kind: KindRead, Handle: handleListAliasesByKeyId, RAM: RAM{onKey("ListAliasesByKeyId")},
		Summary: "Lists the aliases of one key, page by page, by name.",
		Params:  []ParamSpec{keyIDParam, pageNumber, pageSize},
		Answers: aliasAnswers,
		Errors:  keyErrors(CodeInvalidParameter),
	},
}

var aliasAnswers = list([]Member{
	{"Aliases.Alias[].AliasName", "string", ""}, {"Aliases.Alias[].AliasArn", "string", ""}, {"Aliases.Alias[].KeyId", "string", ""},
}, pageAnswers)
