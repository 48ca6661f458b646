package wasmbin

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// decodeImage lays out the data segments of an image, and checks that they are
// in order and do not overlap.
func decodeImage(t testing.TB, image []byte) (memory []byte, limits Limits) {
	t.Helper()
	m, err := Parse(image)
	if err != nil {
		t.Fatalf("parse image: %v", err)
	}
	if e, ok := m.Export(MemoryExport); !ok || e.Kind != KindMemory || len(m.Exports()) != 1 || len(m.Imports()) != 0 {
		t.Fatalf("the image exports %v and imports %v", m.Exports(), m.Imports())
	}
	limits, _ = m.Memory()
	memory = make([]byte, limits.Min*PageSize)
	last := 0
	for i, s := range m.segments {
		v, err := m.evalI32(s.offset, 0)
		if err != nil {
			t.Fatal(err)
		}
		at := int(uint32(v))
		if at < last || len(s.init) == 0 {
			t.Fatalf("segment %d at %d with %d bytes is empty or out of order", i, at, len(s.init))
		}
		last = at + copy(memory[at:], s.init)
		if last != at+len(s.init) {
			t.Fatalf("segment %d ends outside the memory", i)
		}
	}
	return memory, limits
}

func TestEncodeImageRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	fill := func(memory []byte, at, n int) {
		for i := range n {
			memory[at+i] = byte(random.Uint32() | 1)
		}
	}
	for name, c := range map[string]struct {
		pages    int
		set      func(memory []byte)
		segments int
	}{
		"no pages":           {0, func([]byte) {}, 0},
		"all zero":           {3, func([]byte) {}, 0},
		"first byte":         {1, func(m []byte) { m[0] = 1 }, 1},
		"last byte":          {2, func(m []byte) { m[len(m)-1] = 1 }, 1},
		"full":               {2, func(m []byte) { fill(m, 0, len(m)) }, 1},
		"neighbouring pages": {1, func(m []byte) { m[4095], m[4096] = 1, 1 }, 1},
		"a page between":     {1, func(m []byte) { m[4095], m[8192] = 1, 1 }, 2},
		"trailing zeros":     {9, func(m []byte) { fill(m, 5000, 30000) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			memory := make([]byte, c.pages*PageSize)
			c.set(memory)
			image, err := EncodeImage(memory, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, limits := decodeImage(t, image)
			if !bytes.Equal(got, memory) || limits != (Limits{Min: uint64(c.pages)}) {
				t.Errorf("the image has other content, or limits %v", limits)
			}
			m, err := Parse(image)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.segments) != c.segments {
				t.Errorf("%d segments, want %d", len(m.segments), c.segments)
			}
			if cap(image) > len(image)+256 {
				t.Errorf("%d bytes were allocated for an image of %d", cap(image), len(image))
			}
		})
	}
}

func TestEncodeImageLimits(t *testing.T) {
	pages := func(n uint32) *uint32 { return &n }
	image, err := EncodeImage(make([]byte, 2*PageSize), pages(7))
	if err != nil {
		t.Fatal(err)
	}
	if _, limits := decodeImage(t, image); limits != (Limits{Min: 2, Max: 7, HasMax: true}) {
		t.Errorf("limits %v, want 2..7", limits)
	}
	for want, c := range map[string]struct {
		size int
		max  *uint32
	}{
		"whole number of pages": {PageSize + 1, nil},
		"more than the maximum": {2 * PageSize, pages(1)},
	} {
		if _, err := EncodeImage(make([]byte, c.size), c.max); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

// TestJoinRunsCount has a limit of segments that a real memory reaches only at
// 800 MiB, so it starts from runs and not from their content.
func TestJoinRunsCount(t *testing.T) {
	const n = maxDataSegments + 5000
	memory := make([]byte, 3*n+10)
	runs := make([]run, n)
	for i := range runs {
		at := 3*i + i%2 // gaps of 3 and 1 bytes in turn
		memory[at] = byte(i) | 1
		runs[i] = run{at, memory[at : at+1]}
	}
	joined := joinRuns(memory, runs)
	if len(joined) != maxDataSegments {
		t.Fatalf("%d runs are left, want %d", len(joined), maxDataSegments)
	}
	// Only the small gaps are worth filling, at one byte each.
	if got, want := dataSize(joined), n+5000; got != want {
		t.Errorf("the runs hold %d bytes, want %d", got, want)
	}
	laidOut, last := make([]byte, len(memory)), -1
	for _, r := range joined {
		if r.at <= last {
			t.Fatalf("the run at %d is out of order or overlaps", r.at)
		}
		copy(laidOut[r.at:], r.data)
		last = r.end() - 1
	}
	if !bytes.Equal(laidOut, memory) {
		t.Error("joining changed the content")
	}
}

// TestJoinRunsPadding has three bytes in 40 MB: half of that is enough.
func TestJoinRunsPadding(t *testing.T) {
	memory := make([]byte, 40<<20)
	memory[0], memory[10<<20], memory[len(memory)-1] = 1, 2, 3
	runs := joinRuns(memory, contentRuns(memory))
	n, enough := dataSize(runs), len(memory)/2+rangeSlack
	if n < enough || n >= enough+imagePage {
		t.Errorf("the runs hold %d bytes, want %d, rounded up to a page", n, enough)
	}
	if len(runs) != 2 {
		t.Errorf("%d runs, want the smaller gap filled and the larger one in part", len(runs))
	}
}

// TestEncodeImageStaysCopyOnWrite compiles images of memories with two islands
// of content. Where wasmtime maps the image, the compiled artifact holds all of
// the range between them; where it would copy, only the content.
func TestEncodeImageStaysCopyOnWrite(t *testing.T) {
	engine := wasmtime.NewEngine()
	for _, c := range []struct {
		megabytes int
		mapped    bool
	}{
		{8, true}, {16, true}, {17, true}, {40, true}, {64, true}, {80, false},
	} {
		t.Run(fmt.Sprint(c.megabytes, "MB"), func(t *testing.T) {
			memory := make([]byte, c.megabytes<<20)
			memory[0], memory[len(memory)/3], memory[len(memory)-1] = 1, 2, 3
			image, err := EncodeImage(memory, nil)
			if err != nil {
				t.Fatal(err)
			}
			artifact, err := compile(t, engine, image).Serialize()
			if err != nil {
				t.Fatal(err)
			}
			if mapped := len(artifact) >= len(memory); mapped != c.mapped {
				t.Errorf("mapped is %v, want %v: image of %d bytes, artifact of %d", mapped, c.mapped, len(image), len(artifact))
			}
			if !c.mapped && len(image) > 3*imagePage+200 {
				t.Errorf("an image that is not worth padding takes %d bytes", len(image))
			}
			if got, _ := decodeImage(t, image); !bytes.Equal(got, memory) {
				t.Error("the image has other content")
			}
		})
	}
}

func BenchmarkEncodeImage(b *testing.B) {
	memory := make([]byte, 32<<20)
	for at := 0; at < len(memory); at += 3 * imagePage { // a third of the pages
		memory[at+imagePage-1] = 1
	}
	b.SetBytes(int64(len(memory)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := EncodeImage(memory, nil); err != nil {
			b.Fatal(err)
		}
	}
}
