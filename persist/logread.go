package persist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Query says which records to read. The zero value means all.
type Query struct {
	Function string    // empty: of every function, and of the node itself
	Since    time.Time // records at this time or later; zero: from the oldest
	Until    time.Time // records before this time; zero: to the newest
	// Limit keeps the newest records that match; 0 means all. In Follow it
	// counts the records that are there when it begins.
	Limit int
}

// Record is one piece of what an invocation logged, or of what the node has to
// say about its logs; that has no Function.
type Record struct {
	At                           time.Time
	Function, Version, RequestID string
	Text                         []byte // the callback may keep it
}

func (q Query) matches(f frame) bool {
	return (q.Function == "" || q.Function == string(f.function)) &&
		(q.Since.IsZero() || !f.at.Before(q.Since)) &&
		(q.Until.IsZero() || f.at.Before(q.Until))
}

// Read calls each for the records that match, in the order in which they were
// appended, up to those that were there when Read began, written or not. An
// error of each ends it and is returned, and so is that of ctx. Damaged parts
// of files and segments that are dropped meanwhile are passed over.
func (l *Logs) Read(ctx context.Context, q Query, each func(Record) error) error {
	r := newLogReader(l)
	defer r.close()
	_, err := r.backlog(ctx, q, each)
	return err
}

// Follow is Read that goes on with new records as they are appended. It ends
// with the error of ctx or of each, or with nil after Close. A reader too slow
// to keep up misses what is dropped with the oldest segment.
func (l *Logs) Follow(ctx context.Context, q Query, each func(Record) error) error {
	r := newLogReader(l)
	defer r.close()
	end, err := r.backlog(ctx, q, each)
	if err != nil {
		return err
	}
	for {
		more, grown := l.waitBeyond(end)
		if grown != nil {
			select {
			case <-grown:
				continue
			case <-l.done: // the last flush may have come before
				if more, _ = l.waitBeyond(end); more == end {
					return nil
				}
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		err := r.scan(ctx, end, more, func(_ int64, f frame) error {
			if !q.matches(f) {
				return nil
			}
			return each(f.record())
		})
		if err != nil {
			return err
		}
		end = more
	}
}

// waitBeyond returns the position after the newest record. Where that is
// position, it returns a channel too, which is closed when there is more.
func (l *Logs) waitBeyond(position int64) (end int64, grown <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if end = l.queueAt + int64(len(l.queue)); end > position {
		return end, nil
	}
	if l.grown == nil {
		l.grown = make(chan struct{})
	}
	return end, l.grown
}

func (f frame) record() Record {
	return Record{
		At:        f.at,
		Function:  string(f.function),
		Version:   string(f.version),
		RequestID: string(f.requestID),
		Text:      append([]byte(nil), f.text...),
	}
}

// logReader reads frames by position, from files and from what is not written
// yet. Each Read and Follow has its own.
type logReader struct {
	logs    *Logs
	buf     []byte
	file    *os.File // kept open between reads; nil if none
	segment int      // of file
}

// readBytes is how much a reader takes at once; at least a whole frame.
const readBytes = 4 * maxFrame

func newLogReader(l *Logs) *logReader { return &logReader{logs: l} }

func (r *logReader) close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// backlog delivers the records that are there now and returns the position
// after them.
func (r *logReader) backlog(ctx context.Context, q Query, each func(Record) error) (end int64, err error) {
	start := int64(0)
	r.logs.mu.Lock()
	end = r.logs.queueAt + int64(len(r.logs.queue))
	r.logs.mu.Unlock()
	if q.Limit > 0 {
		if start, err = r.newest(ctx, q, end); err != nil {
			return end, err
		}
	}
	return end, r.scan(ctx, start, end, func(_ int64, f frame) error {
		if !q.matches(f) {
			return nil
		}
		return each(f.record())
	})
}

// newest returns the position of the first of the last q.Limit records that
// match. It keeps positions and not records, so that memory does not depend on
// what is in them.
func (r *logReader) newest(ctx context.Context, q Query, end int64) (int64, error) {
	var ring []int64
	next := 0 // the oldest in ring, once it is full
	err := r.scan(ctx, 0, end, func(at int64, f frame) error {
		switch {
		case !q.matches(f):
		case len(ring) < q.Limit:
			ring = append(ring, at)
		default:
			ring[next] = at
			next = (next + 1) % len(ring)
		}
		return nil
	})
	if err != nil || len(ring) == 0 {
		return end, err
	}
	return ring[next], nil
}

// scan calls each for every frame from position start up to end. The frame is
// valid during the call.
func (r *logReader) scan(ctx context.Context, start, end int64, each func(at int64, f frame) error) error {
	for at := start; at < end; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b, from, last, err := r.fetch(at, end)
		if err != nil {
			return err
		}
		at = from
		for len(b) > 0 {
			f, size, state := nextFrame(b)
			if state == frameShort && !last {
				break // fetch again from here, to get all of it
			}
			if state == frameShort {
				// The piece ends within a frame: torn. A whole frame may lie in
				// what seems to be its body.
				size = 1
			}
			if state == frameWhole {
				if at >= end { // appended since, and not asked for
					return nil
				}
				if err := each(at, f); err != nil {
					return err
				}
			}
			b = b[size:]
			at += int64(size)
		}
	}
	return nil
}

// fetch returns bytes from position at or, where those are gone, from the first
// position after it, which is from. last says that b goes to the end of a
// piece: a frame that is cut off there is cut off for good.
func (r *logReader) fetch(at, end int64) (b []byte, from int64, last bool, err error) {
	if r.buf == nil {
		r.buf = make([]byte, readBytes)
	}
	l := r.logs
	l.mu.Lock()
	var piece extent
	found := false
	for _, e := range l.extents {
		if e.end() > at {
			piece, found = e, true
			break
		}
	}
	memory, memoryAt := l.writing, l.queueAt-int64(len(l.writing))
	if at >= l.queueAt || len(memory) == 0 {
		memory, memoryAt = l.queue, l.queueAt
	}
	if !found || piece.at > memoryAt {
		// Not in a file, or not any more: what waits to be written is next. It
		// changes when mu is released, so it is copied.
		from = max(at, memoryAt)
		skip := from - memoryAt
		if skip >= int64(len(memory)) || from >= end {
			l.mu.Unlock()
			return nil, end, true, nil
		}
		n := copy(r.buf, memory[skip:])
		last = skip+int64(n) == int64(len(memory))
		l.mu.Unlock()
		return r.buf[:n], from, last, nil
	}
	l.mu.Unlock()

	from = max(at, piece.at)
	if from >= end {
		return nil, end, true, nil
	}
	want := min(piece.end()-from, int64(len(r.buf)))
	n, err := r.readSegment(piece.segment, r.buf[:want], piece.offset+from-piece.at)
	if err != nil {
		return nil, 0, false, err
	}
	if n == 0 { // the segment was dropped or cut off meanwhile
		return nil, piece.end(), true, nil
	}
	return r.buf[:n], from, n < want || from+n == piece.end(), nil
}

// readSegment reads from a segment file. It returns 0 bytes where the segment
// is gone.
func (r *logReader) readSegment(segment int, b []byte, offset int64) (int64, error) {
	if r.file != nil && r.segment != segment {
		r.close()
	}
	if r.file == nil {
		file, err := os.Open(r.logs.segmentPath(segment))
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("open log segment: %w", err)
		}
		r.file, r.segment = file, segment
	}
	n, err := r.file.ReadAt(b, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read log segment: %w", err)
	}
	return int64(n), nil
}
