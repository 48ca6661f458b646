package persist

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// logWriter moves records from the queue of Logs to files. Only its own
// goroutine uses it.
type logWriter struct {
	logs    *Logs
	opts    LogOptions
	file    *os.File // the newest segment; nil until something is written
	segment int      // its number
	size    int64    // bytes in it that are known to be good
	spare   []byte   // the buffer that is not the queue
}

// run writes until Close.
func (w *logWriter) run() {
	defer close(w.logs.done)
	for stopped := false; !stopped; {
		select {
		case <-w.logs.wake:
		case <-w.logs.stop:
			stopped = true
		}
		if !stopped {
			stopped = w.gather()
		}
		w.flush()
	}
	w.finish()
}

// gather waits for more records to come, so that they are written together. It
// reports whether Close was called.
func (w *logWriter) gather() (stopped bool) {
	timer := time.NewTimer(w.opts.FlushAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.logs.full:
	case <-w.logs.stop:
		return true
	}
	return false
}

// flush writes the queue as it is now.
func (w *logWriter) flush() {
	l := w.logs
	l.mu.Lock()
	note := l.dropped
	if note.records > 0 {
		l.queue = note.appendRecord(l.queue)
		l.dropped = drops{}
	}
	batch, at := l.queue, l.queueAt
	l.writing, l.queue = batch, w.spare[:0]
	l.queueAt += int64(len(batch))
	for _, token := range []chan struct{}{l.wake, l.full} { // they were about this batch
		select {
		case <-token:
		default:
		}
	}
	l.mu.Unlock()
	if len(batch) == 0 {
		return
	}

	lost, noteLost, err := w.writeAll(batch, at)
	if noteLost {
		lost.add(note)
	}

	l.mu.Lock()
	l.writing = nil
	l.writeErr = err
	l.dropped.add(lost)
	l.mu.Unlock()
	w.spare = batch
	if cap(batch) > 4*w.opts.FlushBytes {
		w.spare = nil // of a burst: do not keep its memory
	}
}

// appendRecord appends a record of the node itself, which has no function.
func (d drops) appendRecord(b []byte) []byte {
	text := fmt.Sprintf("%d log records with %d bytes were dropped: the disk was full or too slow\n", d.records, d.bytes)
	return appendFrame(b, "", "", "", time.Now(), []byte(text))
}

func (d *drops) add(other drops) {
	d.records += other.records
	d.bytes += other.bytes
}

// writeAll writes frames that begin at position at, as many to each segment as
// fit. Frames that cannot be written are lost and counted; the others are
// written all the same. tailLost is about the last frame, which is where a note
// about what was lost before would be. It returns the first error.
func (w *logWriter) writeAll(frames []byte, at int64) (lost drops, tailLost bool, err error) {
	for len(frames) > 0 {
		piece := w.fitting(frames)
		pieceErr := w.writePiece(piece, at)
		tailLost = pieceErr != nil
		if pieceErr != nil {
			lost.add(countFrames(piece))
		}
		if err == nil {
			err = pieceErr
		}
		frames = frames[len(piece):]
		at += int64(len(piece))
	}
	return lost, tailLost, err
}

// fitting returns the first frames that fit into the current segment, or as
// many as fit into an empty one where none does; at least one.
func (w *logWriter) fitting(frames []byte) []byte {
	free := w.opts.SegmentBytes - w.size
	n := wholeFrames(frames, free)
	if n == 0 {
		n = wholeFrames(frames, w.opts.SegmentBytes)
	}
	if n == 0 { // a segment smaller than a frame: the frame gets one of its own
		n = wholeFrames(frames, maxFrame)
	}
	if n == 0 {
		n = len(frames) // not reached: the queue holds frames only
	}
	return frames[:n]
}

// wholeFrames returns the size of the frames that fit into limit bytes.
func wholeFrames(frames []byte, limit int64) (n int) {
	for n < len(frames) {
		_, size, state := nextFrame(frames[n:])
		if state != frameWhole || int64(n+size) > limit {
			break
		}
		n += size
	}
	return n
}

// countFrames counts the records of functions in frames.
func countFrames(frames []byte) (d drops) {
	for n := 0; n < len(frames); {
		f, size, state := nextFrame(frames[n:])
		if state != frameWhole {
			break
		}
		if len(f.function) > 0 {
			d.add(drops{records: 1, bytes: int64(len(f.text))})
		}
		n += size
	}
	return d
}

// writePiece writes frames to the current segment, or to a new one where they
// do not fit, and tells readers where they are.
func (w *logWriter) writePiece(frames []byte, at int64) error {
	if err := w.openSegment(int64(len(frames))); err != nil {
		return err
	}
	err := w.opts.faults.at(stepLogWrite)
	if err == nil {
		_, err = w.file.WriteAt(frames, w.size)
	}
	if err != nil {
		// What was written of them is overwritten by the next, or cut off here.
		return errors.Join(fmt.Errorf("write log segment: %w", err), w.file.Truncate(w.size))
	}
	l := w.logs
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.extents) - 1
	if last >= 0 && l.extents[last].segment == w.segment && l.extents[last].end() == at {
		l.extents[last].size += int64(len(frames))
	} else {
		l.extents = append(l.extents, extent{segment: w.segment, offset: w.size, at: at, size: int64(len(frames))})
	}
	l.written += int64(len(frames))
	w.size += int64(len(frames))
	return nil
}

// openSegment makes sure that there is a segment with room for size bytes.
func (w *logWriter) openSegment(size int64) error {
	if w.size > 0 && w.size+size > w.opts.SegmentBytes {
		if err := w.endSegment(); err != nil {
			return err
		}
		w.segment++
		w.size = 0
	}
	if w.file != nil {
		return nil
	}
	if w.size == 0 {
		// Room first: on a full disk the oldest records make way for the newest.
		for _, oldest := range w.logs.oldestBeyond(w.opts.Segments - 1) {
			if oldest == w.segment {
				continue
			}
			if err := w.dropSegment(oldest); err != nil {
				return err
			}
		}
	}
	if err := w.opts.faults.at(stepLogCreate); err != nil {
		return fmt.Errorf("open log segment: %w", err)
	}
	file, err := os.OpenFile(w.logs.segmentPath(w.segment), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open log segment: %w", err)
	}
	w.file = file
	return nil
}

func (w *logWriter) dropSegment(number int) error {
	if err := w.opts.faults.at(stepLogDrop); err != nil {
		return fmt.Errorf("drop log segment: %w", err)
	}
	if err := os.Remove(w.logs.segmentPath(number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop log segment: %w", err)
	}
	w.logs.forget(number)
	return nil
}

// endSegment syncs and closes the current segment.
func (w *logWriter) endSegment() error {
	if w.file == nil {
		return nil
	}
	file := w.file
	w.file = nil
	err := w.opts.faults.at(stepLogSync)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("end log segment: %w", err)
	}
	return nil
}

// finish ends the last segment.
func (w *logWriter) finish() {
	err := w.endSegment()
	l := w.logs
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.writeErr = errors.Join(l.writeErr, err)
	}
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}
