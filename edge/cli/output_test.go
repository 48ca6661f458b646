package cli

import (
	"strings"
	"testing"
	"unicode"
)

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KB", 10 << 10: "10 KB", 1<<20 - 1: "1.0 MB", 1 << 20: "1.0 MB",
		50 << 20: "50 MB", 250 << 20: "250 MB", 3 << 29: "1.5 GB", 1 << 50: "1024 TB",
	} {
		if got := formatSize(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestFormatMillis(t *testing.T) {
	for ms, want := range map[float64]string{0: "0 ms", 0.123: "0.12 ms", 1.26: "1.3 ms", 41.7: "42 ms", 1640: "1.6 s"} {
		if got := formatMillis(ms); got != want {
			t.Errorf("%v: got %s, want %s", ms, got, want)
		}
	}
}

func TestTableKeepsRowsTogether(t *testing.T) {
	got := string(table([][]string{{"A", "B"}, {"x\ty\n", ""}, {"é", "z"}}))
	const want = "A        B\nx\\x09y\\x0a  -\né        z\n"
	if strings.Count(got, "\n") != 3 || !strings.Contains(got, `x\x09y\x0a  -`) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"memroy": "memory", "memor": "memory", "xyz": "", "": "", "rout": "route"} {
		if got := nearest(word, []string{"memory", "route", "timeout", "f"}); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func replaceNode(text, node string) string { return strings.ReplaceAll(text, "NODE", node) }

func FuzzOneLine(f *testing.F) {
	for _, seed := range []string{"", "plain", "\x1b]0;title\x07", "\xff\xfe", "é\u202e\u200d", "a\nb\tc\r"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range oneLine(text) {
			if !unicode.IsPrint(r) && r != '\u200c' && r != '\u200d' {
				t.Fatalf("%q: %U came through", text, r)
			}
		}
		for _, r := range printable(text) {
			if !unicode.IsPrint(r) && !strings.ContainsRune("\n\t\u200c\u200d", r) {
				t.Fatalf("%q: %U came through", text, r)
			}
		}
	})
}
