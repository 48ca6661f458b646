package pattern

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
)

// operators are the names of those that there are, for the error about another.
const operators = "prefix, suffix, equals-ignore-case, wildcard, numeric, cidr, exists and anything-but"

// operator reads an object with one operator, whose brace has been read.
func (p *parser) operator() (m matcher, err error) {
	name, more, err := p.member()
	if err != nil {
		return nil, err
	}
	if !more {
		return nil, p.fail("an empty object is no operator; there are %s", operators)
	}
	p.path = append(p.path, clip(name))
	switch name {
	case "numeric":
		m, err = p.numeric()
	case "exists":
		m, err = p.exists()
	case "cidr":
		m, err = p.cidr()
	case "anything-but":
		m, err = p.anythingBut()
	default:
		m, err = p.text(name, false)
	}
	if err != nil {
		return nil, err
	}
	if other, more, err := p.member(); err != nil {
		return nil, err
	} else if more {
		return nil, p.fail("%q is a second operator in the same object; give each an object of its own", clip(other))
	}
	p.path = p.path[:len(p.path)-1]
	return m, nil
}

// text reads the value of an operator on strings: a string, for prefix and suffix
// also {"equals-ignore-case": string}, and with many an array of strings too.
func (p *parser) text(name string, many bool) (matcher, error) {
	build := map[string]func(string) (matcher, error){
		"prefix":             func(s string) (matcher, error) { return prefix(s), nil },
		"suffix":             func(s string) (matcher, error) { return suffix(s), nil },
		"equals-ignore-case": func(s string) (matcher, error) { return equalFold(s), nil },
		"wildcard":           func(s string) (matcher, error) { return p.wildcard(s) },
	}[name]
	if build == nil {
		return nil, p.fail("there is no such operator; there are %s", operators)
	}
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	switch {
	case token == json.Delim('{') && !many && (name == "prefix" || name == "suffix"):
		return p.foldedAffix(name)
	case token == json.Delim('[') && many:
		texts, err := p.strings()
		if err != nil {
			return nil, err
		}
		any := make([]matcher, len(texts))
		for i, text := range texts {
			if any[i], err = build(text); err != nil {
				return nil, err
			}
		}
		return anyOfThese(any), nil
	}
	text, ok := token.(string)
	if !ok {
		return nil, p.fail("it must be a string, not %s", describe(token))
	}
	return build(text)
}

// foldedAffix reads {"equals-ignore-case": string}, whose brace has been read.
func (p *parser) foldedAffix(name string) (matcher, error) {
	inner, more, err := p.member()
	if err != nil {
		return nil, err
	}
	if !more || inner != "equals-ignore-case" {
		return nil, p.fail("it must be a string or {\"equals-ignore-case\": string}")
	}
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	text, ok := token.(string)
	if !ok {
		return nil, p.fail("equals-ignore-case must be a string, not %s", describe(token))
	}
	if _, more, err := p.member(); err != nil {
		return nil, err
	} else if more {
		return nil, p.fail("equals-ignore-case must be alone in its object")
	}
	if name == "prefix" {
		return prefixFold(text), nil
	}
	return suffixFold(text), nil
}

// strings reads an array of strings whose bracket has been read.
func (p *parser) strings() (texts []string, err error) {
	for {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		if token == json.Delim(']') {
			if len(texts) == 0 {
				return nil, p.fail("an empty array excludes nothing")
			}
			return texts, nil
		}
		text, ok := token.(string)
		if !ok {
			return nil, p.fail("it must be an array of strings, and %s is none", describe(token))
		}
		texts = append(texts, text)
	}
}

// wildcard reads a text in which * is any text.
func (p *parser) wildcard(text string) (matcher, error) {
	w := wildcard{}
	var part strings.Builder
	star := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '*' && star:
			return nil, p.fail("two * in a row are as good as one; write one")
		case c == '*':
			w = append(w, part.String())
			part.Reset()
			star = true
			continue
		case c == '\\' && i+1 < len(text) && (text[i+1] == '*' || text[i+1] == '\\'):
			i++
			part.WriteByte(text[i])
		case c == '\\':
			return nil, p.fail(`\ must be followed by * or \ (in JSON, "\\*" or "\\\\")`)
		default:
			part.WriteByte(c)
		}
		star = false
	}
	return append(w, part.String()), nil
}

func (p *parser) exists() (matcher, error) {
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	wanted, ok := token.(bool)
	if !ok {
		return nil, p.fail("it must be true or false, not %s", describe(token))
	}
	return exists(wanted), nil
}

func (p *parser) cidr() (matcher, error) {
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	text, ok := token.(string)
	if !ok {
		return nil, p.fail("it must be a string, not %s", describe(token))
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, p.fail("%q is not a network, such as 10.0.0.0/24 or 2001:db8::/32", clip(text))
	}
	return inNetwork(network.Masked()), nil
}

// numeric reads [operator, number] or two of that.
func (p *parser) numeric() (matcher, error) {
	const must = `it must be an array of an operator and a number, as ["<", 10], or of two of that, as [">", 0, "<=", 5]`
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	if token != json.Delim('[') {
		return nil, p.fail(must)
	}
	var all inRange
	for {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		if token == json.Delim(']') {
			break
		}
		operator, ok := token.(string)
		if !ok {
			return nil, p.fail(must)
		}
		if !slices.Contains([]string{"<", "<=", "=", ">=", ">"}, operator) {
			return nil, p.fail("%q is not one of <, <=, =, >=, >", clip(operator))
		}
		if token, err = p.next(); err != nil {
			return nil, err
		}
		text, ok := token.(json.Number)
		if !ok {
			return nil, p.fail("%s must be followed by a number", operator)
		}
		number, err := parseDecimal(string(text))
		if err != nil {
			return nil, p.fail("%s", err)
		}
		all = append(all, bound{operator, number})
	}
	if len(all) == 0 || len(all) > 2 {
		return nil, p.fail(must)
	}
	if len(all) == 2 {
		low, high := all[0], all[1]
		if low.operator[0] == '<' {
			low, high = high, low
		}
		if low.operator[0] != '>' || high.operator[0] != '<' {
			return nil, p.fail("two bounds must be a lower and an upper one, as [\">\", 0, \"<=\", 5]")
		}
		if low.number.compare(high.number) >= 0 {
			return nil, p.fail("the lower bound must be less than the upper one")
		}
	}
	return all, nil
}

// anythingBut reads what a value must not be.
func (p *parser) anythingBut() (matcher, error) {
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case string:
		return anythingBut{exactly(t)}, nil
	case json.Number:
		m, err := p.number(t)
		return anythingBut{m}, err
	case json.Delim:
		if t == '{' {
			return p.anythingButOperator()
		}
		return p.anythingButList()
	}
	return nil, p.fail("it must be a string, a number, an array of them, or an operator, not %s", describe(token))
}

func (p *parser) anythingButList() (matcher, error) {
	var all []matcher
	for {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case string:
			all = append(all, exactly(t))
		case json.Number:
			m, err := p.number(t)
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		default:
			if token != json.Delim(']') {
				return nil, p.fail("it must be an array of strings or numbers, and %s is neither", describe(token))
			}
			if len(all) == 0 {
				return nil, p.fail("an empty array excludes nothing")
			}
			return anythingBut{anyOfThese(all)}, nil
		}
	}
}

func (p *parser) anythingButOperator() (matcher, error) {
	name, more, err := p.member()
	if err != nil {
		return nil, err
	}
	if !more {
		return nil, p.fail("an empty object excludes nothing")
	}
	p.path = append(p.path, clip(name))
	m, err := p.text(name, true)
	if err != nil {
		return nil, err
	}
	if other, more, err := p.member(); err != nil {
		return nil, err
	} else if more {
		return nil, p.fail("%q is a second operator in the same object", clip(other))
	}
	p.path = p.path[:len(p.path)-1]
	return anythingBut{m}, nil
}
