package api

import "net/http"

// Codes of the errors of the KMS API. The words are the public service's; where it has none, ours.
const (
	CodeUnsupportedHTTPMethod          = "UnsupportedHTTPMethod"
	CodeParseRequestParameterException = "ParseRequestParameterException"
	CodeMissingParameter               = "MissingParameter"
	CodeIllegalTimestamp               = "IllegalTimestamp"
	CodeIncompleteSignature            = "IncompleteSignature"
	CodeInvalidSignatureMethod         = "InvalidSignatureMethod"
	CodeInvalidAccessKeyIdNotFound     = "InvalidAccessKeyId.NotFound"
	CodeForbiddenAccessKey             = "Forbidden.AccessKey"
	CodeSignatureDoesNotMatch          = "SignatureDoesNotMatch"
	CodeInvalidTimeStampFormat         = "InvalidTimeStamp.Format"
	CodeInvalidTimeStampExpired        = "InvalidTimeStamp.Expired"
	CodeSignatureNonceUsed             = "SignatureNonceUsed"
	CodeInvalidSecurityToken           = "InvalidSecurityToken"
	CodeInvalidActionNotFound          = "InvalidAction.NotFound"
	CodeInvalidVersion                 = "InvalidVersion"
	CodeInvalidParameterFormat         = "InvalidParameter.Format"
	CodeInvalidParameter               = "InvalidParameter"
	CodeInvalidParameterWrongRegion    = "InvalidParameter.WrongRegion"
	CodeForbiddenNoPermission          = "Forbidden.NoPermission"
	CodeForbiddenKeyNotFound           = "Forbidden.KeyNotFound"
	CodeForbiddenAliasNotFound         = "Forbidden.AliasNotFound"
	CodeForbiddenKeyVersionNotFound    = "Forbidden.KeyVersionNotFound"
	CodeForbiddenResourceNotFound      = "Forbidden.ResourceNotFound"
	CodeAliasAlreadyExists             = "AliasAlreadyExists"
	CodeRejectedDisabled               = "Rejected.Disabled"
	CodeRejectedPendingDeletion        = "Rejected.PendingDeletion"
	CodeRejectedPendingImport          = "Rejected.PendingImport"
	CodeRejectedStateModifiedFailed    = "Rejected.StateModifiedFailed"
	CodeRejectedDeletionProtection     = "Rejected.DeletionProtection"
	CodeRejectedUnsupportedOperation   = "Rejected.UnsupportedOperation"
	CodeUnsupportedOperation           = "UnsupportedOperation"
	CodeRejectedLimitExceeded          = "Rejected.LimitExceeded"
	CodeRejectedResourceExist          = "Rejected.ResourceExist"
	CodeRejectedResourceInDeleteWindow = "Rejected.ResourceInDeleteWindow"
	CodeUnsupportedAlias               = "Unsupported.Alias"
	CodeUnsupportedOrigin              = "Unsupported.Origin"
	CodeUnsupportedProtectionLevel     = "Unsupported.ProtectionLevel"
	CodeInvalidImportToken             = "InvalidImportToken"
	CodeExpiredImportToken             = "ExpiredImportToken"
	CodeInvalidKeyMaterial             = "InvalidKeyMaterial"
	CodeMalformedPolicyDocument        = "MalformedPolicyDocument"
	CodeForbiddenOpened                = "Forbidden.Opened"
	CodeDryRunOperationError           = "DryRunOperationError"
	CodeValidationError                = "ValidationError"
	CodeAccessDeniedError              = "AccessDeniedError"
	CodeRejectedThrottling             = "Rejected.Throttling"
	CodeServiceUnavailableTemporary    = "ServiceUnavailableTemporary"
	CodeInternalFailure                = "InternalFailure"
	CodeForbiddenExportNotAllowed      = "Forbidden.ExportNotAllowed"
)

// errorKind is one row of the table of errors.
type errorKind struct {
	status    int    // HTTP status
	message   string // template: each {name} is replaced by the next argument of newError
	recommend string // what the caller can do, or empty
}

// errorKinds holds every error that an answer may carry. Messages are in our own words: clients go by the code.
var errorKinds = map[string]errorKind{
	CodeUnsupportedHTTPMethod:          {http.StatusForbidden, "HTTP method {method} is not served; use GET or POST.", ""},
	CodeParseRequestParameterException: {http.StatusBadRequest, "The request cannot be read: {reason}.", ""},
	CodeMissingParameter:               {http.StatusBadRequest, "Parameter {name} is needed and was not given.", ""},
	CodeIllegalTimestamp:               {http.StatusBadRequest, "Timestamp (or x-acs-date) is needed and was not given.", ""},
	CodeIncompleteSignature:            {http.StatusBadRequest, "The signature is missing or incomplete: {reason}.", ""},
	CodeInvalidSignatureMethod:         {http.StatusBadRequest, "Signature method {value} is not served here; {served} are.", "Sign with ACS3-HMAC-SHA256 (V3) or HMAC-SHA256 (V1)."},
	CodeInvalidAccessKeyIdNotFound:     {http.StatusNotFound, "There is no access key {id}.", "Check AccessKeyId and the endpoint."},
	CodeForbiddenAccessKey:             {http.StatusForbidden, "Access key {id} is not active.", ""},
	CodeSignatureDoesNotMatch:          {http.StatusBadRequest, "The signature does not fit the request. Check the secret, then compare: server string to sign is:{string to sign}", "Compare the text that you signed with the one in the message."},
	CodeInvalidTimeStampFormat:         {http.StatusBadRequest, "{name} must look like 2006-01-02T15:04:05Z.", "Write the time in UTC with a Z at its end."},
	CodeInvalidTimeStampExpired:        {http.StatusBadRequest, "{name} is more than 15 minutes from the clock of this node ({now}).", "Set the clock of the client, for example by NTP. The key pair is not at fault."},
	CodeSignatureNonceUsed:             {http.StatusBadRequest, "SignatureNonce {nonce} was used already with this access key. Send a fresh one with every request, retries included.", "Send a fresh SignatureNonce with every request, retries included."},
	CodeInvalidSecurityToken:           {http.StatusBadRequest, "Temporary credentials are not served here.", ""},
	CodeInvalidActionNotFound:          {http.StatusNotFound, "There is no action {action} in version {version} here.", ""},
	CodeInvalidVersion:                 {http.StatusBadRequest, "There is no API version {version} here; known: {known}.", ""},
	CodeInvalidParameterFormat:         {http.StatusBadRequest, "Format must be JSON or XML.", ""},
	CodeInvalidParameter:               {http.StatusBadRequest, "The value of {name} is not allowed: {reason}.", ""},
	CodeInvalidParameterWrongRegion:    {http.StatusBadRequest, "{name} belongs to region {other}; this is {own}.", ""},
	CodeForbiddenNoPermission:          {http.StatusForbidden, "{principal} may not do {action} on {resource}.", ""},
	CodeForbiddenKeyNotFound:           {http.StatusNotFound, "There is no key {id} in region {region}.", ""},
	CodeForbiddenAliasNotFound:         {http.StatusNotFound, "There is no alias {name} in region {region}.", ""},
	CodeForbiddenKeyVersionNotFound:    {http.StatusNotFound, "Key {id} has no version {version}.", ""},
	CodeForbiddenResourceNotFound:      {http.StatusNotFound, "There is no {kind} {name}.", ""},
	CodeAliasAlreadyExists:             {http.StatusBadRequest, "Alias {name} exists already in region {region}.", ""},
	CodeRejectedDisabled:               {http.StatusConflict, "Key {id} is Disabled.", "EnableKey makes it usable again."},
	CodeRejectedPendingDeletion:        {http.StatusConflict, "Key {id} is waiting to be deleted.", "CancelKeyDeletion makes it usable again."},
	CodeRejectedPendingImport:          {http.StatusConflict, "Key {id} has no key material; import it.", "GetParametersForImport and ImportKeyMaterial give it material."},
	CodeRejectedStateModifiedFailed:    {http.StatusConflict, "Key {id} is {state}; {action} is not possible then.", ""},
	CodeRejectedDeletionProtection:     {http.StatusConflict, "Deletion protection of key {id} is on.", "Switch it off with SetDeletionProtection first."},
	CodeRejectedUnsupportedOperation:   {http.StatusBadRequest, "{action} is not possible with this key: {reason}.", ""},
	CodeUnsupportedOperation:           {http.StatusBadRequest, "{action} is not possible here: {reason}.", ""},
	CodeRejectedLimitExceeded:          {http.StatusBadRequest, "The limit of {limit} {things} is reached.", ""},
	CodeRejectedResourceExist:          {http.StatusConflict, "{kind} {name} exists already.", ""},
	CodeRejectedResourceInDeleteWindow: {http.StatusConflict, "Secret {name} is waiting to be deleted.", ""},
	CodeUnsupportedAlias:               {http.StatusBadRequest, "{action} takes a key id or key ARN, not an alias.", "DescribeKey tells the key id behind an alias."},
	CodeUnsupportedOrigin:              {http.StatusBadRequest, "Key {id} has origin {origin}; {action} is not possible then.", ""},
	CodeUnsupportedProtectionLevel:     {http.StatusBadRequest, "ProtectionLevel {value} is not served; SOFTWARE is.", ""},
	CodeInvalidImportToken:             {http.StatusBadRequest, "The import token is unknown, used, or of another key.", ""},
	CodeExpiredImportToken:             {http.StatusBadRequest, "The import token expired at {time}.", ""},
	CodeInvalidKeyMaterial:             {http.StatusBadRequest, "The key material is not usable: {reason}.", ""},
	CodeMalformedPolicyDocument:        {http.StatusBadRequest, "The policy cannot be read: {reason}.", ""},
	CodeForbiddenOpened:                {http.StatusBadRequest, "The service is on already.", ""},
	CodeDryRunOperationError:           {http.StatusPreconditionFailed, "The call would have succeeded (DryRun).", ""},
	CodeValidationError:                {http.StatusBadRequest, "A parameter is not right: {reason} (DryRun).", ""},
	CodeAccessDeniedError:              {http.StatusForbidden, "{principal} may not do {action} (DryRun).", ""},
	CodeRejectedThrottling:             {http.StatusTooManyRequests, "Too many requests: {limit}. Try again after {seconds} s.", "Wait as long as Retry-After says."},
	CodeServiceUnavailableTemporary:    {http.StatusServiceUnavailable, "This node cannot answer now: {reason}.", "Ask another node, or wait as long as Retry-After says."},
	CodeInternalFailure:                {http.StatusInternalServerError, "An error inside the service; look for {request id} in its log.", ""},
	CodeForbiddenExportNotAllowed:      {http.StatusForbidden, "Export to this public key is not allowed: it belongs to no pinned peer region.", ""},
}
