package persist

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A commit that fails leaves the state before it, one that fails after it is on
// disk leaves the state after it; never a part.
func TestFailedCommitIsWholeOrNothing(t *testing.T) {
	for at, there := range map[step]bool{stepCommit: false, stepCommitted: true} {
		t.Run(string(at), func(t *testing.T) {
			dir := t.TempDir()
			failing := false
			s := openStore(t, dir, Options{faults: armed(&failing, at)})
			_, err := s.PutFunction(testFunction("f"), "", []Route{{Method: "GET", Path: "/1"}})
			noErr(t, err)
			before, err := s.Load()
			noErr(t, err)
			failing = true
			fn := testFunction("f")
			fn.MemoryMB = 999
			_, err = s.PutFunction(fn, "", []Route{{Method: "GET", Path: "/2"}, {Method: "GET", Path: "/3"}})
			wantErr(t, "PutFunction", err, errFault)
			failing = false
			closeStore(t, s)

			s = openStore(t, dir, Options{})
			after, err := s.Load()
			noErr(t, err)
			switch {
			case !there && !reflect.DeepEqual(after, before):
				t.Errorf("the failed deploy left\n%+v\nbefore it was\n%+v", after, before)
			case there && (len(after.Routes) != 3 || after.Functions[0].MemoryMB != 999):
				t.Errorf("of the committed deploy there is\n%+v", after)
			}
		})
	}
}

// armed returns faults that fail at a step while on is set.
func armed(on *bool, at step) *faults {
	return &faults{before: func(s step) error {
		if *on && s == at {
			return errFault
		}
		return nil
	}}
}

// untilCrash returns the error of fn, or what it panicked with: the fault that stands
// for a power cut.
func untilCrash(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	return fn()
}

const crashEnv = "LEDGE_TEST_CRASH_DIR"

// TestKilledWriter kills a process that deploys without end, at random moments,
// and looks for deploys that were acknowledged and lost, or are there by half.
func TestKilledWriter(t *testing.T) {
	if dir := os.Getenv(crashEnv); dir != "" {
		deployForever(dir, os.Stdout)
		return
	}
	dir := t.TempDir()
	acknowledged := map[string]string{} // function -> revision
	for round := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
		cmd.Env = append(os.Environ(), crashEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		noErr(t, err)
		noErr(t, cmd.Start())
		lines := bufio.NewScanner(out)
		stopAt := 1 + rand.IntN(60)
		for n := 0; lines.Scan(); n++ {
			if name, revision, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, "f") {
				acknowledged[name] = revision
			}
			if n == stopAt {
				cmd.Process.Kill() // what is in the pipe by then counts too
			}
		}
		cmd.Wait() // it was killed

		s := openStore(t, dir, Options{LockTimeout: 5 * time.Second})
		if s.Recovered() != "" {
			t.Fatalf("round %d: %s", round, s.Recovered())
		}
		state, err := s.Load()
		noErr(t, err)
		routes := map[string]int{}
		for _, r := range state.Routes {
			routes[r.Function]++
		}
		stored := map[string]string{}
		for _, fn := range state.Functions {
			stored[fn.Name] = fn.Tags["deploy"]
			if routes[fn.Name] != 2 {
				t.Errorf("round %d: function %s has %d routes, want 2", round, fn.Name, routes[fn.Name])
			}
		}
		for name, deploy := range acknowledged {
			// A deploy that was not acknowledged may be there; it is a later one.
			if got := stored[name]; got < deploy {
				t.Errorf("round %d: function %s has deploy %q, acknowledged was %q", round, name, got, deploy)
			}
		}
		maps.Copy(acknowledged, stored)
		closeStore(t, s)
		checkDatabase(t, dir)
	}
	if len(acknowledged) == 0 {
		t.Error("nothing was ever acknowledged")
	}
}

// deployForever deploys from several goroutines and prints each deploy that
// was acknowledged, until it is killed.
func deployForever(dir string, out io.Writer) {
	s, err := Open(dir, Options{LockTimeout: 5 * time.Second})
	if err != nil {
		panic(err)
	}
	acks := make(chan string)
	for worker := range 4 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("f%d-%d", worker, i%5)
				fn := testFunction(name)
				fn.Tags = map[string]string{"deploy": fmt.Sprint(time.Now().UnixNano())}
				_, err := s.PutFunction(fn, "", []Route{
					{Method: "GET", Path: "/" + name}, {Method: "PUT", Path: "/" + name},
				})
				if err != nil {
					panic(err)
				}
				acks <- name + " " + fn.Tags["deploy"]
			}
		}()
	}
	for ack := range acks {
		fmt.Fprintln(out, ack)
	}
}
