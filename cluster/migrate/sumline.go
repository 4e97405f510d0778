package migrate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
)

// Lines that say themselves whether they are whole: CRC-32C of the text, 8 hex digits || space || text || newline.

const sumDigits = 8

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	errLongLine = errors.New("a line is too long")
)

// appendSummed appends a text, which has no newline, as a line.
func appendSummed(dst, text []byte) []byte {
	dst = fmt.Appendf(dst, "%08x ", crc32.Checksum(text, castagnoli))
	return append(append(dst, text...), '\n')
}

// cutSum returns the text of a line, its end included, if it fits its sum.
func cutSum(line []byte) (text []byte, ok bool) {
	line, ended := bytes.CutSuffix(line, []byte("\n"))
	if !ended || len(line) < sumDigits+2 || line[sumDigits] != ' ' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:sumDigits]), 16, 32)
	text = line[sumDigits+1:]
	return text, err == nil && uint32(sum) == crc32.Checksum(text, castagnoli)
}

// readLine reads up to the end of a line or of the file; of a line that is longer than most it returns errLongLine and
// the bytes so far.
func readLine(lines *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := lines.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil || err == io.EOF:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > most:
			return line, errLongLine
		}
	}
}
