package engine

import (
	"context"
	"time"
)

// LogSink takes what functions log. Implementations must be safe for
// concurrent use and must not keep text after they return.
type LogSink interface {
	// AppendLog stores text, one or more lines that one Invocation of function
	// produced. It must not block on the disk: an Invocation waits for it.
	AppendLog(function, version string, id RequestID, at time.Time, text []byte)
}

// Publisher takes the messages of functions. Implementations must be safe for
// concurrent use and must not keep payload.
type Publisher interface {
	// Publish returns after the message is accepted, for qos 1 and 2 on disk.
	Publish(ctx context.Context, function, topic string, payload []byte, qos int) error
}

// Async takes the events that functions leave for others. Implementations must be
// safe for concurrent use and must not keep the payload.
type Async interface {
	// InvokeAsync returns after the event is on disk. The function then runs at least
	// once under the request id, or the event becomes a dead letter.
	InvokeAsync(event AsyncEvent) (RequestID, error)
}

// AsyncEvent is an event that one function leaves for another.
type AsyncEvent struct {
	Function, Qualifier string
	Payload             []byte // JSON; borrowed
	Depth               int    // events that led to it
}

// Data is what functions keep: buckets of keys and binary values. Implementations
// must be safe for concurrent use. An error that has a method LimitExceeded() bool
// tells the function that something is too large or full, an *InvalidError that the
// request makes no sense; all others mean that the node cannot do it now.
type Data interface {
	// Get returns what the key holds. An absent or expired one is no error and has no
	// Value, and so it is in a bucket that does not exist.
	Get(bucket, key string) (Item, error)
	// List returns the items of r that have not expired, in byte order of their keys;
	// more says that there are others behind the last one.
	List(bucket string, r Range) (items []Item, more bool, err error)
	// Write does all writes, over buckets, or none of them, and returns after that is
	// on disk. A *ConditionError says which condition did not hold.
	Write(origin Origin, writes []Write) ([]Written, error)
}

// OwnBucket names the bucket that is a function's own and goes with it.
func OwnBucket(function string) string { return ownBucketPrefix + function }

const ownBucketPrefix = "function."

// Item is a key and what it holds. Value belongs to whoever got the Item.
type Item struct {
	Key      string
	Value    []byte    // nil where the key is absent; an empty value is not nil
	Sequence uint64    // of the write that made it what it is, counted by its bucket; 0 where absent
	Modified time.Time // zero where it is not known
	Expires  time.Time // zero where it never does
}

// Range says which keys of a bucket to list. All that is set must hold.
type Range struct {
	Prefix string // of the keys
	From   string // the first key, in byte order, whichever way it goes
	To     string // the first key beyond
	After  string // a cursor: the last key of the page before

	Limit    int // items at most
	MaxBytes int // of keys and values, if it is more than one item

	KeysOnly bool // leave out the values
	Reverse  bool // the last key first
}

// WriteKind is what a Write does.
type WriteKind uint8

// Kinds of writes.
const (
	WritePut       WriteKind = iota // stores Value
	WriteDelete                     // removes the key; an absent one is no error
	WriteIncrement                  // adds By to the number that the key holds, 0 where it is absent
	WriteCheck                      // changes nothing, for its Condition
)

// ConditionKind is what a Condition asks of a key.
type ConditionKind uint8

// Kinds of conditions.
const (
	Always     ConditionKind = iota
	IfAbsent                 // it holds nothing
	IfPresent                // it holds something
	IfValue                  // it holds Value
	IfSequence               // the write with Sequence made it what it is; 0: it holds nothing
)

// Condition is what must hold of a key for a Write to happen.
type Condition struct {
	Kind     ConditionKind
	Value    []byte
	Sequence uint64
}

// Write is one step of a transaction. Its bytes are borrowed.
type Write struct {
	Bucket, Key string
	Kind        WriteKind
	Value       []byte        // of WritePut
	By          int64         // of WriteIncrement
	TTL         time.Duration // until it expires, at least; 0: never. An increment uses it where it makes the key
	If          Condition
}

// Written is what became of a Write.
type Written struct {
	Sequence uint64 // of the write, counted by its bucket
	Value    []byte // after an increment: the number in decimal
	Existed  bool   // the key held something before
}

// Origin says who writes.
type Origin struct {
	Function string
	Depth    int // of the events that led to the write, see Invocation.Depth
}
