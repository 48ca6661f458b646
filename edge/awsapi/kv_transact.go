package awsapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// dataWrite is one write of a transaction: exactly one of Put, Delete, Increment
// and Check. Keys and values are text, or base64 in the other member.
type dataWrite struct {
	Bucket    string
	Key       string
	KeyBase64 []byte

	Value       *string
	ValueBase64 *[]byte
	Delete      bool
	Increment   *int64
	Check       bool   // changes nothing: it is for the precondition
	TTL         string // "90" seconds, "1h30m"; empty: for ever

	// At most one precondition.
	IfAbsent      bool
	IfPresent     bool
	IfSequence    *uint64
	IfValue       *string
	IfValueBase64 *[]byte
}

// UnmarshalJSON refuses members that there are not: a precondition with a slip in its
// name must not become a write without one.
func (q *dataWrite) UnmarshalJSON(text []byte) error {
	type members dataWrite // without this method
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode((*members)(q))
}

// dataWritten is what became of a dataWrite.
type dataWritten struct {
	Sequence uint64
	Value    string `json:",omitempty"` // after an increment
	Existed  bool
}

// transact is POST /v1/kv: writes that happen all, or not at all.
func (a *api) transact(w http.ResponseWriter, r *http.Request) error {
	var req struct{ Writes []dataWrite }
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if n := len(req.Writes); n == 0 || n > persist.MaxWrites {
		return invalid(fmt.Sprintf("a transaction has 1 to %d Writes, not %d", persist.MaxWrites, n))
	}
	var buckets []string
	for _, write := range req.Writes {
		if !slices.Contains(buckets, write.Bucket) {
			buckets = append(buckets, write.Bucket)
			if err := restjson.Permit(r.Context(), ownerOf(write.Bucket)); err != nil {
				return err
			}
		}
	}
	writes := make([]persist.Write, len(req.Writes))
	for i := range req.Writes {
		var err error
		if writes[i], err = req.Writes[i].stored(); err != nil {
			return invalid(fmt.Sprintf("Writes[%d]: %s", i, messageOf(err)))
		}
	}
	restjson.About(r.Context(), fmt.Sprintf("%d keys of %.200s", len(writes), strings.Join(buckets, ", ")))
	done, err := a.Data.Write(byOperator, writes)
	if err != nil {
		return dataFault(err, "")
	}
	reply := struct{ Written []dataWritten }{make([]dataWritten, 0, len(done))}
	for _, d := range done {
		reply.Written = append(reply.Written, dataWritten{d.Sequence, string(d.Value), d.Existed})
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

// messageOf is what an error says, without the code of a *fault.
func messageOf(err error) string {
	if f, ok := err.(*fault); ok {
		return f.Message
	}
	return err.Error()
}

// stored returns the write as the store takes it. Its bounds are the store's.
func (q *dataWrite) stored() (persist.Write, error) {
	if err := persist.CheckBucket(q.Bucket); err != nil {
		return persist.Write{}, err
	}
	if q.Key != "" && q.KeyBase64 != nil {
		return persist.Write{}, invalid("it has Key and KeyBase64")
	}
	write := persist.Write{Bucket: q.Bucket, Key: q.Key + string(q.KeyBase64)}
	kinds := 0
	for _, kind := range []struct {
		given bool
		is    persist.WriteKind
	}{
		{q.Value != nil, persist.WritePut}, {q.ValueBase64 != nil, persist.WritePut}, {q.Delete, persist.WriteDelete},
		{q.Increment != nil, persist.WriteIncrement}, {q.Check, persist.WriteCheck},
	} {
		if kind.given {
			kinds, write.Kind = kinds+1, kind.is
		}
	}
	if kinds != 1 {
		return write, invalid("it needs exactly one of Value, ValueBase64, Delete, Increment and Check")
	}
	write.Value = bytesOf(q.Value, q.ValueBase64)
	if q.Increment != nil {
		write.By = *q.Increment
	}
	if q.TTL != "" {
		if write.Kind != persist.WritePut && write.Kind != persist.WriteIncrement {
			return write, invalid("TTL is for values and increments")
		}
		ttl, err := parseTTL(q.TTL)
		if err != nil {
			return write, err
		}
		write.TTL = ttl
	}
	var err error
	write.If, err = q.condition()
	return write, err
}

// condition returns the write's precondition.
func (q *dataWrite) condition() (persist.Condition, error) {
	c, given := persist.Condition{}, 0
	for _, one := range []struct {
		given bool
		is    persist.ConditionKind
	}{
		{q.IfAbsent, persist.IfAbsent}, {q.IfPresent, persist.IfPresent}, {q.IfSequence != nil, persist.IfSequence},
		{q.IfValue != nil, persist.IfValue}, {q.IfValueBase64 != nil, persist.IfValue},
	} {
		if one.given {
			c.Kind, given = one.is, given+1
		}
	}
	if given > 1 {
		return c, invalid("it has several preconditions")
	}
	if q.Check && given == 0 {
		return c, invalid("Check needs a precondition")
	}
	if q.IfSequence != nil {
		c.Sequence = *q.IfSequence
	}
	c.Value = bytesOf(q.IfValue, q.IfValueBase64)
	return c, nil
}

// bytesOf returns the one of two members that is there, nil for none.
func bytesOf(text *string, base64 *[]byte) []byte {
	switch {
	case text != nil:
		return []byte(*text)
	case base64 != nil:
		return append([]byte{}, *base64...)
	}
	return nil
}
