package awsapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"ledge/edge/awsapi/restjson"
)

// Limits of request bodies, in bytes.
const (
	// MaxUpload bounds a request that carries code: 50 MB of zip in base64, as
	// in AWS Lambda, and its settings.
	MaxUpload = 70 << 20
	// largeBody is the size from which on a body waits for an upload slot.
	largeBody = 1 << 20
	// maxUploads is the number of large bodies with code that are in memory at the
	// same time: one takes up to MaxUpload, and three quarters of it again, decoded.
	maxUploads = 2
	// maxPayloads is the same of large bodies without code, events of invocations.
	maxPayloads = 16
)

// tooLarge is the fault of a body that is larger than op takes, in the code that
// Lambda has for it: the payload of an invocation has one of its own.
func tooLarge(op *restjson.Operation) *fault {
	f := &fault{Status: http.StatusRequestEntityTooLarge, Code: codeEntityTooLarge,
		Message: fmt.Sprintf("Request must be smaller than %d bytes for the %s operation", maxBody(op), op.Name)}
	if op.Access == restjson.Invoke {
		f.Code = codeTooLarge
	}
	return f
}

// A body may take a place that others wait for, so its connection is cut where a
// client sends nothing for bodyPause, or less than slowestBody since it began.
const (
	bodyPause   = 30 * time.Second
	slowestBody = 8 << 10 // bytes a second; bodyPause is added to the time that they take
	roomWait    = time.Minute
)

// steadyBody is a body that must keep coming.
type steadyBody struct {
	io.Reader
	control *http.ResponseController
	pause   time.Duration
	begun   time.Time
	read    int64
}

func (b *steadyBody) Read(p []byte) (int, error) {
	// Not every writer has deadlines: then a stuck client costs its place.
	if err := b.control.SetReadDeadline(b.deadline(time.Now())); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, fmt.Errorf("set read deadline: %w", err)
	}
	n, err := b.Reader.Read(p)
	b.read += int64(n)
	return n, err
}

// deadline is when the next byte must have come: after the pause, or when so few
// have come that the client is too slow.
func (b *steadyBody) deadline(now time.Time) time.Time {
	slowest := b.begun.Add(b.pause + time.Duration(b.read)*time.Second/slowestBody)
	if after := now.Add(b.pause); after.Before(slowest) {
		return after
	}
	return slowest
}

// readBody returns the whole body of a request for op. A client that stops
// sending is an error after pause.
func readBody(w http.ResponseWriter, r *http.Request, op *restjson.Operation, pause time.Duration) ([]byte, error) {
	limit := maxBody(op)
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close") // rather than read what nobody wants
		return nil, tooLarge(op)
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead) // ReadFrom wants room to see the end
	}
	control := http.NewResponseController(w)
	steady := &steadyBody{Reader: http.MaxBytesReader(w, r.Body, limit), control: control, pause: pause, begun: time.Now()}
	if _, err := buf.ReadFrom(steady); err != nil {
		// The deadline stays, so that net/http does not wait for the rest either.
		w.Header().Set("Connection", "close")
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return nil, tooLarge(op)
		}
		return nil, &fault{Status: http.StatusBadRequest, Code: codeContent, Message: "could not read the request body: " + err.Error()}
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, fmt.Errorf("lift read deadline: %w", err)
	}
	return buf.Bytes(), nil
}

// rooms bounds how many large bodies are in memory at the same time: those that
// carry code, and payloads, apart from each other, since a payload stays until its
// function has ended.
type rooms struct {
	uploads, payloads chan struct{}
	wait              time.Duration // for a place
}

func newRooms() rooms {
	return rooms{uploads: make(chan struct{}, maxUploads), payloads: make(chan struct{}, maxPayloads), wait: roomWait}
}

// enter waits for a place where r is going to be large. The caller must call
// leave, which is never nil, when it has done with the body. It is the client that
// must come back when there is no place for long: net/http does not notice that
// one is gone whose body was not read.
func (s rooms) enter(ctx context.Context, r *http.Request, limit int64) (leave func(), err error) {
	leave = func() {}
	if limit <= largeBody || r.ContentLength >= 0 && r.ContentLength <= largeBody {
		return leave, nil
	}
	room := s.uploads
	if limit < MaxUpload {
		room = s.payloads
	}
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	select {
	case room <- struct{}{}:
		return func() { <-room }, nil
	case <-ctx.Done():
		return leave, fmt.Errorf("wait for other uploads: %w", ctx.Err())
	case <-timer.C:
		return leave, &fault{Status: http.StatusTooManyRequests, Code: codeThrottled, Reason: "CallerRateLimitExceeded", Retry: 10,
			Message: "Rate Exceeded: other large requests take all the memory that there is for them; try again"}
	}
}
