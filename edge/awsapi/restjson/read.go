package restjson

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSettings bounds a request without code, in bytes.
const MaxSettings = 1 << 20

// Body returns the body of a request that an Operation serves. It belongs to
// the request: read it, do not change it, and not after Serve has returned.
func Body(ctx context.Context) []byte {
	if body, ok := ctx.Value(bodyKey).(*[]byte); ok {
		return *body
	}
	return nil
}

// ReadJSON decodes the body of a request into v. An empty body is an empty
// object; members that v has not are ignored. The error is a *Fault, with
// CodeContent; services whose code is another give it that. The body is let go of:
// with code in it, it is larger than what is made of it.
func ReadJSON(r *http.Request, v any) error {
	body, ok := r.Context().Value(bodyKey).(*[]byte)
	if !ok {
		return nil
	}
	text := *body
	*body = nil
	return Decode(text, v)
}

func badContent(message string) *Fault {
	return &Fault{Status: http.StatusBadRequest, Code: CodeContent, Message: message}
}

// Decode reads one JSON object into v, as ReadJSON does.
func Decode(body []byte, v any) error {
	const cannot = "Could not parse request body into json: "
	if len(body) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return badContent(cannot + "it is not UTF-8")
	}
	first := bytes.TrimLeft(body, " \t\r\n")
	if len(first) == 0 || first[0] != '{' {
		return badContent(cannot + "it must be an object")
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
		return badContent(fmt.Sprintf("%s%s must be %s, not %s (at byte %d)",
			cannot, member(wrongType.Field), jsonName(wrongType.Type.Kind().String()), wrongType.Value, wrongType.Offset))
	case errors.As(err, &syntax):
		return badContent(fmt.Sprintf("%s%s (at byte %d)", cannot, syntax.Error(), syntax.Offset))
	case errors.As(err, &notBase64):
		return badContent(fmt.Sprintf("%sa member that is bytes must be base64 (wrong at its byte %d)", cannot, int64(notBase64)))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return badContent(cannot + "it is cut off")
	}
	return badContent(cannot + err.Error())
}

// member names a JSON member by its path as the client wrote it. Structs that
// are embedded in a request have lower-case names where they are not members,
// apart from those of API Gateway and Scheduler, whose members are lower-case
// themselves: a lower-case part is left out only before an upper-case one.
func member(path string) string {
	parts := strings.Split(path, ".")
	last := parts[len(parts)-1]
	if r, _ := utf8.DecodeRuneInString(last); unicode.IsUpper(r) {
		parts = slices.DeleteFunc(parts, func(part string) bool {
			r, _ := utf8.DecodeRuneInString(part)
			return unicode.IsLower(r)
		})
	}
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

// WriteJSON sends v, which must be of a type that always marshals.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that is gone needs no answer
	return nil
}

// Number reads a query parameter between 1 and max; absent gives missing.
func Number(r *http.Request, name string, missing, max int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > max {
		return 0, &Fault{Status: http.StatusBadRequest, Code: CodeInvalid,
			Message: fmt.Sprintf("%s must be a whole number from 1 to %d, not %q", name, max, text)}
	}
	return n, nil
}
