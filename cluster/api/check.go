package api

import (
	"strings"

	"meridian/crypto"
)

// checkParams checks the parameters of a request against the action's table entry: presence, type, limits and
// enumerations. It returns nil or MissingParameter, InvalidParameter, UnsupportedOperation, Unsupported.Alias and,
// for a dry run, ValidationError in place of the first two. Unknown parameters are ignored.
func checkParams(a *Action, p Params) *Error {
	for i := range a.Params {
		if err := checkParam(a, &a.Params[i], p); err != nil {
			return dryRunRefusal(a, p, err)
		}
	}
	return nil
}

// checkParam checks one parameter of a request.
func checkParam(a *Action, spec *ParamSpec, p Params) *Error {
	if spec.OnlyIf != "" && !isTrue(p.value(spec.OnlyIf)) || spec.Unless != "" && p.value(spec.Unless) != "" {
		return nil
	}
	value, sent := p.Get(spec.Name)
	if value == "" {
		switch {
		case spec.Type == TypeContext:
			return nil // may be flattened; parsed once, by the handler
		case spec.Type == TypeList || spec.Type == TypeStructList:
			if spec.Required && len(p.Prefix(spec.Name+".")) == 0 {
				return errMissing(spec.Name + ".1")
			}
			return nil
		case spec.Required && !(sent && spec.AllowEmpty):
			return errMissing(spec.Name)
		}
		return nil
	}
	if spec.Refused != "" {
		return newError(CodeUnsupportedOperation, a.Name, spec.Refused)
	}
	if spec.Unserved != "" {
		return errInvalid(spec.Name, spec.Unserved)
	}
	if reason := valueFault(spec, value); reason != "" {
		return errInvalid(spec.Name, reason)
	}
	if spec.Type == TypeKeyID && !spec.Alias && isAlias(value) {
		return newError(CodeUnsupportedAlias, a.Name)
	}
	return nil
}

// valueFault says what is wrong with a value, empty if nothing is. It never repeats the value.
func valueFault(spec *ParamSpec, value string) string {
	if len(spec.Enum) > 0 {
		for _, allowed := range spec.Enum {
			if value == allowed {
				return ""
			}
		}
		return "it must be " + orList(spec.Enum)
	}
	switch spec.Type {
	case TypeString:
		return textFault(value, spec.Max)
	case TypeInteger:
		return integerFault(value, spec.Min, spec.Max)
	case TypeLong:
		return longFault(value, spec.Min, spec.Max)
	case TypeBoolean:
		if !isTrue(value) && !strings.EqualFold(value, "false") {
			return "it must be true or false"
		}
	case TypeBase64:
		return base64Fault(value, spec.Min, spec.Max)
	case TypeJSON, TypeContext:
		return tooLong(len(value), spec.Max, "bytes")
	case TypeDuration:
		return durationFault(value, spec.Min, spec.Max)
	case TypeKeyID:
		return textFault(value, maxKeyIDChars)
	case TypeAliasName:
		return aliasNameFault(value)
	case TypeVersionID:
		if id, ok := crypto.ParseVersionID(value); !ok || id.String() != value {
			return "it must be a UUID in lower case"
		}
	case TypeList, TypeStructList:
		return "it is a list: send " + spec.Name + ".1 and so on"
	}
	return ""
}

// maxKeyIDChars bounds the text of a key id, ARN or alias: no form of them is longer than an ARN with the longest
// alias. What is longer cannot name a key, and is not worth repeating in an answer.
const maxKeyIDChars = 1024

// textFault refuses control characters other than tab, CR and LF, code points that XML cannot hold, and texts of
// more than limit characters.
func textFault(value string, limit int64) string {
	chars := int64(0)
	for _, r := range value {
		chars++
		if r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0x7f || r == 0xfffe || r == 0xffff {
			return "it holds a control character"
		}
	}
	return tooLong(int(chars), limit, "characters")
}

func tooLong(n int, limit int64, unit string) string {
	if limit > 0 && int64(n) > limit {
		return "it has more than " + decimal(limit) + " " + unit
	}
	return ""
}

// aliasNameFault applies the rules of alias names: ^alias/[A-Za-z0-9_/-]{1,255}$, not starting with alias/acs.
func aliasNameFault(value string) string {
	if !isAliasName(value) {
		return "it must be alias/ and 1 to 255 of A-Z a-z 0-9 _ / -"
	}
	if strings.HasPrefix(value, aliasPrefix+"acs") {
		return "names that start with alias/acs are reserved"
	}
	return ""
}

// orList joins words as "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// isTrue reports whether a boolean parameter is true, in any case.
func isTrue(value string) bool { return strings.EqualFold(value, "true") }
