package gateway

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// This file reads JSON (RFC 8259) as far as replies need it: one pass that
// validates all of a text and finds the members of its outermost object, and
// cursors that walk parts of a text known to be valid. Nothing is copied.

// maxDepth bounds nesting, as encoding/json does.
const maxDepth = 10000

// skipValue returns the index behind the value at b[i:], or the index of the
// first byte that is wrong and false. depth is the number of arrays and
// objects around it.
func skipValue(b []byte, i, depth int) (int, bool) {
	if i >= len(b) {
		return i, false
	}
	switch c := b[i]; {
	case c == '"':
		return skipString(b, i)
	case c == '{':
		return skipObject(b, i, depth+1, nil)
	case c == '[':
		return skipArray(b, i, depth+1)
	case c == 't':
		return skipLiteral(b, i, "true")
	case c == 'f':
		return skipLiteral(b, i, "false")
	case c == 'n':
		return skipLiteral(b, i, "null")
	case c == '-' || isDigit(c):
		return skipNumber(b, i)
	}
	return i, false
}

// skipObject skips the object at b[i]. Where members is not nil it is told of
// each of the object's own.
func skipObject(b []byte, i, depth int, members *replyMembers) (int, bool) {
	if depth > maxDepth {
		return i, false
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, true
	}
	for ok := false; ; {
		if i >= len(b) || b[i] != '"' {
			return i, false
		}
		start := i
		if i, ok = skipString(b, i); !ok {
			return i, false
		}
		name := b[start+1 : i-1]
		if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
			return i, false
		}
		value := skipSpace(b, i+1)
		if i, ok = skipValue(b, value, depth); !ok {
			return i, false
		}
		if members != nil {
			members.set(name, b[value:i])
		}
		if i = skipSpace(b, i); i >= len(b) {
			return i, false
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case '}':
			return i + 1, true
		default:
			return i, false
		}
	}
}

func skipArray(b []byte, i, depth int) (int, bool) {
	if depth > maxDepth {
		return i, false
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1, true
	}
	for {
		var ok bool
		if i, ok = skipValue(b, i, depth); !ok {
			return i, false
		}
		if i = skipSpace(b, i); i >= len(b) {
			return i, false
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case ']':
			return i + 1, true
		default:
			return i, false
		}
	}
}

// skipString skips the string whose opening quote is b[i].
func skipString(b []byte, i int) (int, bool) {
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, true
		case c < ' ':
			return i, false
		case c == '\\':
			if i++; i >= len(b) {
				return i, false
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i >= len(b) || unhex(b[i]) > 15 {
						return i, false
					}
				}
			default:
				return i, false
			}
		}
	}
	return i, false
}

func skipNumber(b []byte, i int) (int, bool) {
	if b[i] == '-' {
		i++
	}
	digits := func() bool {
		start := i
		for i < len(b) && isDigit(b[i]) {
			i++
		}
		return i > start
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return i, false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return i, false
		}
	}
	return i, true
}

func skipLiteral(b []byte, i int, word string) (int, bool) {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return i, false
	}
	return i + len(word), true
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// cursor walks the members of an object, or the elements of an array, that is
// known to be valid.
type cursor struct {
	b []byte
	i int
}

// next returns the next member: its name as it stands between the quotes (nil
// in an array), and its value.
func (c *cursor) next() (name, value []byte, ok bool) {
	object := c.b[0] == '{'
	c.i = skipSpace(c.b, c.i+1) // behind the bracket or the comma
	if c.i >= len(c.b) || c.b[c.i] == '}' || c.b[c.i] == ']' {
		return nil, nil, false
	}
	if object {
		end, _ := skipString(c.b, c.i)
		name = c.b[c.i+1 : end-1]
		c.i = skipSpace(c.b, skipSpace(c.b, end)+1)
	}
	end, _ := skipValue(c.b, c.i, 0)
	value = c.b[c.i:end]
	c.i = skipSpace(c.b, end)
	return name, value, true
}

// appendUnquoted appends the text of s, the valid inside of a JSON string. A
// surrogate without its other half becomes U+FFFD; bytes that are not UTF-8
// stay.
func appendUnquoted(b, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(b, s...)
		}
		b = append(b, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := codeUnit(s)
			s = s[4:]
			if utf16.IsSurrogate(r) {
				if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
					if pair := utf16.DecodeRune(r, codeUnit(s[2:])); pair != utf8.RuneError {
						b = utf8.AppendRune(b, pair)
						s = s[6:]
						continue
					}
				}
				r = utf8.RuneError
			}
			b = utf8.AppendRune(b, r)
		default: // a quote, a backslash or a slash
			b = append(b, c)
		}
	}
}

// codeUnit reads the four hexadecimal digits that s begins with.
func codeUnit(s []byte) rune {
	return rune(unhex(s[0]))<<12 | rune(unhex(s[1]))<<8 | rune(unhex(s[2]))<<4 | rune(unhex(s[3]))
}
