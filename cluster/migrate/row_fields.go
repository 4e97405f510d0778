package migrate

import (
	"encoding/base64"

	"meridian/crypto"
)

// For media whose rows are not lines of text. What cannot be read becomes the row's Fault; the first one stays.

// ReadBlob takes the text of a blob, in standard Base64.
func (r *Row) ReadBlob(text string) {
	blob, err := base64.StdEncoding.Strict().DecodeString(text) // into room of its own: rows of a table do not come and go together
	if err != nil || base64.StdEncoding.EncodedLen(len(blob)) != len(text) {
		r.setFault(fault(FaultNoBlob, "it is not standard Base64"))
		return
	}
	r.Blob = blob
}

// ReadContext takes the text of an encryption context, a JSON object of texts; null and empty are none.
func (r *Row) ReadContext(text []byte) {
	r.Context = crypto.Context{}
	if context, ok := r.parseContext(text); ok {
		r.Context = context
	}
}

// Refuse notes what is wrong with a row.
func (r *Row) Refuse(code, format string, args ...any) { r.setFault(fault(code, format, args...)) }

// FaultOf makes a RowError.
func FaultOf(code, format string, args ...any) *RowError { return fault(code, format, args...) }
