package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ledge/engine/capi"
)

// Bounds of what one call reads or writes.
const (
	maxListed      = 1000    // items in one reply
	maxListedBytes = 1 << 20 // of their keys and values, if it is more than one
	maxWrites      = 100     // in a transaction
)

var errNoData = errors.New("this node keeps no variables")

// bucket returns the whole name of a bucket that the function names, if it may use it
// so. The empty name is its own bucket.
func (h *host) bucket(name string, write bool) (string, error) {
	f := h.function
	if name == "" || name == h.own {
		return h.own, nil
	}
	if strings.HasPrefix(name, ownBucketPrefix) {
		return "", denied("%s may not use bucket %s, which is another function's own; share data in a bucket with another name", f.Name, name)
	}
	if !sharedBucket(name) {
		return "", badRequest("%q is no bucket: a name has 1 to 63 letters, digits, _ . and -", name)
	}
	for _, allowed := range f.AllowBuckets {
		if rest, ok := strings.CutPrefix(allowed, name); ok && (rest == "" || !write && rest == readOnly) {
			return name, nil
		}
	}
	if write {
		return "", denied("%s may not write to bucket %s; allow it with --allow-bucket %s", f.Name, name, name)
	}
	return "", denied("%s may not read bucket %s; allow it with --allow-bucket %s%s", f.Name, name, name, readOnly)
}

// data returns the node's data.
func (h *host) data() (Data, error) {
	if h.runtime.cfg.Data == nil {
		return nil, h.explain(errNoData)
	}
	return h.runtime.cfg.Data, nil
}

// explain adds to an error of the data what may be the reason for it.
func (h *host) explain(err error) error {
	if err == nil || h.instance.serving {
		return err
	}
	return fmt.Errorf("%w (a function has no data yet while it is being loaded for the first time)", err)
}

func (h *host) get(bucket, key string) (Item, error) {
	bucket, err := h.bucket(bucket, false)
	if err != nil {
		return Item{}, err
	}
	data, err := h.data()
	if err != nil {
		return Item{}, err
	}
	item, err := data.Get(bucket, key)
	return item, h.explain(err)
}

// write does the writes, whose buckets are as the function names them, or none.
func (h *host) write(writes ...Write) ([]Written, error) {
	if len(writes) == 0 || len(writes) > maxWrites {
		return nil, badRequest("a transaction has 1 to %d writes, not %d", maxWrites, len(writes))
	}
	for i := range writes {
		w := &writes[i]
		var err error
		if w.Bucket, err = h.bucket(w.Bucket, w.Kind != WriteCheck); err != nil {
			return nil, err
		}
	}
	data, err := h.data()
	if err != nil {
		return nil, err
	}
	written, err := data.Write(Origin{Function: h.function.Name, Depth: h.instance.depth}, writes)
	if err == nil && len(written) != len(writes) {
		err = fmt.Errorf("the node did %d of %d writes", len(written), len(writes))
	}
	return written, h.explain(err)
}

// itemHead is what a guest is told of an Item beside its value. Times are
// milliseconds since 1970, 0 for none.
type itemHead struct {
	Key      string `json:"key,omitempty"`
	Size     *int   `json:"size,omitempty"`  // of the value, in the reply's body
	Value    []byte `json:"value,omitempty"` // in base64; where there is no body
	Sequence uint64 `json:"sequence"`
	Modified int64  `json:"modified"`
	Expires  int64  `json:"expires"`
}

func headOf(item Item) itemHead {
	return itemHead{Sequence: item.Sequence, Modified: millis(item.Modified), Expires: millis(item.Expires)}
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (h *host) callKVGet(head []byte) (reply capi.Reply, err error) {
	var want struct {
		Bucket, Key string
		Item        bool // tell of the item, too
	}
	if err := readCall(head, &want, maxHead); err != nil {
		return reply, err
	}
	item, err := h.get(want.Bucket, want.Key)
	switch {
	case err != nil:
		return reply, err
	case item.Value == nil:
		reply.Status = callAbsent
	case want.Item:
		reply.Head, err = json.Marshal(headOf(item))
	}
	reply.Body = item.Value
	return reply, err
}

// listCall asks for a page of a bucket.
type listCall struct {
	Bucket             string
	Prefix, Start, End string
	After              string // a key; Next wins
	Next               []byte // as the page before gave it: a key that may be no text
	Limit              int
	Reverse, Items     bool
}

// page is the reply to a listCall.
type page struct {
	Keys  []string   `json:"keys,omitzero"`
	Items []itemHead `json:"items,omitzero"`
	More  bool       `json:"more"`
	Next  []byte     `json:"next,omitempty"`
}

func (h *host) list(want *listCall) (items []Item, more bool, err error) {
	bucket, err := h.bucket(want.Bucket, false)
	if err != nil {
		return nil, false, err
	}
	data, err := h.data()
	if err != nil {
		return nil, false, err
	}
	r := Range{Prefix: want.Prefix, From: want.Start, To: want.End, After: want.After, Limit: want.Limit, MaxBytes: maxListedBytes,
		KeysOnly: !want.Items, Reverse: want.Reverse}
	if want.Next != nil {
		r.After = string(want.Next)
	}
	if r.Limit <= 0 || r.Limit > maxListed {
		r.Limit = maxListed
	}
	items, more, err = data.List(bucket, r)
	return items, more && len(items) > 0, h.explain(err)
}

// pageOf tells of the items. inside puts the values into it, too.
func pageOf(want *listCall, items []Item, more, inside bool) page {
	p := page{More: more}
	if want.Items {
		p.Items = make([]itemHead, 0, len(items))
	} else {
		p.Keys = make([]string, 0, len(items))
	}
	if more {
		p.Next = []byte(items[len(items)-1].Key)
	}
	for i := range items {
		if !want.Items {
			p.Keys = append(p.Keys, items[i].Key)
			continue
		}
		head := headOf(items[i])
		head.Key = items[i].Key
		if inside {
			head.Value = items[i].Value
		} else {
			size := len(items[i].Value)
			head.Size = &size
		}
		p.Items = append(p.Items, head)
	}
	return p
}

func (h *host) callKVList(head []byte) (reply capi.Reply, err error) {
	var want listCall
	if err := readCall(head, &want, maxHead); err != nil {
		return reply, err
	}
	items, more, err := h.list(&want)
	if err != nil {
		return reply, err
	}
	kept := held{runtime: h.runtime}
	defer kept.release()
	if err := kept.takeItems(items); err != nil {
		return reply, err
	}
	if want.Items {
		for i := range items {
			reply.Body = append(reply.Body, items[i].Value...)
		}
	}
	reply.Head, err = json.Marshal(pageOf(&want, items, more, false))
	return reply, err
}
