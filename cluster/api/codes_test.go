package api

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// commonCodes are those that every action may answer, beside its own: the documents' every_action and the codes of
// their authentication stage, and what comes before the action is known.
var commonCodes = []string{
	CodeMissingParameter, CodeInvalidParameter, CodeForbiddenNoPermission, CodeRejectedThrottling, CodeServiceUnavailableTemporary, CodeInternalFailure,
	CodeUnsupportedHTTPMethod, CodeParseRequestParameterException, CodeIllegalTimestamp, CodeIncompleteSignature, CodeInvalidSignatureMethod,
	CodeInvalidAccessKeyIdNotFound, CodeForbiddenAccessKey, CodeSignatureDoesNotMatch, CodeInvalidTimeStampFormat, CodeInvalidTimeStampExpired,
	CodeSignatureNonceUsed, CodeInvalidSecurityToken,
	CodeInvalidParameterFormat, CodeInvalidVersion, CodeInvalidActionNotFound,
}

// unreached are the codes that the documents list and that no call can be answered with yet, with the reason.
var unreached = map[string]string{}

// answeredCodes collects which codes each action was answered with in the tests of this package.
var answeredCodes = struct {
	sync.Mutex
	of map[string]map[string]bool
}{of: map[string]map[string]bool{}}

// checkCode notes the code of an answer, and complains about one that the action's entry does not list.
func checkCode(tb testing.TB, action, code string) {
	tb.Helper()
	answeredCodes.Lock()
	defer answeredCodes.Unlock()
	if answeredCodes.of[action] == nil {
		answeredCodes.of[action] = map[string]bool{}
	}
	answeredCodes.of[action][code] = true
	a, known := kmsByName[action]
	if code == "" || !known || slices.Contains(a.Errors, code) || slices.Contains(commonCodes, code) {
		return
	}
	if code == CodeInvalidParameterWrongRegion && slices.ContainsFunc(a.Params, func(p ParamSpec) bool { return p.Type == TypeKeyID || p.Name == "ResourceId" }) {
		return // an ARN of another region, on every action that takes one
	}
	tb.Errorf("%s is answered with %s, which its entry of the table does not list", action, code)
}

// TestMain looks at the end of a whole run for codes that are listed and that no test saw.
func TestMain(m *testing.M) {
	result := m.Run()
	if wholeRun() {
		for _, fault := range unseenCodes() {
			fmt.Println(fault)
			result = 1
		}
	}
	os.Exit(result)
}

// wholeRun says that all tests of the package were run.
func wholeRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != f.DefValue {
			return false
		}
	}
	return !testing.Short()
}

// unseenCodes compares what the table lists with what was answered.
func unseenCodes() (faults []string) {
	for _, a := range Actions() {
		for _, code := range a.Errors {
			place := a.Name + " " + code
			seen := answeredCodes.of[a.Name][code]
			switch {
			case !seen && unreached[place] == "":
				faults = append(faults, place+" is listed, and no test sees it")
			case seen && unreached[place] != "":
				faults = append(faults, place+" is seen now: take it off the list of those that are not")
			}
		}
	}
	for place := range unreached {
		name, code, _ := strings.Cut(place, " ")
		if a := kmsByName[name]; a == nil || !slices.Contains(a.Errors, code) {
			faults = append(faults, place+" is not listed by any entry of the table")
		}
	}
	return faults
}
