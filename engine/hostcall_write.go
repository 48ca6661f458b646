package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ledge/engine/capi"
)

// writeCall is one write as guests spell it: one of Put, Delete, Increment and Check
// has its key.
type writeCall struct {
	Bucket                        string
	Put, Delete, Increment, Check *string

	// The value of Put: text, base64, or so many bytes of the call's body.
	Value  *string
	Base64 []byte
	Size   *int

	By  json.RawMessage // of Increment, a number or its digits; 1 where it is left out
	TTL *float64        // in seconds; none where it is left out

	IfAbsent, IfPresent bool
	IfValue             *string // as Value
	IfBase64            []byte
	IfSize              *int
	IfSequence          *uint64
}

// writeCalls are decoded no further than a transaction may have writes.
type writeCalls []writeCall

func (c *writeCalls) UnmarshalJSON(text []byte) error {
	from := json.NewDecoder(bytes.NewReader(text))
	from.DisallowUnknownFields()
	if start, err := from.Token(); err != nil || start != json.Delim('[') {
		return badRequest("the writes are no array")
	}
	for from.More() {
		if len(*c) == maxWrites {
			return badRequest("a transaction has at most %d writes", maxWrites)
		}
		var next writeCall
		if err := from.Decode(&next); err != nil {
			return wrongWrite(len(*c), len(*c) == 0 && !from.More(), errors.New(wrongJSON(err)))
		}
		*c = append(*c, next)
	}
	return nil
}

// wrongWrite says what is wrong with a write. That of one alone has no number: who
// wrote it may have called put, and never heard of transactions.
func wrongWrite(index int, alone bool, err error) error {
	if alone {
		return badRequest("%s", err)
	}
	return badRequest("write %d: %s", index, err)
}

// read makes Writes of the calls, whose values may lie in body one behind the other,
// a write's own before that of its condition. They borrow from it.
func (c writeCalls) read(body []byte) ([]Write, error) {
	writes := make([]Write, len(c))
	for i := range c {
		var err error
		if body, err = c[i].read(&writes[i], body); err != nil {
			return nil, wrongWrite(i, len(c) == 1, err)
		}
	}
	if len(body) > 0 {
		return nil, badRequest("%d bytes of the call belong to no write", len(body))
	}
	return writes, nil
}

var errOneWrite = errors.New("it has one of put, delete, increment and check, with the key")

func (c *writeCall) read(w *Write, body []byte) ([]byte, error) {
	w.Bucket = c.Bucket
	found := 0
	for kind, key := range []*string{WritePut: c.Put, WriteDelete: c.Delete, WriteIncrement: c.Increment, WriteCheck: c.Check} {
		if key != nil {
			w.Kind, w.Key = WriteKind(kind), *key
			found++
		}
	}
	if found != 1 {
		return nil, errOneWrite
	}
	by := strings.Trim(string(c.By), `"`)
	if by == "null" {
		by = ""
	}
	var err error
	if w.Value, body, err = choose("value", c.Value, c.Base64, c.Size, body); err != nil {
		return nil, err
	}
	switch {
	case w.Kind == WritePut && w.Value == nil:
		return nil, errors.New("put needs a value")
	case w.Kind != WritePut && w.Value != nil:
		return nil, errors.New("only put has a value")
	case by != "" && w.Kind != WriteIncrement:
		return nil, errors.New("only increment has by")
	case w.Kind == WriteIncrement && by == "":
		w.By = 1
	case w.Kind == WriteIncrement:
		if w.By, err = strconv.ParseInt(by, 10, 64); err != nil {
			return nil, fmt.Errorf("by is %.40s, and not a whole number of 64 bits", by)
		}
	}
	if c.TTL != nil {
		if w.Kind != WritePut && w.Kind != WriteIncrement {
			return nil, errors.New("only put and increment have a ttl")
		}
		if w.TTL, err = ttl(*c.TTL); err != nil {
			return nil, err
		}
	}
	return c.readCondition(w, body)
}

func (c *writeCall) readCondition(w *Write, body []byte) ([]byte, error) {
	expected, body, err := choose("ifValue", c.IfValue, c.IfBase64, c.IfSize, body)
	if err != nil {
		return nil, err
	}
	found := 0
	for _, has := range []struct {
		given bool
		what  Condition
	}{
		{c.IfAbsent, Condition{Kind: IfAbsent}},
		{c.IfPresent, Condition{Kind: IfPresent}},
		{expected != nil, Condition{Kind: IfValue, Value: expected}},
		{c.IfSequence != nil, Condition{Kind: IfSequence}},
	} {
		if has.given {
			w.If = has.what
			found++
		}
	}
	if c.IfSequence != nil {
		w.If.Sequence = *c.IfSequence
	}
	switch {
	case found > 1:
		return nil, errors.New("it has one condition at most")
	case found == 0 && w.Kind == WriteCheck:
		return nil, errors.New("check has a condition")
	}
	return body, nil
}

// choose returns the value that is given in one of three ways, nil for none, and what
// is left of body.
func choose(name string, text *string, base64 []byte, size *int, body []byte) (value, rest []byte, err error) {
	found := 0
	if text != nil {
		value = []byte(*text)
		found++
	}
	if base64 != nil {
		value = base64
		found++
	}
	if size != nil {
		if *size < 0 || *size > len(body) {
			return nil, nil, fmt.Errorf("%s has %d bytes, of which the call brought %d", name, *size, len(body))
		}
		value, body = body[:*size:*size], body[*size:]
		found++
	}
	if found > 1 {
		return nil, nil, fmt.Errorf("%s is given twice", name)
	}
	if found == 1 && value == nil {
		value = []byte{} // an empty one is not none
	}
	return value, body, nil
}

// maxTTL is more than anybody waits for, and can be counted in nanoseconds.
const maxTTL = 100 * 365 * 24 * time.Hour

func ttl(seconds float64) (time.Duration, error) {
	if !(seconds > 0) || seconds > maxTTL.Seconds() {
		return 0, fmt.Errorf("ttl is %v, and not a number of seconds from 0.001 to 100 years", seconds)
	}
	return max(time.Duration(math.Ceil(seconds*1000))*time.Millisecond, time.Millisecond), nil
}

// writtenHead is what a guest is told of a Write.
type writtenHead struct {
	Sequence uint64 `json:"sequence"`
	Value    string `json:"value,omitempty"` // after an increment: decimal
	Existed  bool   `json:"existed"`
}

func headsOf(written []Written) (heads []writtenHead) {
	for _, w := range written {
		heads = append(heads, writtenHead{Sequence: w.Sequence, Value: string(w.Value), Existed: w.Existed})
	}
	return heads
}

func (h *host) callKVWrite(head, body []byte) (reply capi.Reply, err error) {
	var want struct{ Writes writeCalls }
	kept := held{runtime: h.runtime}
	defer kept.release()
	if err := kept.takeWrites(head, body); err != nil {
		return reply, err
	}
	if err := readCall(head, &want, maxWriteHead); err != nil {
		return reply, err
	}
	writes, err := want.Writes.read(body)
	if err != nil {
		return reply, err
	}
	written, err := h.write(writes...)
	if err != nil {
		return reply, err
	}
	reply.Head, err = json.Marshal(struct {
		Written []writtenHead `json:"written"`
	}{headsOf(written)})
	return reply, err
}
