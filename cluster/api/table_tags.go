package api

// Parameters of the tag actions.
var (
	taggedKey     = ParamSpec{Name: "KeyId", Type: TypeKeyID, Note: "key id or key ARN; needed, since secrets and certificates are not served"}
	noSecret      = ParamSpec{Name: "SecretName", Unserved: "secrets are not served here; send KeyId"}
	noCertificate = ParamSpec{Name: "CertificateId", Unserved: "certificates are not served here; send KeyId"}
	regionParam   = ParamSpec{Name: "RegionId", Note: "ignored"}
	resourceType  = ParamSpec{Name: "ResourceType", Required: true, Enum: []string{"key", "secret"}, Note: "secrets are not served"}
	resourceIDs   = ParamSpec{Name: "ResourceId", Type: TypeList, Required: true, Max: maxTaggedKeys, Note: "ResourceId.N: key ids or key ARNs"}
	numberedTags  = ParamSpec{Name: "Tag", Type: TypeStructList, Required: true, Max: maxTags, Note: "Tag.N.Key and Tag.N.Value"}
)

func optional(p ParamSpec) ParamSpec {
	p.Required = false
	return p
}

var tagActions = []Action{
	{
		Name: "TagResource", Kind: KindWrite, Handle: handleTagResource, RAM: RAM{onKey("TagResource")},
		Summary: "Sets tags on one key; a tag that is there gets the new value.",
		Params:  []ParamSpec{required(tagList), taggedKey, noSecret, noCertificate},
		Errors:  keyErrors(CodeInvalidParameter, CodeRejectedLimitExceeded, CodeMissingParameter),
	},
	{
		Name: "UntagResource", Kind: KindWrite, Handle: handleUntagResource, RAM: RAM{onKey("UntagResource")},
		Summary: "Takes tags off one key; one that is not there is no error.",
		Params: []ParamSpec{
			{Name: "TagKeys", Type: TypeJSON, Required: true, Note: "list of tag keys, at most 20"}, taggedKey, noSecret, noCertificate,
		},
		Errors: keyErrors(CodeInvalidParameter, CodeMissingParameter),
	},
	{
		Name: "ListResourceTags", Kind: KindRead, Handle: handleListResourceTags, RAM: RAM{onKey("ListResourceTags")},
		Summary: "Lists the tags of one key.",
		Params:  []ParamSpec{keyIDParam},
		Answers: []Member{{"Tags.Tag[].KeyId", "string", ""}, {"Tags.Tag[].TagKey", "string", ""}, {"Tags.Tag[].TagValue", "string", ""}},
		Errors:  keyErrors(),
	},
	{
		Name: "TagResources", Kind: KindWrite, Handle: handleTagResources, RAM: RAM{onKey("TagResources")},
		Summary: "Sets tags on several keys, on all or none.",
		Params:  []ParamSpec{regionParam, resourceType, resourceIDs, numberedTags},
		Errors:  []string{CodeForbiddenKeyNotFound, CodeInvalidParameter, CodeRejectedLimitExceeded},
	},
	{
		Name: "UntagResources", Kind: KindWrite, Handle: handleUntagResources, RAM: RAM{onKey("UntagResources")},
		Summary: "Takes tags off several keys, off all or none.",
		Params: []ParamSpec{
			regionParam, resourceType, resourceIDs,
			{Name: "TagKey", Type: TypeList, Max: maxTags, Note: "TagKey.N"},
			{Name: "All", Type: TypeBoolean, Default: "false", Note: "true, and no TagKey: every tag"},
		},
		Errors: []string{CodeForbiddenKeyNotFound, CodeInvalidParameter, CodeMissingParameter},
	},
	{
		Name: "ListTagResources", Kind: KindRead, Handle: handleListTagResources, RAM: RAM{onKey("ListTagResources")},
		Summary: "Lists tags by key, by tag, or both; 200 rows an answer. Keys that the caller may not see are left out.",
		Params: []ParamSpec{
			regionParam, resourceType, optional(resourceIDs), optional(numberedTags), {Name: paramNextToken, Note: "from the answer before; only for the same caller and query"},
		},
		Answers: []Member{
			{"TagResources.TagResource[].ResourceId", "string", ""}, {"TagResources.TagResource[].ResourceType", "string", "key"},
			{"TagResources.TagResource[].TagKey", "string", ""}, {"TagResources.TagResource[].TagValue", "string", ""},
			{"NextToken", "string", "absent at the end"},
		},
		Errors: []string{CodeInvalidParameter},
	},
}
