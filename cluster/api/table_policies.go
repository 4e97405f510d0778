package api

var policyActions = []Action{
	{
		Name: "GetKeyPolicy", Kind: KindRead, Handle: handleGetKeyPolicy, RAM: RAM{onKey("GetKeyPolicy")},
		Summary: "Returns the policy of a key.",
		Params:  []ParamSpec{keyIDParam, {Name: paramPolicyName, Default: defaultPolicyName, Note: "there is no other"}},
		Answers: []Member{{"Policy", "string", "JSON text"}},
		Errors:  keyErrors(CodeForbiddenResourceNotFound),
	},
	{
		Name: "SetKeyPolicy", Kind: KindWrite, Handle: handleSetKeyPolicy, RAM: RAM{onKey("SetKeyPolicy")},
		Summary: "Replaces the policy of a key.",
		Params:  []ParamSpec{keyIDParam, {Name: paramPolicyName, Default: defaultPolicyName, Enum: []string{defaultPolicyName}}, required(policyParam)},
		States:  editStates,
		Errors:  keyErrors(CodeMalformedPolicyDocument, CodeRejectedPendingDeletion),
	},
}
