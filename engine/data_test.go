package engine

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// memoryData is Data in memory.
type memoryData struct {
	mu       sync.Mutex
	items    map[string]map[string]Item // by bucket and key
	sequence uint64                     // of all buckets
	origins  []Origin                   // of each Write
}

func (d *memoryData) Get(bucket, key string) (Item, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	item := d.items[bucket][key]
	if item.Value != nil {
		item.Value = append([]byte{}, item.Value...)
	}
	return item, nil
}

func (d *memoryData) List(bucket string, r Range) (items []Item, more bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	keys := slices.Sorted(maps.Keys(d.items[bucket]))
	if r.Reverse {
		slices.Reverse(keys)
	}
	size := 0
	for _, key := range keys {
		past := key <= r.After
		if r.Reverse {
			past = r.After != "" && key >= r.After
		}
		if past || !strings.HasPrefix(key, r.Prefix) || key < r.From || r.To != "" && key >= r.To {
			continue
		}
		item := d.items[bucket][key]
		if r.KeysOnly {
			item.Value = nil
		}
		if size += len(key) + len(item.Value); len(items) > 0 && (len(items) == r.Limit || size > r.MaxBytes) {
			return items, true, nil
		}
		items = append(items, item)
	}
	return items, false, nil
}

func (d *memoryData) Write(origin Origin, writes []Write) (written []Written, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, w := range writes {
		now := d.items[w.Bucket][w.Key]
		holds := map[ConditionKind]bool{
			Always: true, IfAbsent: now.Value == nil, IfPresent: now.Value != nil,
			IfValue: now.Value != nil && bytes.Equal(now.Value, w.If.Value), IfSequence: now.Sequence == w.If.Sequence,
		}
		if !holds[w.If.Kind] {
			return nil, &ConditionError{Index: i, Now: now, Err: errors.New("it is not so")}
		}
		if _, err := strconv.ParseInt(string(now.Value), 10, 64); w.Kind == WriteIncrement && now.Value != nil && err != nil {
			return nil, &InvalidError{errors.New("it is no number")}
		}
	}
	d.origins = append(d.origins, origin)
	for _, w := range writes {
		now := d.items[w.Bucket][w.Key]
		done := Written{Existed: now.Value != nil, Sequence: now.Sequence}
		if d.items == nil {
			d.items = map[string]map[string]Item{}
		}
		if d.items[w.Bucket] == nil {
			d.items[w.Bucket] = map[string]Item{}
		}
		next := Item{Key: w.Key, Value: append([]byte{}, w.Value...), Sequence: d.sequence + 1, Modified: time.UnixMilli(1_700_000_000_123)}
		if w.TTL > 0 {
			next.Expires = next.Modified.Add(w.TTL)
		}
		switch w.Kind {
		case WriteCheck:
			written = append(written, done)
			continue
		case WriteDelete:
			delete(d.items[w.Bucket], w.Key)
		case WriteIncrement:
			n, _ := strconv.ParseInt(string(now.Value), 10, 64) // it was looked at, or is absent
			next.Value = strconv.AppendInt(nil, n+w.By, 10)
			done.Value = next.Value
			fallthrough
		case WritePut:
			d.items[w.Bucket][w.Key] = next
		}
		d.sequence++
		done.Sequence = d.sequence
		written = append(written, done)
	}
	return written, nil
}

// put stores a value in a function's own bucket.
func (d *memoryData) put(t testing.TB, bucket, key string, value []byte) {
	t.Helper()
	if _, err := d.Write(Origin{}, []Write{{Bucket: bucket, Key: key, Value: value}}); err != nil {
		t.Fatal(err)
	}
}

// remove deletes a key.
func remove(t testing.TB, d Data, bucket, key string) {
	t.Helper()
	if _, err := d.Write(Origin{}, []Write{{Bucket: bucket, Key: key, Kind: WriteDelete}}); err != nil {
		t.Fatal(err)
	}
}

// limitedData refuses what is too large, as a store on disk does.
type limitedData struct{ memoryData }

type tooLarge struct{}

func (tooLarge) Error() string       { return "the value has more than 10 bytes" }
func (tooLarge) LimitExceeded() bool { return true }

// emptyKey has a size as tooLarge has, and exceeds none.
type emptyKey struct{ tooLarge }

func (emptyKey) Error() string { return "the key is empty" }

func (*limitedData) Get(string, string) (Item, error) { return Item{}, errors.New("the disk is gone") }

func (d *limitedData) Write(origin Origin, writes []Write) ([]Written, error) {
	if writes[0].Key == "" {
		return nil, &InvalidError{Err: emptyKey{}}
	}
	if writes[0].Kind == WritePut {
		return nil, fmt.Errorf("put: %w", tooLarge{})
	}
	return d.memoryData.Write(origin, writes)
}

// slowData is on a slow disk.
type slowData struct{ Data }

func (slowData) Get(string, string) (Item, error) {
	time.Sleep(time.Millisecond)
	return Item{}, nil
}
