package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// write puts a command's result on standard output. A result that cannot be
// written (a full disk, a closed pipe) is a failure of the command.
func (a *app) write(text []byte) error {
	if _, err := a.env.Stdout.Write(text); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// writeJSON writes v, or the JSON text that v is, indented.
func (a *app) writeJSON(v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	return a.write(b.Bytes())
}

// note tells a person something beside the result.
func (a *app) note(format string, args ...any) {
	if !a.json {
		// The result matters, and it went to standard output.
		_, _ = fmt.Fprintln(a.env.Stderr, printable(fmt.Sprintf(format, args...)))
	}
}

// table aligns rows, the first of which is the heading.
func table(rows [][]string) []byte {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cell == "" {
				cell = "-"
			}
			cells[i] = oneLine(cell)
		}
		_, _ = w.Write([]byte(strings.Join(cells, "\t") + "\n")) // a Buffer takes everything
	}
	_ = w.Flush() // likewise
	return b.Bytes()
}

// fields writes "key: value" lines; those without a value are left out.
type fields struct{ b bytes.Buffer }

func (f *fields) add(key, value string) {
	if value != "" {
		fmt.Fprintf(&f.b, "%-13s %s\n", key+":", oneLine(value))
	}
}

// printable makes text safe to show on a terminal: control characters and what
// Unicode calls not printable are written as escapes. Line breaks and tabs stay,
// and so do the joiners that emoji and several scripts need.
func printable(text string) string {
	return escapeUnless(text, func(r rune) bool { return r == '\n' || r == '\t' })
}

// oneLine is printable for text that must stay on its line.
func oneLine(text string) string {
	return escapeUnless(text, func(rune) bool { return false })
}

func escapeUnless(text string, keep func(rune) bool) string {
	plain := func(r rune) bool {
		return unicode.IsPrint(r) || keep(r) || r == '\u200c' || r == '\u200d'
	}
	if utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1, r < 0x80 && !plain(r):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !plain(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(text[i : i+n])
		}
		i += n
	}
	return b.String()
}

// shellQuote writes text so that a POSIX shell reads it as one word.
func shellQuote(text string) string {
	safe := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./:=@%+,", r))
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !safe(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// isText reports whether b is UTF-8, and so may become a string in JSON.
func isText(b []byte) bool { return utf8.Valid(b) }
