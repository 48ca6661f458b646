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

// KV is the data of functions. Each function sees only its own keys.
// Implementations must be safe for concurrent use.
type KV interface {
	// Get returns a copy of the value, or nil where the key is absent.
	Get(function, key string) ([]byte, error)
	// Put stores a copy of value; it returns after the value is on disk.
	Put(function, key string, value []byte) error
	// Delete removes the key; an absent key is no error.
	Delete(function, key string) error
	// List returns up to limit keys that begin with prefix and are greater than
	// after, in order; more says that there are others.
	List(function, prefix, after string, limit int) (keys []string, more bool, err error)
	// CompareAndSet is Put where the key holds expected, or is absent where that
	// is nil, and reports whether it was.
	CompareAndSet(function, key string, expected, value []byte) (bool, error)
}

// Publisher takes the messages of functions. Implementations must be safe for
// concurrent use and must not keep payload.
type Publisher interface {
	// Publish returns after the message is accepted, for qos 1 and 2 on disk.
	Publish(ctx context.Context, function, topic string, payload []byte, qos int) error
}
