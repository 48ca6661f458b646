package persist

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LogOptions of OpenLogs. A field that is 0 takes the value of
// DefaultLogOptions.
type LogOptions struct {
	SegmentBytes int64         // size at which a new segment begins
	Segments     int           // kept; the oldest is dropped first
	QueueBytes   int           // of records that wait to be written; beyond it they are dropped
	FlushBytes   int           // of records that wait before they are written at once
	FlushAfter   time.Duration // for which a record waits at most

	faults *faults
}

// DefaultLogOptions keep 64 MiB of logs and write them in pieces that suit
// flash memory.
func DefaultLogOptions() LogOptions {
	return LogOptions{
		SegmentBytes: 4 << 20,
		Segments:     16,
		QueueBytes:   1 << 20,
		FlushBytes:   64 << 10,
		FlushAfter:   time.Second,
	}
}

func (o LogOptions) withDefaults() LogOptions {
	d := DefaultLogOptions()
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = d.SegmentBytes
	}
	if o.Segments <= 0 {
		o.Segments = d.Segments
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = d.QueueBytes
	}
	if o.FlushBytes <= 0 {
		o.FlushBytes = d.FlushBytes
	}
	if o.FlushAfter <= 0 {
		o.FlushAfter = d.FlushAfter
	}
	return o
}

// Logs keeps what functions log, in dir/logs/NNNNNNNN.log. Its methods may be
// called concurrently. While nothing is logged it does nothing, not even wait
// for a timer.
//
// Every record has a position: the bytes of frames before it, counted from the
// oldest segment at OpenLogs. Bytes that could not be written leave a gap.
type Logs struct {
	dir  string
	opts LogOptions

	wake chan struct{} // has a token when the queue is no longer empty
	full chan struct{} // has a token when the queue should be written at once
	stop chan struct{} // closed by Close
	done chan struct{} // closed when the writer has ended

	mu       sync.Mutex // guards what follows; never held during a system call
	extents  []extent   // what is in files, by position
	writing  []byte     // what the writer writes just now
	queue    []byte     // what it is going to write next
	queueAt  int64      // position of queue[0]; writing lies right before it
	grown    chan struct{}
	dropped  drops
	written  int64
	writeErr error
	closed   bool
}

// extent is a piece of a segment file that holds the frames from position at.
type extent struct {
	segment int   // number in the file's name
	offset  int64 // in the file
	at      int64
	size    int64
}

func (e extent) end() int64 { return e.at + e.size }

// drops counts what was lost since the last record that said so.
type drops struct {
	records, bytes int64
}

// OpenLogs opens the log files in dir/logs and goes on writing to the newest.
func OpenLogs(dir string, opts LogOptions) (*Logs, error) {
	l := &Logs{
		dir:  filepath.Join(dir, "logs"),
		opts: opts.withDefaults(),
		wake: make(chan struct{}, 1),
		full: make(chan struct{}, 1),
		stop: make(chan struct{}),
		done: make(chan struct{}),
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, fmt.Errorf("create log folder: %w", err)
	}
	entries, err := os.ReadDir(l.dir) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("list log folder: %w", err)
	}
	for _, e := range entries {
		number, ok := segmentNumber(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list log folder: %w", err)
		}
		l.extents = append(l.extents, extent{segment: number, at: l.queueAt, size: info.Size()})
		l.queueAt += info.Size()
	}
	w := &logWriter{logs: l, opts: l.opts}
	if n := len(l.extents); n > 0 {
		w.segment, w.size = l.extents[n-1].segment, l.extents[n-1].size
	}
	go w.run()
	return l, nil
}

// Append adds a record of text that one invocation logged at at. It copies
// text, never waits for the disk and never fails: what does not fit into the
// queue or cannot be written is dropped, and a record says later how much. Text
// of more than 64 KiB becomes several records, cut after a line where possible.
func (l *Logs) Append(function, version, requestID string, at time.Time, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(text) > 0 {
		var piece []byte
		piece, text = cutText(text)
		size := frameSize(function, version, requestID, piece)
		if l.closed || len(l.queue)+size > l.opts.QueueBytes {
			l.dropped.records++
			l.dropped.bytes += int64(len(piece))
			continue
		}
		l.queue = appendFrame(l.queue, function, version, requestID, at, piece)
	}
	l.signal()
}

// signal wakes whoever waits for records. The caller holds mu.
func (l *Logs) signal() {
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
	if len(l.queue) >= l.opts.FlushBytes {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// cutText returns the part of text for one record, and the rest.
func cutText(text []byte) (piece, rest []byte) {
	if len(text) <= maxTextFrame {
		return text, nil
	}
	n := maxTextFrame
	if line := bytes.LastIndexByte(text[:n], '\n'); line >= 0 {
		n = line + 1
	}
	return text[:n], text[n:]
}

// BytesWritten returns the bytes that were written to log files since OpenLogs.
func (l *Logs) BytesWritten() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}

// Err returns why the last write failed, or nil where it did not.
func (l *Logs) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writeErr
}

// Close writes what waits, syncs the newest segment and ends each Follow when
// it has delivered all. It returns the error of that last write. Records
// appended later are dropped.
func (l *Logs) Close() error {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	l.mu.Unlock()
	if first {
		close(l.stop)
	}
	<-l.done
	return l.Err()
}

func (l *Logs) segmentPath(number int) string {
	return filepath.Join(l.dir, fmt.Sprintf("%08d.log", number))
}

func segmentNumber(name string) (int, bool) {
	digits, isLog := strings.CutSuffix(name, ".log")
	if !isLog || len(digits) != 8 {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 31)
	return int(number), err == nil
}

// oldestBeyond returns the segments that are too many once another begins.
func (l *Logs) oldestBeyond(keep int) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var numbers []int
	for _, e := range l.extents {
		if len(numbers) == 0 || numbers[len(numbers)-1] != e.segment {
			numbers = append(numbers, e.segment)
		}
	}
	if len(numbers) <= keep {
		return nil
	}
	return slices.Clone(numbers[:len(numbers)-keep])
}

// forget takes a dropped segment out of what readers look at.
func (l *Logs) forget(segment int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.extents = slices.DeleteFunc(l.extents, func(e extent) bool { return e.segment == segment })
}
