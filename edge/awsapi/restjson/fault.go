package restjson

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Codes that more than one service uses
// (https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html).
const (
	CodeContent        = "InvalidRequestContentException"
	CodeDenied         = "AccessDeniedException"
	CodeInvalid        = "InvalidParameterValueException"
	CodeNotImplemented = "NotImplementedException"
	// CodeValidation is of what breaks a constraint of a service's model, as a
	// length or a pattern.
	CodeValidation = "ValidationException"
)

// Fault is an error as a client of AWS sees it.
type Fault struct {
	Status  int
	Code    string
	Message string
	Reason  string // of a TooManyRequestsException
	Retry   int    // seconds; 0 sends no Retry-After
}

func (f *Fault) Error() string { return f.Code + ": " + f.Message }

// NotImplemented is the fault of what AWS has and this node has not.
func NotImplemented(message string) *Fault {
	return &Fault{Status: http.StatusNotImplemented, Code: CodeNotImplemented, Message: message}
}

// Write sends f as AWS does: the code in a header, Type and the message in the
// body. Service models spell the member message or Message, some of them both,
// and SDKs look for the one that the model has; so both are sent.
func (f *Fault) Write(w http.ResponseWriter) {
	kind := "User"
	if f.Status >= 500 {
		kind = "Service"
	}
	body := map[string]string{"Type": kind, "message": f.Message, "Message": f.Message}
	if f.Reason != "" {
		body["Reason"] = f.Reason
	}
	text, err := json.Marshal(body)
	if err != nil { // strings always marshal
		text = []byte("{}")
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Amzn-Errortype", f.Code)
	if f.Retry > 0 {
		h.Set("Retry-After", strconv.Itoa(f.Retry))
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write(text) // a client that is gone needs no answer
}
