package engine

import "time"

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
}
