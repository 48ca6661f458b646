package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of a pattern. Lambda takes filters of at most 4096 characters, EventBridge
// rules of 2048.
const (
	maxBytes = 4096
	maxDepth = 32 // of objects and arrays in each other
)

// Pattern says which events are wanted. It is safe for concurrent use.
type Pattern struct{ root object }

// object is what an object of an event must be like.
type object struct {
	fields []field
	either [][]object // of each "$or" one object must match
}

// field is what a member must be like: an object, or one of some values.
type field struct {
	name   string
	object *object
	values *anyOf
}

// Error says what is wrong with a pattern, and where.
type Error struct {
	Path string // of the member, with dots; empty: the whole
	Why  string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Why
	}
	return e.Path + ": " + e.Why
}

// Parse reads a pattern. The error is an *Error.
func Parse(text string) (*Pattern, error) {
	if len(text) > maxBytes {
		return nil, &Error{Why: fmt.Sprintf("the pattern has %d bytes, and at most %d are allowed", len(text), maxBytes)}
	}
	if !utf8.ValidString(text) {
		return nil, &Error{Why: "the pattern is not UTF-8"}
	}
	p := &parser{decoder: json.NewDecoder(strings.NewReader(text))}
	p.decoder.UseNumber()
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	if token != json.Delim('{') {
		return nil, p.fail("a pattern must be a JSON object, not %s", describe(token))
	}
	root, err := p.object()
	if err != nil {
		return nil, err
	}
	if _, err := p.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, &Error{Why: "there is more text after the pattern"}
	}
	return &Pattern{root}, nil
}

// parser reads one pattern, token by token, so that members that are there twice are
// noticed.
type parser struct {
	decoder *json.Decoder
	path    []string
	depth   int
}

func (p *parser) fail(format string, args ...any) error {
	return &Error{Path: strings.Join(p.path, "."), Why: fmt.Sprintf(format, args...)}
}

func (p *parser) next() (json.Token, error) {
	token, err := p.decoder.Token()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, p.fail("the JSON ends too early")
	}
	if err != nil {
		return nil, p.fail("the pattern is not JSON: %s (at byte %d)", err, p.decoder.InputOffset())
	}
	switch token {
	case json.Delim('{'), json.Delim('['):
		if p.depth++; p.depth > maxDepth {
			return nil, p.fail("objects and arrays are nested more than %d deep", maxDepth)
		}
	case json.Delim('}'), json.Delim(']'):
		p.depth--
	}
	return token, nil
}

// member reads the name of the next member, false at the end of the object.
func (p *parser) member() (name string, more bool, err error) {
	token, err := p.next()
	if err != nil || token == json.Delim('}') {
		return "", false, err
	}
	name, ok := token.(string)
	if !ok { // the decoder sees to it
		return "", false, p.fail("a member has no name")
	}
	return name, true, nil
}

// object reads the members of an object whose brace has been read.
func (p *parser) object() (o object, err error) {
	seen := map[string]bool{}
	for {
		name, more, err := p.member()
		if err != nil {
			return o, err
		}
		if !more {
			break
		}
		p.path = append(p.path, clip(name))
		if seen[name] {
			return o, p.fail("it is there twice")
		}
		seen[name] = true
		token, err := p.next()
		if err != nil {
			return o, err
		}
		switch {
		case name == "$or":
			alternatives, err := p.alternatives(token)
			if err != nil {
				return o, err
			}
			o.either = append(o.either, alternatives)
		case token == json.Delim('{'):
			inner, err := p.object()
			if err != nil {
				return o, err
			}
			o.fields = append(o.fields, field{name: name, object: &inner})
		case token == json.Delim('['):
			values, err := p.values()
			if err != nil {
				return o, err
			}
			o.fields = append(o.fields, field{name: name, values: values})
		default:
			return o, p.fail("it must be an object or an array, not %s; write [%s] for that value", describe(token), describe(token))
		}
		p.path = p.path[:len(p.path)-1]
	}
	if len(seen) == 0 && len(p.path) > 0 {
		return o, p.fail("an empty object matches nothing; leave the member out")
	}
	return o, nil
}

// alternatives reads the value of "$or", which begins with token.
func (p *parser) alternatives(token json.Token) (either []object, err error) {
	const must = "$or must be an array of two patterns or more"
	if token != json.Delim('[') {
		return nil, p.fail(must+", not %s", describe(token))
	}
	for {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		if token == json.Delim(']') {
			break
		}
		if token != json.Delim('{') {
			return nil, p.fail(must+", and %s is none", describe(token))
		}
		o, err := p.object()
		if err != nil {
			return nil, err
		}
		either = append(either, o)
	}
	if len(either) < 2 {
		return nil, p.fail(must)
	}
	return either, nil
}

// values reads the elements of an array whose bracket has been read.
func (p *parser) values() (*anyOf, error) {
	var values []matcher
	for {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		var m matcher
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case ']':
				if len(values) == 0 {
					return nil, p.fail("an empty array matches nothing")
				}
				return anyOfThese(values), nil
			case '[':
				return nil, p.fail("an array cannot be in an array; its elements are alternatives")
			}
			m, err = p.operator()
		case string:
			m = exactly(t)
		case json.Number:
			m, err = p.number(t)
		case bool:
			m = isBool(t)
		case nil:
			m = isNull{}
		}
		if err != nil {
			return nil, err
		}
		values = append(values, m)
	}
}

func (p *parser) number(text json.Number) (matcher, error) {
	n, err := parseDecimal(string(text))
	if err != nil {
		return nil, p.fail("%s", err)
	}
	return isNumber(n), nil
}

// describe names a token in an error.
func describe(token json.Token) string {
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return "an object"
		}
		return "an array"
	case string:
		return fmt.Sprintf("%q", clip(t))
	case nil:
		return "null"
	}
	return fmt.Sprint(token)
}

// clip shortens what an error repeats of the pattern.
func clip(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
