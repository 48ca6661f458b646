package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// expiresHeader says when an item expires (RFC 3339). HTTP's own Expires is of
// copies in caches.
const expiresHeader = "Ledge-Expires"

// itemOf returns the bucket and the key of a path.
func itemOf(r *http.Request) (bucket, key string, err error) {
	if bucket, err = bucketOf(r); err != nil {
		return "", "", err
	}
	key = keyOf(r)
	restjson.About(r.Context(), fmt.Sprintf("bucket %s key %.200q", bucket, key))
	return bucket, key, nil
}

// noItem is the fault of a key that holds nothing.
func noItem(bucket, key string) *fault {
	return notFound(fmt.Sprintf("There is no key %.200q in bucket %s.", key, bucket))
}

// describeItem sets the headers of an item.
func describeItem(h http.Header, item persist.Item) {
	h.Set("ETag", etag(item.Sequence))
	h.Set("Cache-Control", "no-cache") // ask each time; the ETag makes it cheap
	if !item.Modified.IsZero() {
		h.Set("Last-Modified", item.Modified.UTC().Format(http.TimeFormat))
	}
	if !item.Expires.IsZero() {
		h.Set(expiresHeader, item.Expires.UTC().Format(time.RFC3339Nano))
	}
}

// getItem is GET /v1/kv/{bucket}/{key...}: the value as it is.
func (a *api) getItem(w http.ResponseWriter, r *http.Request) error {
	bucket, key, err := itemOf(r)
	if err != nil {
		return err
	}
	item, err := a.Data.Get(bucket, key)
	if err != nil {
		return dataFault(err, bucket)
	}
	if item.Value == nil {
		return noItem(bucket, key)
	}
	describeItem(w.Header(), item)
	if isFresh(r.Header, item) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(item.Value)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(item.Value) // a client that is gone needs no answer
	return nil
}

// write does one write for a request, with the precondition of its headers.
func (a *api) write(r *http.Request, write persist.Write) (done persist.Written, err error) {
	if write.If, err = precondition(r.Header); err != nil {
		return done, err
	}
	all, err := a.Data.Write(byOperator, []persist.Write{write})
	var unmet *persist.ConditionError
	if errors.As(err, &unmet) {
		return done, &fault{Status: http.StatusPreconditionFailed, Code: codePrecondition,
			Message: fmt.Sprintf("nothing was written: key %.200q of bucket %s %s", write.Key, write.Bucket, unmet.Why)}
	}
	if err != nil {
		return done, dataFault(err, write.Bucket)
	}
	return all[0], nil
}

// putItem is PUT /v1/kv/{bucket}/{key...}?ttl=DURATION: the body is the value.
func (a *api) putItem(w http.ResponseWriter, r *http.Request) error {
	bucket, key, err := itemOf(r)
	if err != nil {
		return err
	}
	ttl, err := ttlOf(r)
	if err != nil {
		return err
	}
	value := restjson.Body(r.Context())
	done, err := a.write(r, persist.Write{Bucket: bucket, Key: key, Kind: persist.WritePut, Value: value, TTL: ttl})
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(done.Sequence))
	if done.Existed {
		w.WriteHeader(http.StatusNoContent)
	} else {
		w.WriteHeader(http.StatusCreated)
	}
	return nil
}

// deleteItem is DELETE /v1/kv/{bucket}/{key...}.
func (a *api) deleteItem(w http.ResponseWriter, r *http.Request) error {
	bucket, key, err := itemOf(r)
	if err != nil {
		return err
	}
	done, err := a.write(r, persist.Write{Bucket: bucket, Key: key, Kind: persist.WriteDelete})
	if err != nil {
		return err
	}
	if !done.Existed {
		return noItem(bucket, key)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// incrementItem is POST /v1/kv/{bucket}/{key...}?increment=N&ttl=DURATION. The
// reply is the number, in decimal.
func (a *api) incrementItem(w http.ResponseWriter, r *http.Request) error {
	bucket, key, err := itemOf(r)
	if err != nil {
		return err
	}
	by, err := strconv.ParseInt(r.URL.Query().Get("increment"), 10, 64)
	if err != nil {
		return invalid(fmt.Sprintf("increment must be a whole number, not %.40q; to store a value, use PUT", r.URL.Query().Get("increment")))
	}
	ttl, err := ttlOf(r)
	if err != nil {
		return err
	}
	done, err := a.write(r, persist.Write{Bucket: bucket, Key: key, Kind: persist.WriteIncrement, By: by, TTL: ttl})
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(done.Sequence))
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(done.Value) // a client that is gone needs no answer
	return nil
}

// maxTTL is the longest time to live: a hundred years.
const maxTTL = 100 * 365 * 24 * time.Hour

// ttlOf reads the parameter ttl; 0 is for ever.
func ttlOf(r *http.Request) (time.Duration, error) {
	q := r.URL.Query()
	if !q.Has("ttl") {
		return 0, nil
	}
	return parseTTL(q.Get("ttl"))
}

// parseTTL reads "90", which are seconds, or "1h30m".
func parseTTL(text string) (time.Duration, error) {
	ttl, err := time.ParseDuration(text)
	if seconds, plain := strconv.ParseUint(text, 10, 32); plain == nil {
		ttl, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || ttl <= 0 || ttl > maxTTL {
		return 0, invalid(fmt.Sprintf("ttl must be how long the key lives, 1ms to 100 years, in seconds or as 1h30m, not %.40q", text))
	}
	return ttl, nil
}

// item is a key and its value in JSON: as text where it is UTF-8, else in base64.
type item struct {
	Key         string    `json:",omitempty"`
	KeyBase64   []byte    `json:",omitempty"`
	Value       *string   `json:",omitempty"`
	ValueBase64 []byte    `json:",omitempty"`
	Sequence    uint64    `json:",omitempty"`
	Modified    time.Time `json:",omitzero"`
	Expires     time.Time `json:",omitzero"`
}

func shownItem(i persist.Item) item {
	shown := item{Sequence: i.Sequence, Modified: i.Modified, Expires: i.Expires}
	if utf8.ValidString(i.Key) {
		shown.Key = i.Key
	} else {
		shown.KeyBase64 = []byte(i.Key)
	}
	switch {
	case i.Value == nil:
	case utf8.Valid(i.Value):
		text := string(i.Value)
		shown.Value = &text
	default:
		shown.ValueBase64 = i.Value
	}
	return shown
}

// maxItems is the largest limit of listItems.
const maxItems = persist.MaxListItems

// listItems is GET /v1/kv/{bucket}/?prefix=&from=&to=&after=&limit=&values=1&reverse=1.
// A page may be shorter than its limit; after is the last key of the one before.
func (a *api) listItems(w http.ResponseWriter, r *http.Request) error {
	bucket, err := bucketOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	wanted := persist.Range{Prefix: q.Get("prefix"), From: q.Get("from"), To: q.Get("to"), After: q.Get("after")}
	if wanted.Limit, err = restjson.Number(r, "limit", persist.DefaultListItems, maxItems); err != nil {
		return err
	}
	values, err := flagOf(r, "values")
	if err == nil {
		wanted.Reverse, err = flagOf(r, "reverse")
	}
	if err != nil {
		return err
	}
	wanted.KeysOnly = !values
	items, more, err := a.Data.List(bucket, wanted)
	if err != nil {
		return dataFault(err, bucket)
	}
	if len(items) == 0 {
		// What is empty is told from what is not there, which is likely misspelt.
		if _, err := a.Data.Bucket(bucket); errors.Is(err, persist.ErrNotFound) {
			return dataFault(err, bucket)
		}
	}
	reply := struct {
		Items []item
		More  bool
	}{Items: make([]item, 0, len(items)), More: more}
	for _, i := range items {
		reply.Items = append(reply.Items, shownItem(i))
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

// flagOf reads a parameter that is 1 or 0.
func flagOf(r *http.Request, name string) (bool, error) {
	switch text := r.URL.Query().Get(name); text {
	case "", "0", "false":
		return false, nil
	case "1", "true":
		return true, nil
	default:
		return false, invalid(fmt.Sprintf("%s must be 0 or 1, not %.100q", name, text))
	}
}
