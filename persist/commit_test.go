package persist

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

func TestGenerationCountsChanges(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	before := s.Generation()
	noErr(t, s.putOwn("f", "k", nil))
	_, err = s.PutFunction(testFunction("f"), MustNotExist, nil)
	wantErr(t, "create again", err, ErrExists)
	if s.Generation() != before {
		t.Errorf("generation went from %d to %d although no record changed", before, s.Generation())
	}
	noErr(t, s.PutSetting("a", "b"))
	if s.Generation() != before+1 {
		t.Errorf("generation went from %d to %d with one change", before, s.Generation())
	}
	closeStore(t, s)
	if s = openStore(t, dir, Options{}); s.Generation() != before+1 {
		t.Errorf("generation after restart is %d, want %d", s.Generation(), before+1)
	}
}

func TestWritersShareCommits(t *testing.T) {
	// The first commit is held at the disk until the others have queued up.
	const writers = 100
	var (
		once    sync.Once
		commits int // only the committing goroutine counts
		held    = make(chan struct{})
		release = make(chan struct{})
		counted faults
	)
	counted.before = func(at step) error {
		if at == stepCommit {
			commits++
			once.Do(func() { close(held); <-release })
		}
		return nil
	}
	s := openStore(t, t.TempDir(), Options{faults: &counted})
	var wg sync.WaitGroup
	put := func(i int) {
		wg.Go(func() {
			if err := s.PutSetting(fmt.Sprint(i), "x"); err != nil {
				t.Error(err)
			}
		})
	}
	put(0)
	<-held
	for i := range writers {
		put(i + 1)
	}
	waitQueue(s, writers)
	close(release)
	wg.Wait()
	closeStore(t, s)
	if commits != 2 {
		t.Errorf("%d writers took %d commits, want 2", writers+1, commits)
	}
}

func TestOneFailureDoesNotSpoilTheBatch(t *testing.T) {
	// In one batch: writes, refusals before writing, one that fails after
	// writing, one that panics.
	var once sync.Once
	held, release := make(chan struct{}), make(chan struct{})
	hold := &faults{before: func(at step) error {
		if at == stepCommit {
			once.Do(func() { close(held); <-release })
		}
		return nil
	}}
	s := openStore(t, t.TempDir(), Options{faults: hold})
	errHalfway := errors.New("halfway")
	results := make([]error, 40)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.PutSetting("first", "x"); err != nil {
			t.Error(err)
		}
	})
	<-held
	for i := range results {
		wg.Go(func() {
			results[i] = s.update(0, func(c *change) error {
				switch i % 4 {
				case 1:
					return ErrConflict
				case 2:
					if err := c.putBytes(bucketSettings, fmt.Append(nil, "half", i), []byte("x")); err != nil {
						return err
					}
					return errHalfway
				case 3:
					panic("a page that makes no sense")
				}
				return c.putBytes(bucketSettings, fmt.Append(nil, "whole", i), []byte("x"))
			})
		})
	}
	waitQueue(s, len(results))
	close(release)
	wg.Wait()
	for i, err := range results {
		want := []error{nil, ErrConflict, errHalfway, ErrDamaged}[i%4]
		if !errors.Is(err, want) {
			t.Errorf("write %d: %v, want %v", i, err, want)
		}
		if _, err := s.Setting(fmt.Sprint("half", i)); !errors.Is(err, ErrNotFound) {
			t.Errorf("half a write %d is there: %v", i, err)
		}
		if _, err := s.Setting(fmt.Sprint("whole", i)); i%4 == 0 && err != nil {
			t.Errorf("write %d is missing: %v", i, err)
		}
	}
}

// waitQueue returns when n writes wait for a commit that a test holds up.
func waitQueue(s *Store, n int) {
	for {
		s.mu.Lock()
		queued := len(s.queue)
		s.mu.Unlock()
		if queued >= n {
			return
		}
		runtime.Gosched()
	}
}

func BenchmarkPutConcurrently(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	if _, err := s.PutFunction(testFunction("f"), "", nil); err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 100)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.putOwn("f", "key", value); err != nil {
				b.Error(err)
			}
		}
	})
}
