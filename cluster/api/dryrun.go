package api

import (
	"context"
	"errors"
	"strings"
)

// paramDryRun is the parameter that asks for everything but the work.
const paramDryRun = "DryRun"

// dryRun reports whether the request asks for everything but the work. On actions without the parameter it means nothing.
func (c *Call) dryRun() bool {
	return c.Action.Kind == KindCrypto && c.Params.value(paramDryRun) == "true"
}

// withDryRun makes the refusals of a crypto action those of a dry run where the request asks for one.
func withDryRun(handle func(context.Context, *Call) error) func(context.Context, *Call) error {
	return func(ctx context.Context, c *Call) error {
		err := handle(ctx, c)
		if err == nil {
			return nil
		}
		var refusal *Error
		if errors.As(err, &refusal) {
			return dryRunRefusal(c.Action, c.Params, refusal)
		}
		return err
	}
}

// dryRunRefusal turns the refusal of a parameter into ValidationError where the request is a dry run. A missing key, a
// wrong key state and faults keep their own codes.
func dryRunRefusal(a *Action, p Params, err *Error) *Error {
	if a.Kind != KindCrypto || p.value(paramDryRun) != "true" {
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
