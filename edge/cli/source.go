package cli

import (
	"bytes"
	"regexp"
	"slices"
	"unicode/utf8"
)

// utf8Mark is what Windows' editors begin UTF-8 text with. Interpreters skip it.
const utf8Mark = "\ufeff"

// notSource says why bytes are not the text of a program in the language, to be
// read after their file's name, and what to do; nothing where they may be. Text
// in an older encoding may be: Python reads it where its first lines say which.
func (l language) notSource(text []byte) (why, hint string) {
	for _, other := range []struct{ begins, why, hint string }{
		{"\x00asm", "is a Wasm module", "give it a name that ends in .wasm"},
		{"PK\x03\x04", "is a zip", "give it a name that ends in .zip"},
		{"\xff\xfe\x00\x00", "is UTF-32 text", "save it as UTF-8"}, // before UTF-16, which begins alike
		{"\x00\x00\xfe\xff", "is UTF-32 text", "save it as UTF-8"},
		{"\xff\xfe", "is UTF-16 text", "save it as UTF-8"},
		{"\xfe\xff", "is UTF-16 text", "save it as UTF-8"},
	} {
		if bytes.HasPrefix(text, []byte(other.begins)) {
			return other.why, other.hint
		}
	}
	if len(text) >= 4 && (text[0] == 0) != (text[1] == 0) && (text[0] == 0) == (text[2] == 0) && (text[1] == 0) == (text[3] == 0) {
		return "is UTF-16 text", "save it as UTF-8"
	}
	control := func(c rune) bool { return c < ' ' && (c < '\t' || c > '\r') && c != '\x1a' && c != '\x1b' }
	zero := bytes.IndexByte(text, 0) >= 0 // which JavaScript may have in a string
	if zero && l.aws == "python" || !utf8.Valid(text) && bytes.ContainsFunc(text, control) {
		return "is not " + l.name + " source: it holds bytes that no text has", "deploy the text that the program was written as"
	}
	return "", ""
}

// defined returns the functions at the top of a program's text that a handler
// could name, as far as a look at the text tells, the first of them first.
func (l language) defined(text []byte) []string {
	const most = 4
	var names []string
	for _, match := range regexp.MustCompile(l.functions).FindAllSubmatch(text, 64) {
		name := string(bytes.Join(match[1:], nil)) // of the groups, one has matched
		if len(names) < most && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// isESModule reports whether JavaScript exports something as ES modules do, and
// nothing as CommonJS modules do.
func isESModule(text []byte) bool {
	text = bytes.TrimPrefix(text, []byte(utf8Mark))
	return regexp.MustCompile(`(?m)^\s*export\s+(?:const|let|var|async|function|class|default|\{)`).Match(text) &&
		!regexp.MustCompile(`\b(?:module\.exports|exports\.\w+)\s*=`).Match(text)
}
