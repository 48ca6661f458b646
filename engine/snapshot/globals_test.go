package snapshot

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"ledge/engine/wasmbin"
)

func sample() []Global {
	return []Global{
		{"ledge:global:0", wasmbin.I32, [16]byte{1, 2, 3, 0xff}},
		{"ledge:global:7", wasmbin.I64, [16]byte{7: 0x80}},
		{"", wasmbin.F32, [16]byte{0, 0, 0xc0, 0x7f}},
		{strings.Repeat("n", MaxNameLength), wasmbin.F64, [16]byte{}},
		{"wide", wasmbin.V128, [16]byte{0: 1, 15: 2}},
	}
}

func TestGlobalsRoundTrip(t *testing.T) {
	for _, globals := range [][]Global{nil, sample(), sample()[:1]} {
		prefix := []byte("before")
		b, err := AppendGlobals(prefix, globals)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, prefix) {
			t.Fatal("what was there before is gone")
		}
		got, err := ParseGlobals(b[len(prefix):])
		if err != nil {
			t.Fatal(err)
		}
		clear(b) // the result must not depend on it
		if !slices.Equal(got, globals) {
			t.Errorf("got %v, want %v", got, globals)
		}
	}
}

func TestAppendGlobalsRefuses(t *testing.T) {
	for want, globals := range map[string][]Global{
		"longer than 256":     {{Name: strings.Repeat("n", MaxNameLength+1), Kind: wasmbin.I32}},
		"not a type":          {{Name: "ref", Kind: wasmbin.FuncRef}},
		"past the 4 bytes":    {{Name: "i", Kind: wasmbin.I32, Bits: [16]byte{4: 1}}},
		"more than 65536":     make([]Global, MaxGlobals+1),
		"type(0x0) is not a ": {{Name: "zero"}},
	} {
		if b, err := AppendGlobals(nil, globals); err == nil || b != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

func TestParseGlobalsDamaged(t *testing.T) {
	good, err := AppendGlobals(nil, sample())
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := ParseGlobals(good[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("cut at %d: error %v, want ErrFormat", n, err)
		}
	}
	for want, b := range map[string][]byte{
		"version 2":         append([]byte{2}, good[1:]...),
		"1 bytes too many":  append(slices.Clone(good), 0),
		"cannot fit":        {1, 0xff, 0xff, 0xff, 0xff},
		"type(0x1) is not":  {1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0},
		"longer than 256":   {1, 1, 0, 0, 0, 1, 1, 0x7f, 0, 0, 0, 0},
		"entry 0: truncate": {1, 1, 0, 0, 0, 0, 0, 0x7e, 0, 0, 0, 0},
	} {
		if _, err := ParseGlobals(b); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want ErrFormat that says %q", err, want)
		}
	}
}

// FuzzParseGlobals: what is read must be written back as it was.
func FuzzParseGlobals(f *testing.F) {
	for _, globals := range [][]Global{nil, sample(), sample()[1:2]} {
		b, err := AppendGlobals(nil, globals)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{1, 0xff, 0xff, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		globals, err := ParseGlobals(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("error %v does not wrap ErrFormat", err)
			}
			return
		}
		again, err := AppendGlobals(nil, globals)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("% x was written back as % x", b, again)
		}
	})
}
