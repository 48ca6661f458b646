package wasmbin

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// reactor is a program whose initialisation leaves state in a map, in a
// goroutine's stack and in the Go runtime's heap and globals.
const reactor = `package main

var counters = map[string]int64{}
var ask, answer = make(chan int64), make(chan int64)

func init() {
	for i := range 1000 {
		counters[string(rune('a'+i%26))] += int64(i)
	}
	go func() {
		total := int64(1000)
		for n := range ask {
			total += n
			answer <- total
		}
	}()
	ask <- 1
	<-answer
}

//go:wasmexport next
func next() int64 {
	counters["a"]++
	garbage := make([][]byte, 0)
	for range 100 {
		garbage = append(garbage, make([]byte, 1000))
	}
	ask <- int64(len(garbage))
	return counters["a"]*1000000 + <-answer
}

func main() {}
`

// TestSplitGoReactor splits what the Go compiler makes: eight mutable globals,
// a memory that grows while it initialises, and a runtime that would not forgive
// a byte out of place.
func TestSplitGoReactor(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(reactor), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", "reactor.wasm", "main.go")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GO111MODULE=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	wasm, err := os.ReadFile(filepath.Join(dir, "reactor.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := m.Export("_initialize"); !ok || e.Type != "()->()" {
		t.Errorf("_initialize is %v", e)
	}
	for _, i := range m.Imports() {
		if i.Module != "wasi_snapshot_preview1" || i.Kind != KindFunc {
			t.Errorf("unexpected import %v", i)
		}
	}
	// No comparison of whole memories: two runs of Go draw other hash seeds.
	p, err := m.Split()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Globals) < 2 {
		t.Errorf("only %d mutable globals found", len(p.Globals))
	}
	engine := wasmtime.NewEngine()
	code := compile(t, engine, p.Code)
	first := newMachine(t, engine, code, compile(t, engine, p.Image))
	if got := first.call(t, "_initialize"); got != "<nil>" {
		t.Fatalf("_initialize: %s", got)
	}
	memory, globals := first.capture(p)
	// 19266 is the sum of 0, 26, 52 ... 988, which init left under "a".
	for _, m := range []machine{first, restore(t, engine, code, p, memory, globals), restore(t, engine, code, p, memory, globals)} {
		for _, want := range []string{"19267001101", "19268001201", "19269001301"} {
			if got := m.call(t, "next"); got != want {
				t.Errorf("next gives %s, want %s", got, want)
			}
		}
	}
}
