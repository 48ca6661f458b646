package cli

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseTOML(t *testing.T) {
	const text = "# a page of settings\r\n" +
		"\n" +
		"http = \":80\" # a comment\n" +
		"  path='C:\\no # comment'  \n" +
		"quoted=\"a\\\"b\\\\c\\n\\u00e9\\U0001F600\"\n" +
		"big = 1_000_000\n" +
		"half = 0.5#close\n" +
		"on = true\noff=false"
	want := []tomlEntry{
		{3, "http", ":80", kindText},
		{4, "path", `C:\no # comment`, kindText},
		{5, "quoted", "a\"b\\c\né😀", kindText},
		{6, "big", "1000000", kindNumber},
		{7, "half", "0.5", kindNumber},
		{8, "on", "true", kindBool},
		{9, "off", "false", kindBool},
	}
	got, err := parseTOML(text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseTOMLErrors(t *testing.T) {
	for text, want := range map[string]string{
		"\n[table]":               "line 2: tables are not used here; write key = value",
		"a":                       "line 1: expected key = value",
		"= 1":                     `line 1: "" is not a key; use letters, digits, - and _`,
		"a.b = 1":                 `line 1: "a.b" is not a key; use letters, digits, - and _`,
		"a =":                     "line 1: a has no value",
		"a = # 1":                 "line 1: a has no value",
		"a = yes":                 `line 1: "yes" is not a value; put text in quotes`,
		"a = 01":                  `line 1: "01" is not a value; put text in quotes`,
		"a = 1__0":                `line 1: "1__0" is not a value; put text in quotes`,
		"a = 1.":                  `line 1: "1." is not a value; put text in quotes`,
		"a = -1":                  `line 1: "-1" is not a value; put text in quotes`,
		"a = 2026-11-23":          `line 1: "2026-11-23" is not a value; put text in quotes`,
		"a = [1]":                 "line 1: lists and tables are not used here",
		"a = {b=1}":               "line 1: lists and tables are not used here",
		`a = "open`:               `line 1: the text has no closing "`,
		"a = 'open":               "line 1: the text has no closing '",
		`a = "\x"`:                "line 1: unknown escape in text; use '...' for text with backslashes",
		`a = "\ud800"`:            "line 1: unknown escape in text; use '...' for text with backslashes",
		`a = "\`:                  "line 1: unknown escape in text; use '...' for text with backslashes",
		"a = \"\x07\"":            "line 1: the text holds a control character",
		"a = '\x07'":              "line 1: the text holds a control character",
		`a = """x"""`:             "line 1: text over several lines is not used here",
		`a = "x" y`:               `line 1: "y" follows the value; start comments with #`,
		"a = 1\n\na = 2":          "line 3: a is set twice, first in line 1",
		"a = '\xff'":              "line 1: the file is not UTF-8 text",
		strings.Repeat("\n", 1e4): "line 1001: more than 1000 lines",
		strings.Repeat(" ", 1e5):  "line 1: the file is larger than 64 KB",
	} {
		_, err := parseTOML(text)
		var bad *tomlError
		if !errors.As(err, &bad) || err.Error() != want {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzParseTOML(f *testing.F) {
	for _, seed := range []string{
		"", "http = ':80'\n", "a = \"\\u00e9\" # c\r\nb = 1_0.5", "a=true\na=false", "[x]", "a = \"\\", "a='", "\xff", "a = \"\\U00110000\"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := parseTOML(text)
		lines := strings.Count(text, "\n") + 1
		var bad *tomlError
		if err != nil && (!errors.As(err, &bad) || bad.Line < 1 || bad.Line > lines || bad.Why == "" || entries != nil) {
			t.Fatalf("got %v and %d entries", err, len(entries))
		}
		last := 0
		for _, e := range entries {
			if e.Key == "" || e.Line <= last || e.Line > lines {
				t.Fatalf("got %+v after line %d of %d", e, last, lines)
			}
			last = e.Line
			if _, err := parseDecimal(e.Value); e.Kind == kindNumber && err != nil {
				t.Fatalf("%q is no number", e.Value)
			}
			// What it read it reads again from a literal string, where one can hold it.
			if e.Kind == kindText && !strings.ContainsAny(e.Value, "'") && !hasControl(e.Value) {
				again, err := parseTOML(e.Key + " = '" + e.Value + "'")
				if err != nil || len(again) != 1 || again[0].Value != e.Value {
					t.Fatalf("%q: read again %+v, %v", e.Value, again, err)
				}
			}
		}
	})
}
