package cli

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
)

func TestParseAWSFile(t *testing.T) {
	type sections = map[string]map[string]string
	for _, c := range []struct {
		name, text string
		want       sections
		line       int // of the error
		why        string
	}{
		{name: "empty", text: "", want: sections{}},
		{name: "both kinds of headings", text: "[default]\nregion=us-east-1\n\n[profile edge]\nendpoint_url = http://gw:9000 \r\n",
			want: sections{"default": {"region": "us-east-1"}, "profile edge": {"endpoint_url": "http://gw:9000"}}},
		{name: "comments", text: "# a\n; b\n[ profile \t x ] ; c\nA=1 # d\nb=1#2;3\nc=#\nd= # e\n",
			want: sections{"profile x": {"a": "1", "b": "1#2;3", "c": "#", "d": "# e"}}},
		{name: "nested settings are left out", text: "[x]\ns3 =\n  region = inner\n\tregion = inner\n region = continued\nregion = outer\n",
			want: sections{"x": {"s3": "", "region": "outer"}}},
		{name: "the later value wins", text: "[x]\na=1\n[y]\na=2\n[x]\na=3\nb=4", want: sections{"x": {"a": "3", "b": "4"}, "y": {"a": "2"}}},
		{name: "values keep what they hold", text: "[x]\nk = a=b/+c==\n", want: sections{"x": {"k": "a=b/+c=="}}},
		{name: "byte order mark", text: "\ufeff[x]\n", want: sections{"x": {}}},
		{name: "no section", text: "# c\na=1\n", line: 2, why: "after a [section]"},
		{name: "no =", text: "[x]\nsecret\n", line: 2, why: "neither"},
		{name: "no name", text: "[x]\n= 1\n", line: 2, why: "no name"},
		{name: "open heading", text: "[x\n", line: 1, why: "] of a section is missing"},
		{name: "heading without a name", text: "\n[ ]\n", line: 2, why: "needs a name"},
		{name: "something behind", text: "[x] y\n", line: 1, why: "behind the ]"},
		{name: "not text", text: "[\xff]\n", line: 1, why: "not UTF-8"},
		{name: "too large", text: strings.Repeat("#", maxAWSFileBytes+1), line: 1, why: "larger than 1.0 MB"},
		{name: "too many lines", text: strings.Repeat("\n", maxAWSFileLines), line: maxAWSFileLines + 1, why: "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseAWSFile(c.text)
			if c.why == "" {
				if err != nil || !reflect.DeepEqual(got, c.want) {
					t.Errorf("got %q, %v", got, err)
				}
				return
			}
			var bad *awsFileError
			if !errors.As(err, &bad) || bad.Line != c.line || !strings.Contains(bad.Why, c.why) {
				t.Errorf("got %v, want line %d: ...%s...", err, c.line, c.why)
			}
		})
	}
}

// What a file has is found again after it was written anew from what was read,
// and no error quotes what may be a secret.
func FuzzParseAWSFile(f *testing.F) {
	for _, text := range []string{
		"", "[default]\naws_access_key_id = AKIA\naws_secret_access_key = a/b+c=\n", "[profile a b]\r\nx=1 #2\n  nested = 3\n",
		"[x\n", "[x] y\n", "a=1\n", "[x]\n=\n", ";\n#\n[ ]", "\ufeff[x]\na=\n", "[x]\nhunter2\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sections, err := parseAWSFile(text)
		if err != nil {
			var bad *awsFileError
			if !errors.As(err, &bad) || bad.Line < 1 || bad.Line > maxAWSFileLines+1 || len(err.Error()) > 100 {
				t.Fatalf("error %v", err)
			}
			return
		}
		var again strings.Builder
		for heading, settings := range sections {
			again.WriteString("[" + heading + "]\n")
			for name, value := range settings {
				if strings.ContainsRune("[#; \t", rune(name[0])) || strings.ContainsAny(name+value, "\r\n") {
					return // a name that begins so is none when it is written alone
				}
				again.WriteString(name + " = " + value + "\n")
			}
		}
		if again.Len() > maxAWSFileBytes {
			return
		}
		second, err := parseAWSFile(again.String())
		if err != nil || !maps.EqualFunc(sections, second, func(a, b map[string]string) bool { return maps.Equal(a, b) }) {
			t.Fatalf("%q was read as %q, and that as %q, %v", text, sections, second, err)
		}
	})
}
