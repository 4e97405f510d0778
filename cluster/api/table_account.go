package api

var accountActions = []Action{
	{
		Name: "DescribeRegions", Kind: KindRead, Handle: handleDescribeRegions,
		Summary: "Lists the regions that this deployment knows, itself first.",
		Answers: []Member{{"Regions.Region[].RegionId", "string", ""}},
	},
	{
		Name: "DescribeAccountKmsStatus", Kind: KindRead, Handle: handleDescribeAccountKmsStatus, RAM: RAM{onAll("DescribeAccountKmsStatus")},
		Summary: "Tells that the service is on.",
		Answers: []Member{{"AccountStatus", "string", "Enabled"}},
	},
	{
		Name: "OpenKmsService", Kind: KindRead, Handle: handleOpenKmsService, RAM: RAM{onAll("OpenKmsService")},
		Summary: "Would switch the service on; it always is.",
		Errors:  []string{CodeForbiddenOpened},
	},
	{
		Name: "GetRandomPassword", Kind: KindCrypto, Handle: handleGetRandomPassword, RAM: RAM{onAll("GetRandomPassword")},
		Summary: "Makes a random password.",
		Params: []ParamSpec{
			{Name: "PasswordLength", Type: TypeString, Default: "32", Note: "8 to 128"},
			yesNo("ExcludeLowercase", "false"), yesNo("ExcludeUppercase", "false"), yesNo("ExcludeNumbers", "false"), yesNo("ExcludePunctuation", "false"),
			{Name: "ExcludeCharacters", Note: "printable ASCII"},
			yesNo("RequireEachIncludedType", "true"),
		},
		Answers: []Member{{"RandomPassword", "string", ""}},
		Errors:  []string{CodeInvalidParameter},
	},
}

// yesNo is a parameter that is the word true or false.
func yesNo(name, absent string) ParamSpec {
	return ParamSpec{Name: name, Default: absent, Enum: []string{"true", "false"}}
}
