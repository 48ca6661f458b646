package gateway

import (
	"bytes"
	"fmt"
	"strings"
)

// binaryTypes are the media types whose bodies a REST API takes for binary, in
// lower case. An entry may be "*/*", or end in "/*".
type binaryTypes []string

// maxBinaryTypes bounds the list of one API.
const maxBinaryTypes = 100

func newBinaryTypes(types []string) (binaryTypes, error) {
	if len(types) > maxBinaryTypes {
		return nil, fmt.Errorf("it has %d binary media types: use at most %d", len(types), maxBinaryTypes)
	}
	made := make(binaryTypes, 0, len(types))
	for _, t := range types {
		major, minor, found := strings.Cut(t, "/")
		if !found || !isToken([]byte(major)) || !isToken([]byte(minor)) || len(t) > maxMediaType {
			return nil, fmt.Errorf("%q is not a media type: write it as image/png or image/*", t)
		}
		made = append(made, strings.ToLower(t))
	}
	return made, nil
}

// maxMediaType bounds a media type that is looked at, in bytes (RFC 6838 allows
// twice 127 and the slash).
const maxMediaType = 255

// match reports whether a body of this content type is binary.
func (t binaryTypes) match(contentType []byte) bool {
	if len(t) == 0 {
		return false
	}
	media, _, _ := bytes.Cut(contentType, []byte{';'})
	media = bytes.TrimSpace(media)
	var room [maxMediaType]byte
	if len(media) > len(room) {
		return false
	}
	media = appendLower(room[:0], media)
	for _, entry := range t {
		if entry == "*/*" || entry == string(media) {
			return true
		}
		if prefix, ok := strings.CutSuffix(entry, "*"); ok && bytes.HasPrefix(media, []byte(prefix)) {
			return true
		}
	}
	return false
}
