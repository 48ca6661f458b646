package main

import (
	"encoding/json"
	"fmt"

	"github.com/extism/go-pdk"
)

// The functions of the node that this program uses. ledge.h beside this folder
// describes all of them; arguments and results are offsets of blocks of the host's
// memory, or plain numbers.

//go:wasmimport extism:host/user ledge_status
func ledgeStatus() int32

//go:wasmimport extism:host/user ledge_error
func ledgeError() uint64

//go:wasmimport extism:host/user ledge_kv_increment
func ledgeIncrement(bucket, key uint64, by int64, options uint64) int64

//go:wasmimport extism:host/user ledge_kv_list
func ledgeList(bucket, options uint64) uint64

//go:wasmimport extism:host/user ledge_kv_transact
func ledgeTransact(writes uint64) uint64

// What ledgeStatus says.
const (
	done   = 0
	absent = 1
)

// block puts a text into the host's memory. No text is no block.
func block(text string) uint64 {
	if text == "" {
		return 0
	}
	m := pdk.AllocateString(text)
	return m.Offset()
}

// failure is the error of the last call, nil where it went well.
func failure() error {
	if ledgeStatus() == done {
		return nil
	}
	var why struct{ Type, Message string }
	if err := json.Unmarshal(pdk.ParamBytes(ledgeError()), &why); err != nil {
		return fmt.Errorf("read why a call failed: %w", err)
	}
	return fmt.Errorf("%s: %s", why.Type, why.Message)
}

// increment adds to a number of a bucket, "" for the function's own, and returns the sum.
func increment(bucket, key string, by int64) (int64, error) {
	sum := ledgeIncrement(block(bucket), block(key), by, 0)
	return sum, failure()
}

// list returns up to 1000 keys of a bucket that begin with prefix.
func list(bucket, prefix string) ([]string, error) {
	options, err := json.Marshal(map[string]string{"prefix": prefix})
	if err != nil {
		return nil, err
	}
	reply := ledgeList(block(bucket), block(string(options)))
	if err := failure(); err != nil {
		return nil, err
	}
	var page struct{ Keys []string }
	err = json.Unmarshal(pdk.ParamBytes(reply), &page)
	return page.Keys, err
}

// write is one of a transaction.
type write struct {
	Bucket    string `json:"bucket,omitempty"`
	Put       string `json:"put,omitempty"`
	Increment string `json:"increment,omitempty"`
	Value     string `json:"value,omitempty"`
	TTL       int    `json:"ttl,omitempty"` // in seconds
	IfAbsent  bool   `json:"ifAbsent,omitempty"`
}

// transact does all writes, or none where a condition does not hold.
func transact(writes ...write) (held bool, err error) {
	text, err := json.Marshal(writes)
	if err != nil {
		return false, err
	}
	ledgeTransact(block(string(text)))
	if ledgeStatus() == absent {
		return false, nil
	}
	return true, failure()
}
