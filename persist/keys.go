package persist

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of names and records. AWS Lambda's own are narrower; these keep keys
// and records within what bbolt handles well.
const (
	maxNameBytes   = 256
	maxPathBytes   = 4 << 10
	maxRecordBytes = 1 << 20
)

// checkName refuses what would break the order or the separators of keys.
func checkName(what, name string) error {
	return checkText(what, name, maxNameBytes)
}

func checkText(what, text string, limit int) error {
	if text == "" {
		return invalid("the %s is empty", what)
	}
	if len(text) > limit {
		return invalid("the %s has %d bytes, at most %d are stored", what, len(text), limit)
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f {
			return invalid("the %s %q has a control character", what, text)
		}
	}
	// It is in a key and in a record, and JSON would change it there: what is looked for
	// with the record's would not be found.
	if !utf8.ValidString(text) {
		return invalid("the %s %q is not valid UTF-8", what, text)
	}
	return nil
}

// clipText returns the first bytes of text, whole characters of valid UTF-8.
func clipText(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.ToValidUTF8(text, "")
}

// versionKey returns the key of a version: those of one function lie together,
// Latest, which is number 0, first.
func versionKey(name string, number uint64) []byte {
	key := make([]byte, 0, len(name)+9)
	key = append(key, name...)
	key = append(key, 0)
	return binary.BigEndian.AppendUint64(key, number)
}

// splitVersionKey undoes versionKey.
func splitVersionKey(key []byte) (name string, number uint64, ok bool) {
	if len(key) < 9 || key[len(key)-9] != 0 {
		return "", 0, false
	}
	return string(key[:len(key)-9]), binary.BigEndian.Uint64(key[len(key)-8:]), true
}

// memberPrefix begins the keys of all that belongs to owner: a function, a layer, an
// API or a group of schedules. checkName keeps byte 0 out of names.
func memberPrefix(owner string) []byte { return append([]byte(owner), 0) }

// memberEnd sorts after the keys of all that belongs to owner and before those of
// any other. checkName keeps byte 1 out of names.
func memberEnd(owner string) []byte { return append([]byte(owner), 1) }

// memberKey sorts what belongs to owner by its name.
func memberKey(owner, name string) []byte { return append(memberPrefix(owner), name...) }

// sequenceKey sorts records in the order in which they were numbered.
func sequenceKey(sequence uint64) []byte { return binary.BigEndian.AppendUint64(nil, sequence) }

// versionNumber returns the number of a version name; ok is false for what can
// only be an alias. AWS Lambda keeps them apart too: an alias is not a number.
func versionNumber(qualifier string) (number uint64, ok bool) {
	if qualifier == "" || qualifier == Latest {
		return 0, true
	}
	if strings.TrimLeft(qualifier, "0123456789") != "" {
		return 0, false
	}
	number, err := strconv.ParseUint(qualifier, 10, 63)
	if err != nil || number == 0 || qualifier[0] == '0' {
		return noVersion, true
	}
	return number, true
}

// noVersion is a number that no version has: that of "0", "007" and 2^70.
const noVersion = 1<<64 - 1

func versionName(number uint64) string {
	if number == 0 {
		return Latest
	}
	return strconv.FormatUint(number, 10)
}

// newRevision returns a version 4 UUID (RFC 9562).
func newRevision() string {
	var b [16]byte
	rand.Read(b[:]) // it never fails, see its documentation
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
