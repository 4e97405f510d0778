package api

import (
	"context"

	"meridian/store"
)

const (
	// KMSVersion is the API version of every key management action.
	KMSVersion = "2016-01-20"
	// MeridianVersion is the API version of the actions that are Meridian's own.
	MeridianVersion = "2026-11-01"
)

// Kind says what an action touches, and with that which nonce guard judges its requests.
type Kind uint8

const (
	// KindRead is answered from the node's own state.
	KindRead Kind = iota
	// KindWrite goes through the log of the region.
	KindWrite
	// KindCrypto uses key material on this node and changes no state.
	KindCrypto
)

// String is the word used in metrics, logs and documents.
func (k Kind) String() string {
	switch k {
	case KindRead:
		return "read"
	case KindWrite:
		return "write"
	case KindCrypto:
		return "crypto"
	}
	return "unknown"
}

// Action is one entry of the action table. It drives routing, the checks of the parameters, permission,
// the refusals by key state, metrics and documents; Handle does the rest. Entries are never modified.
type Action struct {
	Name    string
	Kind    Kind
	Summary string
	Params  []ParamSpec
	Answers []Member // beside RequestId, which every answer has
	RAM     RAM
	// Rows says that the action takes and answers rows in the body, see package batch.
	Rows bool
	// DryRun says that the action can be asked for everything but its work; Params has the parameter then.
	DryRun bool
	// States are the codes with which a key in a given state is refused.
	States StateRule
	// Errors are the codes of this action's own, beside those that every action has.
	Errors []string
	// Handle finds the key, judges permission and state, does the work and appends the answer. It returns
	// nil, an *Error, or an error of the region that apiError turns into one.
	Handle func(ctx context.Context, c *Call) error
}

// Member is a member of an answer. Dots in Path are nested objects, [] a list, as the API's documents write it; Type is
// that of the JSON: a string, a timestamp or base64 is text.
type Member struct{ Path, Type, Note string }

// RAM lists the permissions that an action needs, all of them. Empty: any valid identity will do.
type RAM []Permission

// Permission is the right to do Action on a resource.
type Permission struct {
	Action   string // such as kms:Encrypt
	Resource Resource
}

// Resource is the form of the resource that a permission is judged on.
type Resource uint8

const (
	// ResourceKeys is the container of all keys: acs:kms:REGION:ACCOUNT:key.
	ResourceKeys Resource = iota
	// ResourceKey is one key: acs:kms:REGION:ACCOUNT:key/ID.
	ResourceKey
	// ResourceAliases is the container of all aliases: acs:kms:REGION:ACCOUNT:alias.
	ResourceAliases
	// ResourceAlias is one alias: acs:kms:REGION:ACCOUNT:alias/NAME.
	ResourceAlias
	// ResourceAll is the account as a whole: *.
	ResourceAll
)

// String is the resource as policies write it, with words in place of values.
func (r Resource) String() string {
	switch r {
	case ResourceKeys:
		return "acs:kms:REGION:ACCOUNT:key"
	case ResourceKey:
		return "acs:kms:REGION:ACCOUNT:key/KEYID"
	case ResourceAliases:
		return "acs:kms:REGION:ACCOUNT:alias"
	case ResourceAlias:
		return "acs:kms:REGION:ACCOUNT:alias/NAME"
	}
	return "*"
}

// StateRule gives, for each state of a key, the error code with which the action is refused; empty: it works.
type StateRule struct {
	Disabled, PendingDeletion, PendingImport, Enabled string
}

// refusal returns the code with which a key in state s is refused, empty if it is not.
func (r StateRule) refusal(s store.KeyState) string {
	switch s {
	case store.Enabled:
		return r.Enabled
	case store.Disabled:
		return r.Disabled
	case store.PendingDeletion:
		return r.PendingDeletion
	case store.PendingImport:
		return r.PendingImport
	}
	return "InternalFailure"
}

// ParamType is the form of a parameter's value.
type ParamType uint8

const (
	// TypeString is UTF-8 text without control characters other than tab, CR and LF; Min and Max count characters.
	TypeString ParamType = iota
	// TypeInteger is decimal digits, at most 32 bits; Min and Max bound the value.
	TypeInteger
	// TypeLong is decimal digits, at most 63 bits; Min and Max bound the value.
	TypeLong
	// TypeBoolean is true or false in any case.
	TypeBoolean
	// TypeBase64 is the standard alphabet with padding and without line breaks; Min and Max count decoded bytes.
	TypeBase64
	// TypeBlob is a ciphertext blob in Base64; Max counts decoded bytes. The handler reads and measures it, so that
	// everything that is wrong with one has one text.
	TypeBlob
	// TypeJSON is JSON text; Max counts its bytes. The handler reads it.
	TypeJSON
	// TypeContext is an encryption context: a JSON object of at most Max bytes, or flattened NAME.key=value parameters.
	TypeContext
	// TypeDuration is digits and one of d, h, m, s; Min and Max count seconds.
	TypeDuration
	// TypeKeyID is a key id or key ARN and, where Alias is set, an alias or alias ARN.
	TypeKeyID
	// TypeAliasName is alias/NAME.
	TypeAliasName
	// TypeVersionID is the id of a key version, a UUID in lower case.
	TypeVersionID
	// TypeList is NAME.1, NAME.2 and so on, Max of them at the most. The handler reads them.
	TypeList
	// TypeStructList is NAME.1.FIELD, NAME.2.FIELD and so on, Max of them at the most. The handler reads them.
	TypeStructList
)

// String is the name of the type in documents.
func (t ParamType) String() string {
	switch t {
	case TypeString, TypeVersionID:
		return "string"
	case TypeInteger:
		return "integer"
	case TypeLong:
		return "long"
	case TypeBoolean:
		return "boolean"
	case TypeBase64, TypeBlob:
		return "base64"
	case TypeJSON, TypeContext:
		return "json"
	case TypeDuration:
		return "duration"
	case TypeKeyID:
		return "key-id"
	case TypeAliasName:
		return "alias-name"
	case TypeList:
		return "list"
	case TypeStructList:
		return "list-of-struct"
	}
	return "unknown"
}

// ParamSpec says what one parameter of an action may be.
type ParamSpec struct {
	Name       string
	Type       ParamType
	Required   bool
	AllowEmpty bool     // a required parameter may be there with an empty value
	Alias      bool     // TypeKeyID: an alias is accepted
	Default    string   // what an absent value means
	Enum       []string // the only values allowed, if there are any
	Min, Max   int64    // in the unit of Type; Max 0: no upper bound here
	Refused    string   // any value is refused with UnsupportedOperation, for this reason
	Unserved   string   // any value is refused with InvalidParameter, for this reason
	OnlyIf     string   // required and looked at only if this boolean parameter is true
	Unless     string   // ignored if this parameter has a value
	Note       string   // for the documents
}
