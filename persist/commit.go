package persist

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Bounds of one commit: bbolt keeps its changed pages in memory, and the first
// writer of a batch waits for the last.
const (
	maxBatchWrites = 256
	maxBatchBytes  = 4 << 20
)

// write is one operation that waits to be committed.
type write struct {
	fn   func(*change) error
	size int  // bytes it is going to store, roughly
	room bool // it makes room, and gets the reserve where the disk is full
	err  error
	done chan error
}

// update runs fn in a write transaction, which fn shares with other calls that
// come at the same time, and returns after the transaction is on disk.
//
// What fn returns is returned here; fn must check before it writes. fn may run
// more than once, so it assigns its results and appends to nothing outside.
//
// While one commit is at the disk the next batch gathers, so a lone writer pays one
// commit and a crowd shares. See commit_gather.go for how a crowd stays together.
func (s *Store) update(size int, fn func(*change) error) error {
	return s.commit(&write{fn: fn, size: size, done: make(chan error, 1)})
}

// makeRoom is update for what removes things, and thus must be possible on a disk that
// is full.
func (s *Store) makeRoom(fn func(*change) error) error {
	return s.commit(&write{fn: fn, room: true, done: make(chan error, 1)})
}

func (s *Store) commit(w *write) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.queue = append(s.queue, w)
	if s.crowd > 0 && len(s.queue) >= s.crowd {
		s.crowd = 0
		s.gathered <- struct{}{} // has room for one
	}
	if !s.committing {
		s.committing = true
		s.committer.Go(s.commitQueue)
	}
	s.mu.Unlock()
	return <-w.done
}

// commitQueue commits batch by batch until nobody waits.
func (s *Store) commitQueue() {
	for batch := s.nextBatch(); batch != nil; batch = s.nextBatch() {
		s.commitBatch(batch)
		s.gather()
	}
}

// nextBatch takes the next writes off the queue, in order of arrival.
func (s *Store) nextBatch() []*write {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	for n < len(s.queue) && n < maxBatchWrites && (n == 0 || size+s.queue[n].size <= maxBatchBytes) {
		size += s.queue[n].size
		n++
	}
	if n == 0 {
		s.queue = nil
		s.committing = false
		return nil
	}
	batch := slices.Clone(s.queue[:n])
	s.queue = s.queue[n:]
	return batch
}

// commitBatch commits the writes together. One that fails halfway is taken out
// and the others are run again, because bbolt can only undo a whole
// transaction; it then has its turn alone.
func (s *Store) commitBatch(batch []*write) {
	began := time.Now()
	var alone []*write
	for len(batch) > 0 {
		failed, err := s.tryCommit(batch)
		if failed >= 0 && len(batch) > 1 {
			alone = append(alone, batch[failed])
			batch = slices.Delete(batch, failed, failed+1)
			continue
		}
		if failed < 0 && isFull(err) {
			removals := slices.DeleteFunc(slices.Clone(batch), func(w *write) bool { return !w.room })
			if len(removals) > 0 && s.reserve.give() {
				for _, w := range batch {
					if !w.room {
						w.done <- err
					}
				}
				batch = removals
				continue
			}
		}
		if err == nil && slices.ContainsFunc(batch, func(w *write) bool { return w.room }) {
			s.reserve.keep()
		}
		s.gathering.committed(len(batch), s.waiting(), time.Since(began))
		for _, w := range batch {
			if err == nil {
				w.done <- w.err
			} else {
				w.done <- err
			}
		}
		if len(alone) == 0 {
			return
		}
		batch, alone = alone[:1:1], alone[1:]
	}
}

// tryCommit runs all writes in one transaction. failed is the index of a write
// that failed after it had changed something, which undid all of them, or -1.
func (s *Store) tryCommit(batch []*write) (failed int, err error) {
	defer func() { s.suspectIfDamaged(err) }()
	defer catchDamage(debug.SetPanicOnFault(true), &err)
	failed = -1
	tx, err := s.db.Begin(true)
	if err != nil {
		return failed, fmt.Errorf("begin transaction: %w", closedError(err))
	}
	defer tx.Rollback() // after Commit it does nothing
	c := &change{tx: tx}
	dirty := false
	for i, w := range batch {
		c.wrote = false
		w.err = c.run(w.fn)
		if w.err != nil && c.wrote {
			return i, w.err
		}
		dirty = dirty || c.wrote
	}
	if !dirty {
		return failed, nil
	}
	generation := s.generation.Load()
	if c.records {
		generation++
		if err := writeGeneration(tx, generation); err != nil {
			return failed, fmt.Errorf("write generation: %w", err)
		}
	}
	if err := s.faults.at(stepCommit); err != nil {
		return failed, fmt.Errorf("commit: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return failed, fmt.Errorf("commit: %w", err)
	}
	s.commits.Add(1)
	s.generation.Store(generation)
	if err := s.faults.at(stepCommitted); err != nil {
		return failed, fmt.Errorf("commit: %w", err)
	}
	return failed, nil
}

// change is what an operation writes through. It notes whether the operation
// wrote, so that one that only found a reason to refuse costs the others of
// its batch nothing.
type change struct {
	tx      *bolt.Tx
	wrote   bool // the operation that runs now
	records bool // any operation, one that counts in the store's generation
}

// run calls fn and turns a panic of bbolt's into an error of this operation.
// What the transaction looks like then is anyone's guess, so it is not used.
func (c *change) run(fn func(*change) error) (err error) {
	defer func() {
		if errors.Is(err, ErrDamaged) {
			c.wrote = true
		}
	}()
	defer catchDamage(true, &err)
	return fn(c)
}

// put stores record as JSON.
func (c *change) put(bucket string, key []byte, record any) error {
	value, err := encode(record)
	if err != nil {
		return err
	}
	return c.putBytes(bucket, key, value)
}

func (c *change) putBytes(bucket string, key, value []byte) error {
	c.wrote, c.records = true, true
	if err := c.tx.Bucket([]byte(bucket)).Put(key, value); err != nil {
		return fmt.Errorf("write to %s: %w", bucket, err)
	}
	return nil
}

func (c *change) delete(bucket string, key []byte) error {
	c.wrote, c.records = true, true
	if err := c.tx.Bucket([]byte(bucket)).Delete(key); err != nil {
		return fmt.Errorf("delete from %s: %w", bucket, err)
	}
	return nil
}

// get decodes the record under key, where there is one.
func get[T any](tx *bolt.Tx, bucket string, key []byte) (record T, found bool, err error) {
	value := tx.Bucket([]byte(bucket)).Get(key)
	if value == nil {
		return record, false, nil
	}
	record, err = decode[T](bucket, key, value)
	return record, err == nil, err
}

// encode returns record as JSON. encoding/json writes fields in order and map keys
// sorted, so equal records are equal bytes.
func encode(record any) ([]byte, error) {
	value, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	if len(value) > maxRecordBytes {
		return nil, invalid("a record of %d bytes is larger than %d", len(value), maxRecordBytes)
	}
	return value, nil
}

func decode[T any](bucket string, key, value []byte) (record T, err error) {
	if err := json.Unmarshal(value, &record); err != nil {
		return record, fmt.Errorf("%w: decode %q of %s: %w", ErrDamaged, key, bucket, err)
	}
	return record, nil
}
