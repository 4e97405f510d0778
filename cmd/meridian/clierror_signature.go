package main

import (
	"fmt"
	"strings"

	"meridian/cluster/api/client"
)

// excerptBytes is how much of a signed text is shown around a difference: it
// may hold plaintext, and the line should stay one.
const excerptBytes = 16

// signatureText compares the text that was signed here with the one that the
// node signed, and names the first byte that differs, counted from 1.
func signatureText(e *client.Error, node, keySource string) string {
	theirs, ok := e.ServerText()
	if !ok || e.Signed == "" {
		return fmt.Sprintf("Signature refused. Check the secret of the access key%s", fromSource(keySource))
	}
	theirs = strings.TrimRight(theirs, "\r\n")
	if theirs == e.Signed {
		return fmt.Sprintf("Signature refused: you and %s signed the same text, so the secret is another one. Check the secret of the access key%s", node, fromSource(keySource))
	}
	at := firstDifference(e.Signed, theirs)
	text := fmt.Sprintf("Signature refused: your text differs from the node's at byte %d (you: %q, node: %q). %s",
		at+1, excerpt(e.Signed, at), excerpt(theirs, at), differenceAdvice(e.Signed, theirs, at))
	return strings.TrimSuffix(text, ".")
}

// firstDifference is the index of the first byte in which a and b differ: the
// shorter one's length if one starts with the other.
func firstDifference(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// excerpt shows text around index at.
func excerpt(text string, at int) string {
	from, to := max(0, at-excerptBytes/2), min(len(text), at+excerptBytes/2)
	shown := text[from:to]
	if from > 0 {
		shown = "…" + shown
	}
	if to < len(text) {
		shown += "…"
	}
	return shown
}

// differenceAdvice guesses what changed the text on its way.
func differenceAdvice(own, theirs string, at int) string {
	switch {
	case inTimestamp(own, at) || inTimestamp(theirs, at):
		return "Use UTC with Z."
	case strings.HasPrefix(own, "ACS3-HMAC-SHA256\n"):
		return "A proxy may have changed Host, a signed header or the body: ask the node directly."
	}
	return "A proxy may have changed the request: ask the node directly."
}

// inTimestamp says that index at of a V1 text lies in the value of Timestamp.
func inTimestamp(text string, at int) bool {
	const mark = "Timestamp%3D"
	i := strings.Index(text, mark)
	if i < 0 || at < i+len(mark) {
		return false
	}
	value := text[i+len(mark):]
	if end := strings.Index(value, "%26"); end >= 0 {
		value = value[:end]
	}
	return at <= i+len(mark)+len(value)
}
