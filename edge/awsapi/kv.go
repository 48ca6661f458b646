package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// Data is what functions keep: persist.Data.
type Data interface {
	Get(bucket, key string) (persist.Item, error)
	List(bucket string, r persist.Range) (items []persist.Item, more bool, err error)
	Write(origin persist.Origin, writes []persist.Write) ([]persist.Written, error)
	Buckets() ([]persist.BucketStats, error)
	Bucket(name string) (persist.BucketStats, error)
	PutBucket(persist.DataBucket) (persist.DataBucket, error)
	DeleteBucket(name string) error
}

var _ Data = (*persist.Data)(nil)

// maxTransaction bounds the body of a transaction: persist.MaxWriteBytes in
// base64, and what JSON adds.
const maxTransaction = 8 << 20

// dataOperations are those for the data of functions. A bucket is configured at
// its own path, and with a slash behind it the path lists what is in it.
//
// A DELETE or PUT of the path with a slash is refused: it is what a script sends
// that forgot the key, and would be the end of the bucket.
func (a *api) dataOperations() []restjson.Operation {
	const read, deploy = restjson.Read, restjson.Deploy
	op := func(name, route string, access restjson.Access, serve restjson.Handler, note string) restjson.Operation {
		op := nodeOp(name, route, access, a.ofData(serve), note)
		if strings.Contains(route, "{bucket}") {
			op.Function = func(r *http.Request) string { return ownerOf(r.PathValue("bucket")) }
		}
		return op
	}
	inside := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/") }
	itself := func(r *http.Request) bool { return !inside(r) }
	matching := func(op restjson.Operation, matches func(*http.Request) bool) restjson.Operation {
		op.Matches = matches
		return op
	}
	const bucket, key = "/v1/kv/{bucket}", "/v1/kv/{bucket}/{key...}"
	return []restjson.Operation{
		op("ListBuckets", "GET /v1/kv", read, a.listBuckets, ""),
		matching(op("GetBucket", "GET "+bucket, read, a.getBucket, ""), itself),
		matching(op("PutBucket", "PUT "+bucket, deploy, a.putBucket, "its quota and its stream of changes; needs a key that is not restricted to functions"), itself),
		matching(op("DeleteBucket", "DELETE "+bucket, deploy, a.deleteBucket, "with all that is in it"), itself),
		matching(op("ListItems", "GET "+bucket, read, a.listItems, "the path with a slash at its end"), inside),
		op("GetItem", "GET "+key, read, a.getItem, ""),
		large(op("PutItem", "PUT "+key, deploy, a.putItem, "the value is the body; If-Match and If-None-Match are preconditions"), persist.MaxValueBytes),
		op("DeleteItem", "DELETE "+key, deploy, a.deleteItem, "If-Match is a precondition"),
		op("IncrementItem", "POST "+key, deploy, a.incrementItem, "?increment=N adds to a number in decimal"),
		large(inBody(op("TransactWriteItems", "POST /v1/kv", deploy, a.transact, "all or nothing, over buckets")), maxTransaction),
	}
}

// ofData refuses what needs data where there is none.
func (a *api) ofData(serve restjson.Handler) restjson.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if a.Data == nil {
			return restjson.NotImplemented("this control plane was started without data")
		}
		return serve(w, r)
	}
}

// ownerOf returns the function that a bucket belongs to, for keys that are
// restricted to some. Shared buckets belong to none.
func ownerOf(bucket string) string {
	function, own := strings.CutPrefix(bucket, persist.OwnBucket(""))
	if !own {
		return ""
	}
	return function
}

// byOperator is the origin of what comes through the control plane: no event led
// to it. Who it was is in the audit log.
var byOperator = persist.Origin{}

// bucketOf returns the bucket of a path.
func bucketOf(r *http.Request) (string, error) {
	bucket := r.PathValue("bucket")
	if err := persist.CheckBucket(bucket); err != nil {
		return "", invalid(err.Error())
	}
	if !asSigned(r) {
		return "", invalid("a signature does not cover empty segments, . and .. in a path: write them percent-encoded, as %2F and %2E")
	}
	restjson.About(r.Context(), "bucket "+bucket)
	return bucket, nil
}

// asSigned reports whether the path is the one that the request's signature
// covers, if it has one: see isNormal.
func asSigned(r *http.Request) bool {
	signer, isKey := restjson.CallerOf(r.Context()).(member)
	return !isKey || !signer.signed || isNormal(sentPath(r))
}

// dataFault is the answer to an error of the data.
func dataFault(err error, bucket string) error {
	var (
		condition *persist.ConditionError
		size      *persist.SizeError
		quota     *persist.QuotaError
		stream    *persist.StreamFullError
	)
	switch {
	case errors.As(err, &condition):
		return &fault{Status: http.StatusPreconditionFailed, Code: codePrecondition, Message: err.Error()}
	case errors.As(err, &size) && size.Size > size.Limit:
		return &fault{Status: http.StatusRequestEntityTooLarge, Code: codeTooLarge, Message: err.Error()}
	case errors.As(err, &size):
		return invalid(err.Error())
	case errors.As(err, &quota), errors.As(err, &stream):
		return &fault{Status: http.StatusBadRequest, Code: codeLimitExceeded, Message: err.Error()}
	case errors.Is(err, persist.ErrNotFound) && ownerOf(bucket) != "":
		return notFound(fmt.Sprintf("There is no function %s, or its bucket has never been written to.", ownerOf(bucket)))
	case errors.Is(err, persist.ErrNotFound) && bucket != "":
		return notFound(fmt.Sprintf("There is no bucket %s.", bucket))
	}
	return err
}

// codeLimitExceeded is DynamoDB's code for what is full.
const codeLimitExceeded = "LimitExceededException"

// dataBucket is a bucket and what is in it, as a client sees it.
type dataBucket struct {
	Name         string
	Function     string `json:",omitempty"` // whose own bucket it is; none: it is shared
	MaxBytes     int64  // of keys and values
	MaxKeys      int
	Stream       bool      // whether changes are kept, for feeds
	StreamBytes  int64     // of changes that are kept
	WhenFull     string    // of the stream: "reject", "drop-oldest"
	Created      time.Time `json:",omitzero"`
	LastModified time.Time `json:",omitzero"` // of the settings

	Keys         int
	Bytes        int64
	Sequence     uint64 // of the last write
	StreamOldest uint64 `json:",omitempty"`
	StreamNewest uint64 `json:",omitempty"`
	StreamUsed   int64  `json:",omitempty"` // bytes
}

func shownBucket(b persist.BucketStats) dataBucket {
	return dataBucket{
		Name: b.Name, Function: ownerOf(b.Name), MaxBytes: b.MaxBytes, MaxKeys: b.MaxKeys, Stream: b.Stream, StreamBytes: b.StreamBytes,
		WhenFull: b.WhenFull, Created: b.Created, LastModified: b.LastModified, Keys: b.Keys, Bytes: b.Bytes, Sequence: b.Sequence,
		StreamOldest: b.StreamOldest, StreamNewest: b.StreamNewest, StreamUsed: b.StreamUsed,
	}
}

// listBuckets is GET /v1/kv.
func (a *api) listBuckets(w http.ResponseWriter, _ *http.Request) error {
	buckets, err := a.Data.Buckets()
	if err != nil {
		return err
	}
	reply := struct{ Buckets []dataBucket }{make([]dataBucket, 0, len(buckets))}
	for _, b := range buckets {
		reply.Buckets = append(reply.Buckets, shownBucket(b))
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

// getBucket is GET /v1/kv/{bucket}.
func (a *api) getBucket(w http.ResponseWriter, r *http.Request) error {
	name, err := bucketOf(r)
	if err != nil {
		return err
	}
	return a.writeBucket(w, name)
}

func (a *api) writeBucket(w http.ResponseWriter, name string) error {
	b, err := a.Data.Bucket(name)
	if err != nil {
		return dataFault(err, name)
	}
	return restjson.WriteJSON(w, http.StatusOK, shownBucket(b))
}

// putBucket is PUT /v1/kv/{bucket}: it makes a bucket, or changes the settings of
// one. A member that is missing stays as it is.
func (a *api) putBucket(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		MaxBytes    *int64
		MaxKeys     *int
		Stream      *bool
		StreamBytes *int64
		WhenFull    *string
	}
	name, err := bucketOf(r)
	if err != nil {
		return err
	}
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	// How much of the disk is a function's is for who may use them all.
	if err := restjson.Permit(r.Context(), ""); err != nil {
		return err
	}
	err = a.changeBucket(name, func(settings *persist.DataBucket) {
		set(&settings.MaxBytes, req.MaxBytes)
		set(&settings.MaxKeys, req.MaxKeys)
		set(&settings.Stream, req.Stream)
		settings.StreamByFeed = settings.StreamByFeed && req.Stream == nil
		set(&settings.StreamBytes, req.StreamBytes)
		set(&settings.WhenFull, req.WhenFull)
	})
	if err != nil {
		return a.bucketFault(err, name)
	}
	return a.writeBucket(w, name)
}

// bucketFault is the answer to an error of a change of a bucket. A feed that stands in
// its way it names as people know it, by the command that removes it.
func (a *api) bucketFault(err error, bucket string) error {
	if !errors.Is(err, persist.ErrConflict) {
		return dataFault(err, bucket)
	}
	mappings, readErr := a.Store.Mappings()
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	for _, m := range mappings {
		if source, isFeed := m.Bucket(); isFeed && source == bucket {
			return conflict(fmt.Sprintf("bucket %s must keep its stream: the feed %s delivers its changes to the function %s; to remove the feed: ledge feed rm %s",
				bucket, m.ID, m.Function, m.ID))
		}
	}
	return dataFault(err, bucket)
}

// changeBucket edits the settings of a bucket, those of a new one where there is none.
func (a *api) changeBucket(name string, edit func(*persist.DataBucket)) error {
	a.bucketTurn.Lock() // or another change could be lost between reading and writing
	defer a.bucketTurn.Unlock()
	now, err := a.Data.Bucket(name)
	if err != nil && !errors.Is(err, persist.ErrNotFound) {
		return err
	}
	settings := now.DataBucket
	settings.Name = name
	edit(&settings)
	_, err = a.Data.PutBucket(settings)
	return err
}

// deleteBucket is DELETE /v1/kv/{bucket}.
func (a *api) deleteBucket(w http.ResponseWriter, r *http.Request) error {
	name, err := bucketOf(r)
	if err != nil {
		return err
	}
	if err := a.Data.DeleteBucket(name); err != nil {
		return a.bucketFault(err, name)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
