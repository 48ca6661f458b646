package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// valueKind is the type of a value in ledge.toml.
type valueKind uint8

const (
	kindText valueKind = iota
	kindNumber
	kindBool
)

func (k valueKind) String() string {
	return [...]string{"text in quotes", "a number", "true or false"}[k]
}

// tomlEntry is one line `key = value`. Value has its quotes and escapes
// removed, numbers their underscores.
type tomlEntry struct {
	Line  int // from 1
	Key   string
	Value string
	Kind  valueKind
}

// tomlError says what is wrong with which line.
type tomlError struct {
	Line int
	Why  string
}

func (e *tomlError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Why) }

const (
	maxTomlBytes = 64 << 10
	maxTomlLines = 1000
)

// parseTOML reads the part of TOML (https://toml.io/en/v1.0.0) that a page of
// settings needs: bare keys, basic and literal strings on one line, decimal
// numbers, booleans and comments. Everything it accepts means in full TOML
// what it means here; the rest (tables, arrays, dates, dotted keys) is refused
// by name, not skipped.
func parseTOML(text string) ([]tomlEntry, error) {
	if len(text) > maxTomlBytes {
		return nil, &tomlError{1, fmt.Sprintf("the file is larger than %s", formatSize(maxTomlBytes))}
	}
	if !utf8.ValidString(text) {
		return nil, &tomlError{1, "the file is not UTF-8 text"}
	}
	var entries []tomlEntry
	seen := make(map[string]int)
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		if number > maxTomlLines {
			return nil, &tomlError{number, fmt.Sprintf("more than %d lines", maxTomlLines)}
		}
		line = strings.Trim(strings.TrimSuffix(line, "\r"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		entry, why := parseTOMLLine(line)
		if why != "" {
			return nil, &tomlError{number, why}
		}
		if first, again := seen[entry.Key]; again {
			return nil, &tomlError{number, fmt.Sprintf("%s is set twice, first in line %d", entry.Key, first)}
		}
		seen[entry.Key] = number
		entry.Line = number
		entries = append(entries, entry)
	}
	return entries, nil
}

// parseTOMLLine reads one line that is neither blank nor a comment. A why that
// is not empty says what is wrong with it.
func parseTOMLLine(line string) (entry tomlEntry, why string) {
	if line[0] == '[' {
		return entry, "tables are not used here; write key = value"
	}
	key, rest, found := strings.Cut(line, "=")
	if !found {
		return entry, "expected key = value"
	}
	key = strings.TrimRight(key, " \t")
	if key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return entry, fmt.Sprintf("%q is not a key; use letters, digits, - and _", key)
	}
	entry.Key = key

	rest = strings.TrimLeft(rest, " \t")
	var tail string
	switch {
	case rest == "" || rest[0] == '#':
		return entry, key + " has no value"
	case strings.HasPrefix(rest, `"""`) || strings.HasPrefix(rest, "'''"):
		return entry, "text over several lines is not used here"
	case rest[0] == '"':
		entry.Value, tail, why = basicString(rest[1:])
	case rest[0] == '\'':
		var closed bool
		entry.Value, tail, closed = strings.Cut(rest[1:], "'")
		if !closed {
			return entry, "the text has no closing '"
		}
		if hasControl(entry.Value) {
			return entry, "the text holds a control character"
		}
	default:
		var word string
		if end := strings.IndexAny(rest, " \t#"); end >= 0 {
			word, tail = rest[:end], rest[end:]
		} else {
			word = rest
		}
		entry.Value, entry.Kind, why = bareValue(word)
	}
	if why != "" {
		return entry, why
	}
	tail = strings.TrimLeft(tail, " \t")
	if tail != "" && tail[0] != '#' {
		return entry, fmt.Sprintf("%q follows the value; start comments with #", tail)
	}
	return entry, ""
}

// bareValue reads a value without quotes: a boolean or a decimal number.
func bareValue(word string) (value string, kind valueKind, why string) {
	if word == "true" || word == "false" {
		return word, kindBool, ""
	}
	bad := fmt.Sprintf("%q is not a value; put text in quotes", word)
	if word[0] == '[' || word[0] == '{' {
		return "", 0, "lists and tables are not used here"
	}
	digits := strings.ReplaceAll(word, "_", "")
	// TOML has underscores between digits only, and no leading zeros.
	if strings.HasPrefix(word, "_") || strings.HasSuffix(word, "_") || strings.Contains(word, "__") ||
		strings.Contains(word, "_.") || strings.Contains(word, "._") {
		return "", 0, bad
	}
	whole, fraction, pointed := strings.Cut(digits, ".")
	if _, err := parseDecimal(whole); err != nil || (len(whole) > 1 && whole[0] == '0') {
		return "", 0, bad
	}
	if pointed && (fraction == "" || strings.Trim(fraction, "0123456789") != "") {
		return "", 0, bad
	}
	if _, err := parseDecimal(digits); err != nil {
		return "", 0, bad
	}
	return digits, kindNumber, ""
}

// basicString reads a string up to its closing quote; text starts behind the
// opening one.
func basicString(text string) (value, tail, why string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], ""
		case c == '\\':
			n, r, ok := escape(text[i+1:])
			if !ok {
				return "", "", "unknown escape in text; use '...' for text with backslashes"
			}
			b.WriteRune(r)
			i += n
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", "", "the text holds a control character"
		default:
			b.WriteByte(c)
		}
	}
	return "", "", `the text has no closing "`
}

// escape reads what follows a backslash and how many bytes of it there are.
func escape(text string) (n int, r rune, ok bool) {
	if text == "" {
		return 0, 0, false
	}
	if i := strings.IndexByte(`btnfr"\`, text[0]); i >= 0 {
		return 1, rune("\b\t\n\f\r\"\\"[i]), true
	}
	digits := map[byte]int{'u': 4, 'U': 8}[text[0]]
	if digits == 0 || len(text) < 1+digits {
		return 0, 0, false
	}
	code, err := strconv.ParseUint(text[1:1+digits], 16, 32)
	if err != nil || !utf8.ValidRune(rune(code)) || code > utf8.MaxRune {
		return 0, 0, false
	}
	return 1 + digits, rune(code), true
}

func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
