package awsapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of request bodies, in bytes.
const (
	// MaxUpload bounds a request that carries code: 50 MB of zip in base64, as
	// in AWS Lambda, and its settings.
	MaxUpload = 70 << 20
	// maxSettings bounds the other requests with a JSON body.
	maxSettings = 1 << 20
	// largeBody is the size from which on a body waits for an upload slot.
	largeBody = 1 << 20
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
		return nil, badContent("could not read the request body: " + err.Error())
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, fmt.Errorf("lift read deadline: %w", err)
	}
	return buf.Bytes(), nil
}

// readJSON decodes the body of r into v. A large body waits for an upload slot,
// so that many uploads at once do not take all memory. The caller must call
// release, which gives the slot back, when it has done with v.
func (a *api) readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) (release func(), err error) {
	release = func() {}
	if limit > largeBody && (r.ContentLength < 0 || r.ContentLength > largeBody) {
		select {
		case a.uploads <- struct{}{}:
			release = func() { <-a.uploads }
		case <-r.Context().Done():
			return nil, fmt.Errorf("wait for other uploads: %w", r.Context().Err())
		}
	}
	body, err := readBody(w, r, limit, a.bodyPause)
	if err == nil {
		err = decode(body, v)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func badContent(message string) *fault {
	return &fault{Status: http.StatusBadRequest, Code: codeContent, Message: message}
}

// decode reads one JSON object into v. An empty body is an empty object;
// members that v has not are ignored. The error is always a *fault.
func decode(body []byte, v any) error {
	if len(body) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return badContent("Could not parse request body into json: it is not UTF-8")
	}
	first := bytes.TrimLeft(body, " \t\r\n")
	if len(first) == 0 || first[0] != '{' {
		return badContent("Could not parse request body into json: it must be an object")
	}
	err := json.Unmarshal(body, v)
	if err == nil {
		return nil
	}
	var (
		wrongType *json.UnmarshalTypeError
		syntax    *json.SyntaxError
		notBase64 base64.CorruptInputError
	)
	switch {
	case errors.As(err, &wrongType):
		return badContent(fmt.Sprintf("Could not parse request body into json: %s must be %s, not %s (at byte %d)",
			member(wrongType.Field), jsonName(wrongType.Type.Kind().String()), wrongType.Value, wrongType.Offset))
	case errors.As(err, &syntax):
		return badContent(fmt.Sprintf("Could not parse request body into json: %s (at byte %d)", syntax.Error(), syntax.Offset))
	case errors.As(err, &notBase64):
		return badContent(fmt.Sprintf("Could not parse request body into json: ZipFile must be base64 (wrong at its byte %d)", int64(notBase64)))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return badContent("Could not parse request body into json: it is cut off")
	}
	return badContent("Could not parse request body into json: " + err.Error())
}

// member names a JSON member by its path as the client wrote it: without the
// structs that are embedded in a request, which have lower-case names.
func member(path string) string {
	parts := slices.DeleteFunc(strings.Split(path, "."), func(part string) bool {
		return part == "settings" || part == "code" || part == "route"
	})
	return strconv.Quote(strings.Join(parts, "."))
}

// jsonName says in JSON's words what a Go kind is read from.
func jsonName(kind string) string {
	switch {
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return "a whole number"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case kind == "bool":
		return "true or false"
	case kind == "string":
		return "a string"
	case kind == "slice":
		return "an array, or base64 where it is bytes"
	}
	return "an object"
}

// writeJSON sends v. Values of this package always marshal.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that is gone needs no answer
	return nil
}

// wholeNumber reads a query parameter between 1 and max; absent gives missing.
func wholeNumber(r *http.Request, name string, missing, max int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > max {
		return 0, invalid(fmt.Sprintf("%s must be a whole number from 1 to %d, not %q", name, max, text))
	}
	return n, nil
}
