package scheduler

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// outcome is how an event ended.
type outcome struct {
	condition string
	reason    string // for operators: why it was given up
	invoked   bool   // the last attempt ran; version and reply are of it
	version   string
	failed    bool
	reply     []byte // the function's, or its error object
}

// invocationRecord is what a destination gets
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html).
type invocationRecord struct {
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	RequestContext  requestContext   `json:"requestContext"`
	RequestPayload  json.RawMessage  `json:"requestPayload"`
	ResponseContext *responseContext `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage  `json:"responsePayload,omitempty"`
}

type requestContext struct {
	RequestID   string `json:"requestId"`
	FunctionARN string `json:"functionArn"`
	Condition   string `json:"condition"`
	InvokeCount int    `json:"approximateInvokeCount"`
}

type responseContext struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

// null stands for a payload that was left out.
var null = json.RawMessage("null")

// record returns the invocation record of an event. Payloads that would make it
// larger than an event may be are left out: the reply first, then the event.
func (q *Queue) record(job persist.Job, o outcome, now time.Time) []byte {
	r := invocationRecord{
		Version:   "1.0",
		Timestamp: now.UTC().Format("2006-01-02T15:04:05.000Z"),
		RequestContext: requestContext{
			RequestID:   job.ID,
			FunctionARN: q.arn(job),
			Condition:   o.condition,
			InvokeCount: job.Attempts,
		},
		RequestPayload: asJSON(job.Payload),
	}
	if o.invoked {
		r.ResponseContext = &responseContext{StatusCode: 200, ExecutedVersion: o.version}
		if o.failed {
			r.ResponseContext.FunctionError = "Unhandled"
		}
		r.ResponsePayload = asJSON(o.reply)
	}
	text := encode(r)
	if len(text) > persist.MaxJobPayload && o.invoked {
		r.ResponsePayload = null
		text = encode(r)
	}
	if len(text) > persist.MaxJobPayload {
		r.RequestPayload = null
		text = encode(r)
	}
	return text
}

// encode returns a record for a destination. It leaves <, > and & as they are: a
// payload that was escaped would be larger than it was.
func encode(record any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(record); err != nil { // asJSON gave valid JSON, the rest is strings and numbers
		return []byte("{}")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// asJSON returns payload where it is JSON. Functions of the runtimes wasi and
// extism may take and give any bytes: those become a string, in which what is
// not UTF-8 is replaced. No bytes are null.
func asJSON(payload []byte) json.RawMessage {
	switch {
	case len(payload) == 0:
		return null
	case json.Valid(payload):
		return payload
	}
	text, err := json.Marshal(string(payload))
	if err != nil { // strings always marshal
		return null
	}
	return text
}

// arn names the function of a job as AWS does in invocation records: with its
// qualifier.
func (q *Queue) arn(job persist.Job) string {
	qualifier := job.Qualifier
	if qualifier == "" {
		qualifier = persist.Latest
	}
	return engine.FunctionARN(q.cfg.Region, job.Function, qualifier)
}

// functionOfARN splits the ARN of a function of any region and account: the node
// is all of them. ok is false for the ARN of anything else.
func functionOfARN(arn string) (function, qualifier string, ok bool) {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 || len(parts) > 8 || parts[0] != "arn" || parts[2] != "lambda" || parts[5] != "function" || parts[6] == "" {
		return "", "", false
	}
	if len(parts) == 8 {
		if parts[7] == "" {
			return "", "", false
		}
		qualifier = parts[7]
	}
	return parts[6], qualifier, true
}
