package engine

import (
	"encoding/hex"
	"math/rand/v2"
	"time"
)

// Source says what caused an Invocation.
type Source uint8

const (
	SourceAPI      Source = iota // the control plane's Invoke
	SourceHTTP                   // a Route of the gateway
	SourceFunction               // another function
	SourceAsync                  // a Job of the queue of asynchronous invocations
	SourceCron                   // a Schedule
	SourceChange                 // a change of data, by a ChangeFeed
	SourceMQTT                   // a message that a TopicRule matched
)

var sourceNames = [...]string{
	SourceAPI: "api", SourceHTTP: "http", SourceFunction: "function", SourceAsync: "async",
	SourceCron: "cron", SourceChange: "change", SourceMQTT: "mqtt",
}

// String is the source as reports, counters and logs name it.
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return "unknown"
}

// RequestID identifies one Invocation in replies and logs. The zero value
// means that none was chosen yet.
type RequestID [16]byte

// NewRequestID returns a random identifier in the form of a version 4 UUID
// (RFC 9562). It is meant to be unique, not secret.
func NewRequestID() (id RequestID) {
	hi, lo := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		id[i] = byte(hi >> (8 * i))
		id[8+i] = byte(lo >> (8 * i))
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// AppendText appends the 36 characters of the canonical UUID form to b.
func (id RequestID) AppendText(b []byte) ([]byte, error) {
	var text [36]byte
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return append(b, text[:]...), nil
}

func (id RequestID) String() string {
	b, _ := id.AppendText(make([]byte, 0, 36)) // it never fails
	return string(b)
}

// Invocation is one event for one function.
type Invocation struct {
	Function  string
	Qualifier string // a version or an alias; empty means Latest. Handlers see it in the invoked ARN
	Source    Source
	RequestID RequestID // zero: Invoke chooses one and writes it here

	// Payload is borrowed: Invoke reads it and never after it has returned.
	Payload []byte
	// ClientContext is what the caller says of itself, a JSON object of at most
	// MaxClientContext bytes that Python and JavaScript handlers find as
	// context.client_context and context.clientContext; functions of other runtimes
	// are not told. nil: none. Borrowed as Payload is.
	ClientContext []byte

	// Depth counts the events that led here, one that caused the next: a change of
	// data, a destination, an invocation that nobody waits for. 0 is an event from
	// outside.
	Depth int
}

// Result is what an Invocation gave. A Result may be used again for the next
// Invocation, which then writes into the same buffers.
type Result struct {
	// Payload is the function's reply. Invoke appends to Payload[:0], so the
	// caller owns the bytes and a reused Result needs no allocation.
	Payload []byte
	// Log is what the guest logged, at most Limits.LogBytes. Same ownership.
	Log []byte
	// Version is the version that ran, after aliases were resolved.
	Version string
	Report  Report
}

// Report is what an Invocation used.
type Report struct {
	Duration time.Duration // from admission to the reply
	Billed   time.Duration // Duration rounded up to a whole millisecond, as AWS Lambda bills
	Init     time.Duration // of Duration: getting a new Instance ready; 0 on a warm one
	Restored bool          // Init restored a Snapshot
	Memory   int64         // bytes of linear memory that the Instance has now
}
