package persist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func openLogs(t testing.TB, dir string, opts LogOptions) *Logs {
	t.Helper()
	l, err := OpenLogs(dir, opts)
	noErr(t, err)
	return l
}

// readTexts returns the texts of the records that match.
func readTexts(t testing.TB, l *Logs, q Query) []string {
	t.Helper()
	var texts []string
	noErr(t, l.Read(t.Context(), q, func(r Record) error {
		texts = append(texts, string(r.Text))
		return nil
	}))
	return texts
}

func wantTexts(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprintf("%.40q", got) != fmt.Sprintf("%.40q", want) {
		t.Errorf("%s:\ngot  %.40q\nwant %.40q", what, got, want)
	}
}

var epoch = time.Unix(1_700_000_000, 123)

func TestLogRecordsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	l := openLogs(t, dir, LogOptions{})
	want := []Record{
		{epoch, "f", "$LATEST", "id-1", []byte("one\n")},
		{epoch.Add(time.Second), "g", "7", "id-2", []byte("two\nlines")},
		{epoch.Add(2 * time.Second), "f", "", "", []byte("\xf5LG\n\x00\xff")},
	}
	for _, r := range want {
		l.Append(r.Function, r.Version, r.RequestID, r.At, r.Text)
	}
	l.Append("f", "", "", epoch, nil) // nothing to log
	read := func(when string) {
		t.Helper()
		var got []Record
		noErr(t, l.Read(t.Context(), Query{}, func(r Record) error { got = append(got, r); return nil }))
		for i := range got {
			if i < len(want) && got[i].At.Equal(want[i].At) {
				got[i].At = want[i].At
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", when, got, want)
		}
	}
	read("before it is written")
	noErr(t, l.Close())
	read("after Close")
	written := l.BytesWritten()
	info, err := os.Stat(filepath.Join(dir, "logs", "00000000.log"))
	noErr(t, err)
	if info.Size() != written {
		t.Errorf("BytesWritten is %d, the file has %d", written, info.Size())
	}
	l = openLogs(t, dir, LogOptions{})
	read("after a restart")
	l.Append("h", "", "", epoch, []byte("later"))
	noErr(t, l.Close())
	wantTexts(t, "all", readTexts(t, l, Query{}), "one\n", "two\nlines", "\xf5LG\n\x00\xff", "later")
	if files, err := os.ReadDir(filepath.Join(dir, "logs")); err != nil || len(files) != 1 {
		t.Errorf("a restart began another segment: %v, %v", files, err)
	}
}

func TestLogQuery(t *testing.T) {
	l := openLogs(t, t.TempDir(), LogOptions{})
	defer l.Close()
	for i := range 10 {
		l.Append([]string{"even", "odd"}[i%2], "", "", epoch.Add(time.Duration(i)*time.Second), fmt.Append(nil, i))
	}
	at := func(i int) time.Time { return epoch.Add(time.Duration(i) * time.Second) }
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{}, "0 1 2 3 4 5 6 7 8 9"},
		{Query{Function: "odd"}, "1 3 5 7 9"},
		{Query{Function: "none"}, ""},
		{Query{Since: at(7)}, "7 8 9"},
		{Query{Until: at(3)}, "0 1 2"},
		{Query{Since: at(2), Until: at(7), Function: "even"}, "2 4 6"},
		{Query{Limit: 3}, "7 8 9"},
		{Query{Limit: 3, Until: at(5)}, "2 3 4"},
		{Query{Limit: 2, Function: "even"}, "6 8"},
		{Query{Limit: 100}, "0 1 2 3 4 5 6 7 8 9"},
		{Query{Limit: 1, Function: "none"}, ""},
	} {
		if got := strings.Join(readTexts(t, l, c.q), " "); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.q, got, c.want)
		}
	}
	errStop := errors.New("stop")
	wantErr(t, "error of the callback", l.Read(t.Context(), Query{}, func(Record) error { return errStop }), errStop)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "cancelled", l.Read(ctx, Query{}, func(Record) error { return nil }), context.Canceled)
}

func TestLongTextIsSplitAfterLines(t *testing.T) {
	l := openLogs(t, t.TempDir(), LogOptions{})
	defer l.Close()
	line := strings.Repeat("x", 999) + "\n"
	text := strings.Repeat(line, 200) + strings.Repeat("y", maxTextFrame+5)
	l.Append(strings.Repeat("f", 300), "", "", epoch, []byte(text))
	got := readTexts(t, l, Query{})
	if strings.Join(got, "") != text {
		t.Error("the pieces are not the text")
	}
	for _, piece := range got[:3] {
		if !strings.HasSuffix(piece, "\n") || len(piece) > maxTextFrame {
			t.Errorf("a piece of %d bytes ends with %q", len(piece), piece[len(piece)-1:])
		}
	}
}

func TestOldSegmentsAreDropped(t *testing.T) {
	dir := t.TempDir()
	opts := LogOptions{SegmentBytes: 1000, Segments: 3, FlushBytes: 1}
	l := openLogs(t, dir, opts)
	text := strings.Repeat("t", 300) // three to a segment
	for i := range 20 {
		l.Append("f", "", "", epoch, fmt.Appendf(nil, "%02d%s", i, text))
	}
	noErr(t, l.Close())
	var got []string
	for _, text := range readTexts(t, l, Query{}) {
		got = append(got, text[:2])
	}
	wantTexts(t, "left", got, "12", "13", "14", "15", "16", "17", "18", "19")
	var sizes []int64
	files, err := os.ReadDir(filepath.Join(dir, "logs"))
	noErr(t, err)
	for _, f := range files {
		info, err := f.Info()
		noErr(t, err)
		sizes = append(sizes, info.Size())
		if info.Size() > opts.SegmentBytes {
			t.Errorf("%s has %d bytes", f.Name(), info.Size())
		}
	}
	if len(sizes) != 3 {
		t.Errorf("%d segments of %v bytes", len(sizes), sizes)
	}
}

func TestFullQueueDropsAndSaysSo(t *testing.T) {
	// The disk hangs until the queue has overflowed.
	release := make(chan struct{})
	l := openLogs(t, t.TempDir(), LogOptions{QueueBytes: 1000, FlushBytes: 1, faults: &faults{before: func(s step) error {
		<-release
		return nil
	}}})
	const n = 100
	for i := range n {
		l.Append("f", "", "", epoch, fmt.Append(nil, i)) // never blocks
	}
	close(release)
	noErr(t, l.Close())
	kept, said := 0, 0
	noErr(t, l.Read(t.Context(), Query{}, func(r Record) error {
		if r.Function == "f" {
			kept++
			return nil
		}
		var lost, size int
		_, err := fmt.Sscanf(string(r.Text), "%d log records with %d bytes were dropped", &lost, &size)
		said += lost
		return err
	}))
	if kept == 0 || kept == n || kept+said != n {
		t.Errorf("of %d records %d were kept and %d were said to be dropped", n, kept, said)
	}
}

func TestFullDisk(t *testing.T) {
	for _, at := range []step{stepLogWrite, stepLogCreate} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			var full atomic.Bool
			full.Store(true)
			l := openLogs(t, dir, LogOptions{FlushBytes: 1, faults: &faults{before: func(s step) error {
				if s == at && full.Load() {
					return errFault
				}
				return nil
			}}})
			for i := range 50 {
				l.Append("f", "", "", epoch, fmt.Append(nil, "lost", i))
				synctest.Wait() // it is lost alone, and so is the note about those before
			}
			wantErr(t, "Err", l.Err(), errFault)
			full.Store(false)
			l.Append("f", "", "", epoch, []byte("kept"))
			noErr(t, l.Close())
			wantTexts(t, "after the disk has room", readTexts(t, l, Query{}), "kept",
				"50 log records with 290 bytes were dropped: the disk was full or too slow\n")
			l = openLogs(t, dir, LogOptions{})
			if got := readTexts(t, l, Query{Function: "f"}); len(got) != 1 {
				t.Errorf("after a restart: %q", got)
			}
			noErr(t, l.Close())
		})
	}
}

func TestFaultsOfSegments(t *testing.T) {
	for _, at := range []step{stepLogCreate, stepLogWrite, stepLogDrop, stepLogSync} {
		t.Run(string(at), func(t *testing.T) {
			dir := t.TempDir()
			reached := 0
			l := openLogs(t, dir, LogOptions{SegmentBytes: 200, Segments: 2, faults: &faults{before: func(s step) error {
				if s == at {
					if reached++; reached == 2 {
						return errFault
					}
				}
				return nil
			}}})
			for i := range 40 {
				l.Append("f", "", "", epoch, fmt.Appendf(nil, "%02d%s", i, strings.Repeat("x", 40)))
			}
			l.Close() // it may return the fault, or a later success hides it
			for _, logs := range []*Logs{l, openLogs(t, dir, LogOptions{})} {
				last := ""
				for _, text := range readTexts(t, logs, Query{Function: "f"}) {
					if text <= last || len(text) != 42 {
						t.Errorf("%q after %q", text, last)
					}
					last = text
				}
				if !strings.HasPrefix(last, "39") {
					t.Errorf("the newest is %q", last)
				}
				logs.Close()
			}
			if reached < 2 {
				t.Error("the step was not reached")
			}
		})
	}
}

func TestTornAndDamagedSegments(t *testing.T) {
	dir := t.TempDir()
	l := openLogs(t, dir, LogOptions{})
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("record %02d %s", i, strings.Repeat("z", i)))
		l.Append("f", "1", "id", epoch, []byte(want[i]))
	}
	noErr(t, l.Close())
	path := filepath.Join(dir, "logs", "00000000.log")
	good, err := os.ReadFile(path)
	noErr(t, err)

	// Cut anywhere: the whole records before the cut are there, and so is what
	// is logged later.
	for cut := 0; cut <= len(good); cut += 7 {
		noErr(t, os.WriteFile(path, good[:cut], 0o600))
		l := openLogs(t, dir, LogOptions{})
		l.Append("f", "1", "id", epoch, []byte("after"))
		noErr(t, l.Close())
		got := readTexts(t, openClosed(t, dir), Query{})
		n := len(got) - 1
		if n < 0 || got[n] != "after" {
			t.Fatalf("cut at %d: the newest of %d is missing", cut, n)
		}
		whole := wholeFrames(good[:cut], int64(cut))
		if count := countFrames(good[:whole]); n != int(count.records) {
			t.Fatalf("cut at %d: %d records, want %d", cut, n, count.records)
		}
		wantTexts(t, fmt.Sprintf("cut at %d", cut), got[:n], want[:n]...)
	}
	// Damage anywhere costs at most the records that it touches.
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		b := bytes.Clone(good)
		from := random.IntN(len(b))
		size := min(1+random.IntN(100), len(b)-from)
		for i := range size {
			b[from+i] = byte(random.Uint32())
		}
		noErr(t, os.WriteFile(path, b, 0o600))
		got := readTexts(t, openClosed(t, dir), Query{})
		before := int(countFrames(good[:wholeFrames(good, int64(from))]).records)
		after := 0
		for n := 0; n < len(good); {
			_, size2, _ := nextFrame(good[n:])
			if n >= from+size {
				after++
			}
			n += size2
		}
		if len(got) < before+after {
			t.Fatalf("damage of %d bytes at %d left %d records, want %d and %d", size, from, len(got), before, after)
		}
		wantTexts(t, "before the damage", got[:before], want[:before]...)
		wantTexts(t, "after the damage", got[len(got)-after:], want[len(want)-after:]...)
	}
}

// openClosed returns logs that only read.
func openClosed(t testing.TB, dir string) *Logs {
	l := openLogs(t, dir, LogOptions{})
	noErr(t, l.Close())
	return l
}

func TestFollow(t *testing.T) {
	l := openLogs(t, t.TempDir(), LogOptions{})
	for i := range 5 {
		l.Append("f", "", "", epoch, fmt.Append(nil, "old", i))
	}
	got := make(chan string, 100)
	ended := make(chan error)
	go func() {
		ended <- l.Follow(t.Context(), Query{Function: "f", Limit: 2}, func(r Record) error {
			got <- string(r.Text)
			return nil
		})
	}()
	next := func(want string) {
		t.Helper()
		if text := <-got; text != want {
			t.Errorf("followed %q, want %q", text, want)
		}
	}
	next("old3")
	next("old4")
	for i := range 5 { // each arrives without waiting for the one second of a flush
		l.Append("g", "", "", epoch, []byte("another's"))
		l.Append("f", "", "", epoch, fmt.Append(nil, "new", i))
		next(fmt.Sprint("new", i))
	}
	l.Append("f", "", "", epoch, []byte("last"))
	noErr(t, l.Close())
	next("last")
	if err := <-ended; err != nil {
		t.Errorf("Follow ended with %v", err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	l := openLogs(t, t.TempDir(), LogOptions{})
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	l.Append("f", "", "", epoch, []byte("x"))
	err := l.Follow(ctx, Query{}, func(Record) error { cancel(); return nil })
	wantErr(t, "cancelled", err, context.Canceled)
	errStop := errors.New("stop")
	err = l.Follow(t.Context(), Query{}, func(Record) error { return errStop })
	wantErr(t, "error of the callback", err, errStop)
}

// Followers see every record once and in order, across flushes and segments.
func TestFollowersWhileSegmentsGrow(t *testing.T) {
	const writers, each, followers = 4, 500, 3
	l := openLogs(t, t.TempDir(), LogOptions{SegmentBytes: 3000, Segments: 1000, FlushBytes: 500})
	var wg, writing sync.WaitGroup
	for range followers {
		wg.Go(func() {
			next := map[string]int{}
			err := l.Follow(t.Context(), Query{}, func(r Record) error {
				if string(r.Text) != fmt.Sprint(next[r.Function]) {
					return fmt.Errorf("%s: got %q, want %d", r.Function, r.Text, next[r.Function])
				}
				next[r.Function]++
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			for w := range writers {
				if n := next[fmt.Sprint("f", w)]; n != each {
					t.Errorf("followed %d records of f%d, want %d", n, w, each)
				}
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				l.Append(fmt.Sprint("f", w), "", "", epoch, fmt.Append(nil, i))
			}
		})
	}
	writing.Wait()
	noErr(t, l.Close())
	wg.Wait()
}

func TestFlushWaitsAtMostItsTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := openLogs(t, dir, LogOptions{})
		time.Sleep(time.Hour) // nothing to do, no timer
		l.Append("f", "", "", epoch, []byte("a"))
		l.Append("f", "", "", epoch, []byte("b"))
		synctest.Wait()
		if n := l.BytesWritten(); n != 0 {
			t.Errorf("%d bytes were written at once", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		both := l.BytesWritten()
		if both == 0 {
			t.Error("nothing was written after a second")
		}
		l.Append("f", "", "", epoch, make([]byte, 64<<10))
		synctest.Wait()
		if l.BytesWritten() == both {
			t.Error("a full buffer waits for the timer")
		}
		noErr(t, l.Close())
	})
}

func TestAppendAllocatesNothing(t *testing.T) {
	l := openLogs(t, t.TempDir(), LogOptions{})
	defer l.Close()
	text := []byte("a line\n")
	l.mu.Lock()
	l.queue = make([]byte, 0, 1<<20)
	l.mu.Unlock()
	if n := testing.AllocsPerRun(100, func() { l.Append("f", "1", "id", epoch, text) }); n > 0 {
		t.Errorf("Append allocates %v times", n)
	}
}

func FuzzNextFrame(f *testing.F) {
	whole := appendFrame(nil, "f", "1", "id", epoch, []byte("text"))
	f.Add(whole)
	f.Add(append([]byte("noise"), whole...))
	f.Add(append(whole[:9:9], whole...))
	f.Add(bytes.Repeat([]byte(frameMarker), 5))
	f.Add([]byte{0xf5})
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			fr, size, state := nextFrame(b)
			switch {
			case state == frameShort && size == 0 && len(b) < maxFrame:
				return
			case state == frameShort || size < 1 || size > len(b):
				t.Fatalf("%d bytes of %d, state %d", size, len(b), state)
			case state == frameWhole:
				again := appendFrame(nil, string(fr.function), string(fr.version), string(fr.requestID), fr.at, fr.text)
				if !bytes.Equal(again, b[:size]) {
					t.Fatalf("%x is read as %x", b[:size], again)
				}
			}
			b = b[size:]
		}
	})
}

func BenchmarkLogAppend(b *testing.B) {
	l := openLogs(b, b.TempDir(), LogOptions{})
	text := []byte("START RequestId: 8f5bcb0e Version: $LATEST\n")
	b.ReportAllocs()
	for b.Loop() {
		l.Append("function", "$LATEST", "8f5bcb0e-8f5b-8f5b-8f5b-8f5bcb0e8f5b", epoch, text)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}
