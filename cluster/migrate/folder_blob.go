package migrate

import "bytes"

// maxFile bounds a file that holds one blob, in bytes: a blob has 6.4 KiB at most, in Base64 a third more.
const maxFile = 16 << 10

// maxReplaced bounds a file that a run has written: another region's blob may be longer.
const maxReplaced = 2 * maxFile

// blobForm is how a file holds its blob: as it is, or in Base64 with what stands around it, in one line or in several of
// one length.
type blobForm struct {
	raw           bool
	before, after []byte
	width         int // of the lines; 0: there is one
	end           string
}

// readForm finds the blob of a file.
func readForm(content []byte) (blob []byte, form blobForm, refused *RowError) {
	text := bytes.Trim(content, " \t\r\n")
	if len(text) == 0 {
		return nil, form, fault(FaultNoBlob, "the file is empty")
	}
	if bytes.ContainsFunc(text, notBase64) {
		return content, blobForm{raw: true}, nil
	}
	at := bytes.Index(content, text)
	form.before, form.after = content[:at], content[at+len(text):]
	joined, ok := form.join(text)
	var row Row
	if row.setBlob(string(joined)); !ok || row.Fault != nil {
		return nil, form, fault(FaultNoBlob, "it is neither standard Base64 nor anything else than text")
	}
	return row.Blob, form, nil
}

func notBase64(r rune) bool {
	return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '+' || r == '/' || r == '=' || r == '\r' || r == '\n')
}

// join makes one line of several, and notes their length and end.
func (f *blobForm) join(text []byte) (joined []byte, ok bool) {
	at := bytes.IndexByte(text, '\n')
	if at < 0 {
		return text, bytes.IndexByte(text, '\r') < 0
	}
	f.end = "\n"
	if at > 0 && text[at-1] == '\r' {
		f.end = "\r\n"
		at--
	}
	f.width = at
	lines := bytes.Split(text, []byte(f.end))
	for i, line := range lines {
		last := i == len(lines)-1
		if len(line) > f.width || len(line) < f.width && !last || bytes.ContainsAny(line, "\r\n") {
			return nil, false
		}
	}
	return bytes.Join(lines, nil), true
}

// write puts another blob into the same form.
func (f *blobForm) write(blob []byte) []byte {
	if f.raw {
		return blob
	}
	content := bytes.Clone(f.before)
	text := base64Blob.AppendEncode(nil, blob)
	for f.width > 0 && len(text) > f.width {
		content = append(append(content, text[:f.width]...), f.end...)
		text = text[f.width:]
	}
	return append(append(content, text...), f.after...)
}
