package pattern

import (
	"encoding/json"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Numeral is a number that an event has as a string, as DynamoDB's attribute values
// have it: {"N": "20.5"}. It matches what the string does and what the number does.
type Numeral string

// Match reports whether an event matches: a map[string]any of maps, []any, string,
// json.Number, Numeral, bool and nil, as encoding/json decodes it with UseNumber.
func (p *Pattern) Match(event any) bool { return p.root.match(event) }

// match looks at an object, or for an object in an array. Anything else is taken for
// an object without members: what must be absent is.
func (o *object) match(value any) bool {
	if list, ok := value.([]any); ok && len(list) > 0 {
		for _, element := range list {
			if o.match(element) {
				return true
			}
		}
		return false
	}
	members, _ := value.(map[string]any)
	for i := range o.fields {
		f := &o.fields[i]
		if f.object != nil && !f.object.match(members[f.name]) {
			return false
		}
		if f.object == nil && !matchAny(f.values, members, f.name) {
			return false
		}
	}
	for _, alternatives := range o.either {
		if !eitherMatches(alternatives, value) {
			return false
		}
	}
	return true
}

func eitherMatches(alternatives []object, value any) bool {
	for i := range alternatives {
		if alternatives[i].match(value) {
			return true
		}
	}
	return false
}

// matchAny reports whether the values of a member are any of what is wanted.
func matchAny(wanted *anyOf, members map[string]any, name string) bool {
	value, present := members[name]
	found := false // a value, and not an object or nothing
	matched := false
	if present {
		each(value, func(value any) bool {
			found = true
			l := leafOf(value)
			matched = wanted.match(&l)
			return !matched
		})
	}
	if matched {
		return true
	}
	for _, m := range wanted.others {
		if e, ok := m.(exists); ok && bool(e) == found {
			return true
		}
	}
	return false
}

// each calls visit with every value that is no object until it returns false.
func each(value any, visit func(any) bool) bool {
	switch v := value.(type) {
	case map[string]any:
		return true
	case []any:
		for _, element := range v {
			if !each(element, visit) {
				return false
			}
		}
		return true
	}
	return visit(value)
}

// matcher looks at one value that is neither an object nor an array.
type matcher interface{ match(l *leaf) bool }

// leaf is such a value. What is read of it is read once, however many matchers look:
// an event may have a million leaves, and a pattern a thousand matchers for each.
type leaf struct {
	value    any
	text     string
	isText   bool
	number   decimal
	isNumber bool
}

func leafOf(value any) leaf {
	l := leaf{value: value}
	digits := ""
	switch v := value.(type) {
	case string:
		l.text, l.isText = v, true
		return l
	case Numeral:
		l.text, l.isText = string(v), true
		digits = string(v)
	case json.Number:
		digits = string(v)
	default:
		return l
	}
	var err error
	l.number, err = parseDecimal(digits)
	l.isNumber = err == nil
	return l
}

type (
	exactly    string
	prefix     string
	suffix     string
	prefixFold string
	suffixFold string
	equalFold  string
	wildcard   []string // what is between the stars
	isBool     bool
	isNull     struct{}
	isNumber   decimal
	inNetwork  netip.Prefix
	exists     bool // matchAny looks at it
	inRange    []bound
	// anyOf has what is looked up apart from what must be tried one by one.
	anyOf struct {
		texts   map[string]bool
		numbers map[decimal]bool
		others  []matcher
	}
	// anythingBut matches every value that its matcher does not.
	anythingBut struct{ matcher }
)

// bound is one end of a range.
type bound struct {
	operator string
	number   decimal
}

func (m exactly) match(l *leaf) bool {
	return l.isText && l.text == string(m)
}

func (m prefix) match(l *leaf) bool {
	return l.isText && strings.HasPrefix(l.text, string(m))
}

func (m suffix) match(l *leaf) bool {
	return l.isText && strings.HasSuffix(l.text, string(m))
}

func (m equalFold) match(l *leaf) bool {
	return l.isText && strings.EqualFold(l.text, string(m))
}

func (m prefixFold) match(l *leaf) bool {
	if !l.isText {
		return false
	}
	text := l.text
	end := 0
	for range utf8.RuneCountInString(string(m)) { // in another case a letter may have other bytes
		_, n := utf8.DecodeRuneInString(text[end:])
		end += n
	}
	return strings.EqualFold(text[:end], string(m))
}

func (m suffixFold) match(l *leaf) bool {
	if !l.isText {
		return false
	}
	text := l.text
	start := len(text)
	for range utf8.RuneCountInString(string(m)) {
		_, n := utf8.DecodeLastRuneInString(text[:start])
		start -= n
	}
	return strings.EqualFold(text[start:], string(m))
}

// match finds the parts one after the other, each as far left as there is room: if
// any way of placing them fits, that one does.
func (m wildcard) match(l *leaf) bool {
	text := l.text
	first, last := m[0], m[len(m)-1]
	switch {
	case !l.isText:
		return false
	case len(m) == 1:
		return text == first
	case len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last):
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range m[1 : len(m)-1] {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}

func (m isBool) match(l *leaf) bool { return l.value == bool(m) }
func (isNull) match(l *leaf) bool   { return l.value == nil }
func (exists) match(*leaf) bool     { return false }

func (m isNumber) match(l *leaf) bool {
	return l.isNumber && l.number == decimal(m)
}

func (m inRange) match(l *leaf) bool {
	if !l.isNumber {
		return false
	}
	for _, b := range m {
		order := l.number.compare(b.number)
		if !(order < 0 && b.operator[0] == '<' || order > 0 && b.operator[0] == '>' ||
			order == 0 && b.operator[len(b.operator)-1] == '=') {
			return false
		}
	}
	return true
}

func (m inNetwork) match(l *leaf) bool {
	if !l.isText {
		return false
	}
	address, err := netip.ParseAddr(l.text)
	return err == nil && netip.Prefix(m).Contains(address.Unmap())
}

func anyOfThese(matchers []matcher) *anyOf {
	m := &anyOf{texts: map[string]bool{}, numbers: map[decimal]bool{}}
	for _, one := range matchers {
		switch one := one.(type) {
		case exactly:
			m.texts[string(one)] = true
		case isNumber:
			m.numbers[decimal(one)] = true
		default:
			m.others = append(m.others, one)
		}
	}
	return m
}

func (m *anyOf) match(l *leaf) bool {
	if l.isText && m.texts[l.text] || l.isNumber && m.numbers[l.number] {
		return true
	}
	for _, one := range m.others {
		if one.match(l) {
			return true
		}
	}
	return false
}

func (m anythingBut) match(l *leaf) bool { return !m.matcher.match(l) }
