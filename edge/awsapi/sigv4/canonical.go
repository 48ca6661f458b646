package sigv4

import (
	"bytes"
	"slices"
	"strings"
)

// appendCanonical appends the canonical request: six lines that two sides make
// of the same request, whatever liberties the encoding of URLs and headers leaves.
func (r *Request) appendCanonical(b []byte, c *Claim, payload string) ([]byte, error) {
	b = append(b, r.Method...)
	b = append(b, '\n')
	if c.Scope.Service == "s3" { // the one service whose paths are taken as they are
		b = append(b, r.Path...)
	} else {
		b = appendPath(b, r.Path)
	}
	b = append(b, '\n')
	b, ok := appendQuery(b, r.RawQuery, c.Presigned)
	if !ok {
		return nil, incomplete("The query string has an escape that is none: a %% must be followed by two hexadecimal digits.")
	}
	b = append(b, '\n')
	for _, name := range c.signed {
		values := r.values(name)
		if len(values) == 0 {
			return nil, invalid(Mismatch, "'%s' is listed in SignedHeaders, but the request has no such header.", name)
		}
		b = append(b, name...)
		b = append(b, ':')
		for i, value := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendTrimmed(b, value)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, c.signedText...)
	b = append(b, '\n')
	return append(b, payload...), nil
}

// appendPath appends path without empty segments, "." and "..", and with every
// byte escaped that is not unreserved: once more, since path is escaped already.
func appendPath(b []byte, path string) []byte {
	start := len(b)
	trailing := len(path) > 0 && path[len(path)-1] == '/'
	for len(path) > 0 {
		var segment string
		segment, path, _ = strings.Cut(path, "/")
		switch segment {
		case "", ".":
		case "..":
			if at := bytes.LastIndexByte(b[start:], '/'); at >= 0 {
				b = b[:start+at]
			}
		default:
			b = append(b, '/')
			for i := range len(segment) {
				b = appendEscaped(b, segment[i])
			}
		}
	}
	if trailing || len(b) == start {
		b = append(b, '/')
	}
	return b
}

// appendQuery appends the parameters in order of their escaped names and, among
// equals, values. ok is false where an escape makes no sense. The signature itself
// is left out of a presigned request.
func appendQuery(b []byte, query string, presigned bool) (_ []byte, ok bool) {
	type parameter struct{ name, value []byte }
	var (
		few        [16]parameter
		parameters = few[:0]
		// One array for all of them. It may move when it grows: what was cut from
		// it before stays valid.
		encoded = make([]byte, 0, len(query)+len(query)/2)
	)
	for len(query) > 0 {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" || presigned && strings.HasPrefix(pair, paramSignature+"=") {
			continue
		}
		start := len(encoded)
		middle := -1
		for i := 0; i < len(pair); i++ {
			c := pair[i]
			switch {
			case c == '=' && middle < 0:
				middle = len(encoded)
				continue
			case c == '+': // as servers read it
				c = ' '
			case c == '%':
				if i+2 >= len(pair) {
					return nil, false
				}
				high, low := unhex(pair[i+1]), unhex(pair[i+2])
				if high < 0 || low < 0 {
					return nil, false
				}
				c = byte(high<<4 | low)
				i += 2
			}
			encoded = appendEscaped(encoded, c)
		}
		end := len(encoded)
		if middle < 0 {
			middle = end
		}
		parameters = append(parameters, parameter{encoded[start:middle:middle], encoded[middle:end:end]})
	}
	slices.SortFunc(parameters, func(x, y parameter) int {
		if d := bytes.Compare(x.name, y.name); d != 0 {
			return d
		}
		return bytes.Compare(x.value, y.value)
	})
	for i, p := range parameters {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b, true
}

// appendTrimmed appends value without white space at its ends and with a single
// space for each run of it. Line breaks, which no server lets through, count as
// white space, so that no value can pass for a line of the canonical request.
func appendTrimmed(b []byte, value string) []byte {
	start, pending := len(b), false
	for i := range len(value) {
		switch c := value[i]; c {
		case ' ', '\t', '\r', '\n':
			pending = true
		default:
			if pending && len(b) > start {
				b = append(b, ' ')
			}
			pending = false
			b = append(b, c)
		}
	}
	return b
}

// appendEscaped appends c, escaped unless it is unreserved (RFC 3986, section 2.3).
func appendEscaped(b []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
		return append(b, c)
	}
	return append(b, '%', digits[c>>4], digits[c&15])
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
