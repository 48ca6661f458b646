package persist

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// A transaction over buckets and its changes are all there, or none of them.
func TestFailedDataCommitIsWholeOrNothing(t *testing.T) {
	for at, there := range map[step]bool{stepCommit: false, stepCommitted: true} {
		t.Run(string(at), func(t *testing.T) {
			dir, failing, clock := t.TempDir(), false, newDataClock()
			options := clock.options()
			options.faults = armed(&failing, at)
			s := openStore(t, dir, options)
			for _, name := range []string{"a", "b"} {
				_, err := s.Data().PutBucket(DataBucket{Name: name, Stream: true})
				noErr(t, err)
			}
			s.Data().must(t, Write{Bucket: "a", Key: "k", Value: []byte("1")}, Write{Bucket: "a", Key: "gone", TTL: time.Second})
			failing = true
			_, err := s.Data().Write(Origin{}, []Write{
				{Bucket: "a", Key: "k", Value: []byte("2")}, {Bucket: "b", Key: "k", Value: []byte("2"), TTL: time.Hour},
				{Bucket: "c", Key: "k", Value: []byte("2")}, {Bucket: "a", Key: "gone", Kind: WriteDelete},
			})
			wantErr(t, "Write", err, errFault)
			failing = false
			closeStore(t, s)

			s = openStore(t, dir, clock.options())
			d := s.Data()
			a, b, other := "INSERT k >1, INSERT gone >", "", []byte(nil)
			value := "1"
			if there {
				a, b, value, other = a+", MODIFY k 1>2, REMOVE gone >", "INSERT k >2", "2", []byte("2")
			}
			d.holds(t, "a", "k", []byte(value))
			for _, bucket := range []string{"b", "c"} {
				d.holds(t, bucket, "k", other)
			}
			if gotA, gotB := changesOf(t, s, "a"), changesOf(t, s, "b"); gotA != a || gotB != b {
				t.Errorf("the changes are %q and %q, want %q and %q", gotA, gotB, a, b)
			}
			checkData(t, s)
		})
	}
}

// TestKilledData kills a process that moves numbers between buckets, at random
// moments. What was acknowledged must be there; the buckets must agree with each
// other, and each with the log of its changes.
func TestKilledData(t *testing.T) {
	if dir := os.Getenv(crashEnv); dir != "" {
		moveForever(dir, os.Stdout)
		return
	}
	dir := t.TempDir()
	total := int64(0)
	for round := range 10 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledData$")
		cmd.Env = append(os.Environ(), crashEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		noErr(t, err)
		noErr(t, cmd.Start())
		lines := bufio.NewScanner(out)
		stopAt := 1 + rand.IntN(200)
		acknowledged := int64(0)
		for n := 0; lines.Scan(); n++ {
			moved, err := strconv.ParseInt(lines.Text(), 10, 64)
			noErr(t, err)
			acknowledged = max(acknowledged, moved)
			if n == stopAt {
				cmd.Process.Kill() // what is in the pipe by then counts too
			}
		}
		cmd.Wait() // it was killed

		s := openStore(t, dir, Options{LockTimeout: 5 * time.Second})
		if s.Recovered() != "" {
			t.Fatalf("round %d: %s", round, s.Recovered())
		}
		checkData(t, s)
		var sums [2]int64
		for i, bucket := range []string{"from", "to"} {
			items, _, err := s.Data().List(bucket, Range{})
			noErr(t, err)
			replayed := map[string]string{}
			last := uint64(0)
			for more := true; more; {
				var changes []Change
				changes, more, err = s.Changes(bucket, last, 500, 1<<20)
				noErr(t, err)
				for _, c := range changes {
					if c.Sequence != last+1 || string(c.Old) != replayed[c.Key] {
						t.Fatalf("round %d: change %d of %s follows on %d, from %q to %q where %q was", round, c.Sequence, bucket, last, c.Old, c.New, replayed[c.Key])
					}
					last, replayed[c.Key] = c.Sequence, string(c.New)
				}
			}
			for _, item := range items {
				n, err := strconv.ParseInt(string(item.Value), 10, 64)
				noErr(t, err)
				sums[i] += n
				if replayed[item.Key] != string(item.Value) {
					t.Errorf("round %d: %s of %s is %s, its changes make it %q", round, item.Key, bucket, item.Value, replayed[item.Key])
				}
			}
			if len(items) != len(replayed) {
				t.Errorf("round %d: %s has %d keys, its changes %d", round, bucket, len(items), len(replayed))
			}
		}
		if sums[0] != -sums[1] || sums[1] < total+acknowledged {
			t.Errorf("round %d: moved were %d from and %d to, acknowledged were %d after %d", round, sums[0], sums[1], acknowledged, total)
		}
		total = sums[1]
		closeStore(t, s)
		checkDatabase(t, dir)
	}
	t.Logf("%d moves are there", total)
	if total == 0 {
		t.Error("nothing was ever acknowledged")
	}
}

// moveForever moves numbers from one bucket to the other and prints how many moves
// were acknowledged, until it is killed.
func moveForever(dir string, out io.Writer) {
	s, err := Open(dir, Options{LockTimeout: 5 * time.Second})
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	check(err)
	for _, name := range []string{"from", "to"} {
		_, err := s.Data().PutBucket(DataBucket{Name: name, Stream: true})
		check(err)
	}
	acks := make(chan struct{})
	for worker := range 4 {
		go func() {
			for {
				key := fmt.Sprint(worker % 3)
				_, err := s.Data().Write(Origin{}, []Write{
					{Bucket: "from", Key: key, Kind: WriteIncrement, By: -1}, {Bucket: "to", Key: key, Kind: WriteIncrement, By: 1},
				})
				check(err)
				acks <- struct{}{}
			}
		}()
	}
	moved := 0
	for range acks {
		moved++
		fmt.Fprintln(out, moved)
	}
}
