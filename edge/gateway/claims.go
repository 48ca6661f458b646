package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// claimsJSON returns the claims of a token as events have them: an object of
// strings. As in API Gateway, a list becomes "[a b]"; other values are their JSON
// text.
func claimsJSON(payload []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil {
		return nil, err
	}
	b := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, []byte(name))
		b = append(b, ':')
		b = appendString(b, claimText(members[name]))
	}
	return append(b, '}'), nil
}

// claimText returns a claim as text.
func claimText(value json.RawMessage) []byte {
	value = bytes.TrimSpace(value)
	switch value[0] {
	case '"':
		return appendUnquoted(nil, value[1:len(value)-1])
	case '[':
		b := []byte{'['}
		for c := (cursor{b: value}); ; {
			_, element, ok := c.next()
			if !ok {
				return append(b, ']')
			}
			if len(b) > 1 {
				b = append(b, ' ')
			}
			if element[0] == '"' {
				b = appendUnquoted(b, element[1:len(element)-1])
			} else {
				b = append(b, element...)
			}
		}
	}
	return value
}

// errNested says that a context has what is neither a string nor a number nor a
// boolean.
var errNested = errors.New("its context has an object or a list: REST APIs take strings, numbers and booleans")

// contextJSON makes an authorizer function's context ready for events: shown is
// the object as it came, flat its members for payload format 1.0 with scalars as
// strings. In a REST API a value that is none of these is errNested.
func contextJSON(context map[string]json.RawMessage, principal string, rest bool) (shown, flat []byte, err error) {
	shown = []byte{'{'}
	flat = append(flat, `"principalId":`...)
	flat = appendString(flat, []byte(principal))
	for i, name := range slices.Sorted(maps.Keys(context)) {
		value := bytes.TrimSpace(context[name])
		if i > 0 {
			shown = append(shown, ',')
		}
		shown = appendString(shown, []byte(name))
		shown = append(append(shown, ':'), value...)
		nested := value[0] == '{' || value[0] == '['
		if nested && rest {
			return nil, nil, errNested
		}
		if name == "principalId" {
			continue // the response's own is said already
		}
		flat = append(flat, ',')
		flat = appendString(flat, []byte(name))
		flat = append(flat, ':')
		if nested || string(value) == "null" {
			flat = append(flat, value...)
		} else {
			flat = appendString(flat, claimText(value))
		}
	}
	return append(shown, '}'), flat, nil
}

func stringsJSON(list []string) []byte {
	b := []byte{'['}
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, []byte(s))
	}
	return append(b, ']')
}
