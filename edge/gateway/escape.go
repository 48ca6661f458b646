package gateway

import (
	"bytes"
	"unicode/utf8"
)

// appendString appends s as a JSON string. What is not UTF-8 becomes U+FFFD,
// so the result is valid whatever s holds.
func appendString(b, s []byte) []byte {
	b = append(b, '"')
	b = appendEscaped(b, s)
	return append(b, '"')
}

// appendEscaped appends s as the inside of a JSON string (RFC 8259, section 7).
func appendEscaped(b, s []byte) []byte {
	if utf8.Valid(s) {
		return appendEscapedValid(b, s)
	}
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		if r == utf8.RuneError && size == 1 {
			b = append(b, "\uFFFD"...)
		} else {
			b = appendEscapedValid(b, s[:size])
		}
		s = s[size:]
	}
	return b
}

// appendEscapedValid is appendEscaped for text that is known to be UTF-8.
func appendEscapedValid(b, s []byte) []byte {
	const hexDigits = "0123456789abcdef"
	start := 0
	for i, c := range s {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(b, s[start:]...)
}

// appendLower appends s with its ASCII letters in lower case.
func appendLower(b, s []byte) []byte {
	for _, c := range s {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// appendUnescaped appends s percent-decoded (RFC 3986, section 2.1). A percent
// sign that two hexadecimal digits do not follow stays as it is. In queries
// plusIsSpace holds, as in HTML forms.
func appendUnescaped(b, s []byte, plusIsSpace bool) []byte {
	if bytes.IndexByte(s, '%') < 0 && !(plusIsSpace && bytes.IndexByte(s, '+') >= 0) {
		return append(b, s...)
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%' && i+2 < len(s):
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi > 15 || lo > 15 {
				b = append(b, '%')
				continue
			}
			b = append(b, hi<<4|lo)
			i += 2
		case s[i] == '+' && plusIsSpace:
			b = append(b, ' ')
		default:
			b = append(b, s[i])
		}
	}
	return b
}

// unhex returns the value of a hexadecimal digit, or 255.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2), which names
// of header fields are.
func isToken(s []byte) bool {
	for _, c := range s {
		if !isAlphanumeric(c) && bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) < 0 {
			return false
		}
	}
	return len(s) > 0
}

// validFieldValue reports whether s can be a header field's value (RFC 9110,
// section 5.5). CR, LF and NUL above all cannot: they would end the header.
func validFieldValue(s []byte) bool {
	for _, c := range s {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
