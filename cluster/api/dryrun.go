package api

import "strings"

// paramDryRun is the parameter that asks for everything but the work.
const paramDryRun = "DryRun"

// dryRun reports whether the request asks for everything but the work. On actions without the parameter it means nothing.
func (c *Call) dryRun() bool { return wantsDryRun(c.Action, c.Params) }

func wantsDryRun(a *Action, p Params) bool { return a.DryRun && p.value(paramDryRun) == "true" }

// dryRunRefusal turns the refusal of a parameter into ValidationError where the request is a dry run. A missing key, a
// wrong key state and faults keep their own codes.
func dryRunRefusal(a *Action, p Params, err *Error) *Error {
	if !wantsDryRun(a, p) {
		return err
	}
	switch err.Code {
	case CodeMissingParameter, CodeInvalidParameter, CodeInvalidParameterWrongRegion:
		return newError(CodeValidationError, strings.TrimSuffix(err.Message, "."))
	}
	return err
}

// errDryRun is the answer of a dry run that came as far as the work.
func errDryRun() error { return newError(CodeDryRunOperationError) }
