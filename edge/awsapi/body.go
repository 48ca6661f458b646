package awsapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Limits of request bodies, in bytes.
const (
	// MaxUpload bounds a request that carries code: 50 MB of zip in base64, as
	// in AWS Lambda, and its settings.
	MaxUpload = 70 << 20
	// largeBody is the size from which on a body waits for an upload slot.
	largeBody = 1 << 20
	// maxUploads is the number of large bodies that are in memory at the same
	// time: one takes up to MaxUpload, and three quarters of it again, decoded.
	maxUploads = 2
)

func tooLarge(limit int64) *fault {
	return &fault{Status: http.StatusRequestEntityTooLarge, Code: codeTooLarge,
		Message: fmt.Sprintf("Request must be smaller than %d bytes for this operation", limit)}
}

// bodyPause is how long a client may send nothing of a body before its
// connection is cut: it may hold an upload slot, which others wait for.
const bodyPause = 30 * time.Second

// steadyBody is a body whose reader does not wait for longer than pause.
type steadyBody struct {
	io.Reader
	control *http.ResponseController
	pause   time.Duration
}

func (b steadyBody) Read(p []byte) (int, error) {
	// Not every writer has deadlines: then a stuck client costs its slot.
	if err := b.control.SetReadDeadline(time.Now().Add(b.pause)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, fmt.Errorf("set read deadline: %w", err)
	}
	return b.Reader.Read(p)
}

// readBody returns the whole body. A client that stops sending is an error
// after pause.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, pause time.Duration) ([]byte, error) {
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close") // rather than read what nobody wants
		return nil, tooLarge(limit)
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead) // ReadFrom wants room to see the end
	}
	control := http.NewResponseController(w)
	if _, err := buf.ReadFrom(steadyBody{http.MaxBytesReader(w, r.Body, limit), control, pause}); err != nil {
		// The deadline stays, so that net/http does not wait for the rest either.
		w.Header().Set("Connection", "close")
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return nil, tooLarge(limit)
		}
		return nil, &fault{Status: http.StatusBadRequest, Code: codeContent, Message: "could not read the request body: " + err.Error()}
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, fmt.Errorf("lift read deadline: %w", err)
	}
	return buf.Bytes(), nil
}

// uploads bounds how many large bodies are in memory at the same time.
type uploads chan struct{}

// enter waits for a slot where r is going to be large. The caller must call
// leave when it has done with the body.
func (u uploads) enter(ctx context.Context, r *http.Request, limit int64) (leave func(), err error) {
	if limit <= largeBody || r.ContentLength >= 0 && r.ContentLength <= largeBody {
		return func() {}, nil
	}
	select {
	case u <- struct{}{}:
		return func() { <-u }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other uploads: %w", ctx.Err())
	}
}
