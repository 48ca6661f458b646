package awsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// Patterns judges filter patterns: scheduler.Patterns.
type Patterns interface {
	// Check returns what is wrong with a pattern: a sentence without a full stop.
	Check(pattern string) error
}

// feedStore is the part of the Store with how far feeds are.
type feedStore interface {
	GetFeed(mapping string) (persist.Feed, error)
	Changes(bucket string, after uint64, limit, maxBytes int) (changes []persist.Change, more bool, err error)
	StreamBounds(bucket string) (oldest, newest uint64, err error)
}

// feedOperations are those for feeds as the node sees them. A key that is for some
// functions only may use none: the feeds are of all.
func (a *api) feedOperations() []restjson.Operation {
	return []restjson.Operation{
		nodeOp("ListFeeds", "GET /v1/feeds", restjson.Read, a.listFeeds, "how far each change feed is, and what it has trouble with"),
	}
}

// States of a mapping
// (https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html).
const (
	stateEnabled   = "Enabled"
	stateEnabling  = "Enabling"
	stateDisabled  = "Disabled"
	stateDisabling = "Disabling"
	stateUpdating  = "Updating"
)

// stateOf returns the state of a feed: what is wanted is not there at once, and a batch
// that runs is not cut off.
func stateOf(enabled, running bool) string {
	switch {
	case enabled && running:
		return stateEnabled
	case enabled:
		return stateEnabling
	case running:
		return stateDisabling
	}
	return stateDisabled
}

// stateAfter is the state that an update answers with; empty is the one that the
// mapping is in.
func stateAfter(kind sourceKind, was, enabled bool) string {
	switch {
	case kind != feedSource:
		return ""
	case enabled && !was:
		return stateEnabling
	case !enabled && was:
		return stateDisabling
	case enabled:
		return stateUpdating
	}
	return ""
}

// feedsGoWith returns what to call when a function was deleted, and with it the
// mappings that have to do with it: they must not reach a later function of its name.
func (a *api) feedsGoWith(function string) (told func(), err error) {
	mappings, err := a.Store.Mappings()
	if err != nil {
		return nil, err
	}
	return func() {
		for _, m := range mappings {
			if bucket, _ := m.Bucket(); m.Function == function || bucket == persist.OwnBucket(function) {
				a.FeedChanged(m.ID)
			}
		}
	}, nil
}

// permitSource refuses the changes of a bucket that the caller may not read itself: a
// function's own needs a key for that function, a shared one a key for all. A
// function's own bucket, which no other sees, feeds that function alone.
func permitSource(ctx context.Context, source, function string) error {
	bucket, isFeed := persist.EventSourceMapping{Source: source}.Bucket()
	if !isFeed {
		return nil
	}
	owner := ownerOf(bucket)
	if caller := restjson.CallerOf(ctx); caller != nil && !caller.Allows(restjson.Read, owner) {
		return &fault{Status: http.StatusForbidden, Code: restjson.CodeDenied,
			Message: fmt.Sprintf("User: %s is not authorized to have the changes of bucket %s delivered because its key does not allow read there", caller.ARN(), bucket)}
	}
	if owner != "" && owner != function {
		return invalid(notOthers(bucket, owner))
	}
	return nil
}

// notOthers says why a function's own bucket cannot be watched by another.
func notOthers(bucket, owner string) string {
	return fmt.Sprintf("the bucket %s is function %s's own, which no other sees; watch a shared bucket", bucket, owner)
}

// shownFeed is a change feed as a client sees it.
type shownFeed struct {
	UUID      string
	Function  string
	Qualifier string `json:",omitempty"`
	Bucket    string
	State     string

	LagRecords uint64  // writes to the bucket that the feed has not passed, at most
	LagSeconds float64 // since the first of them

	Delivered, GivenUp uint64
	Lost               uint64 // changes that went before they were delivered

	LastResult string     `json:",omitempty"`
	LastRun    *time.Time `json:",omitempty"`
	LastError  string     `json:",omitempty"` // of the lane that fails most
	Failures   int        // in a row, of that lane
	Lanes      []shownLane
}

// shownLane is one of the parts of a feed that do not wait for each other.
type shownLane struct {
	Passed      uint64     // sequence number up to which all is settled
	Until       uint64     `json:",omitempty"` // where the next batch ends, which was split
	Failures    int        `json:",omitempty"`
	FirstFailed *time.Time `json:",omitempty"`
	LastError   string     `json:",omitempty"`
}

// listFeeds is GET /v1/feeds: all of them, in order of their mappings' UUIDs. A node
// has at most some hundreds.
func (a *api) listFeeds(w http.ResponseWriter, _ *http.Request) error {
	mappings, err := a.Store.Mappings()
	if err != nil {
		return err
	}
	reply := struct{ Feeds []shownFeed }{[]shownFeed{}}
	for _, m := range mappings {
		bucket, isFeed := m.Bucket()
		if !isFeed {
			continue
		}
		shown, err := a.feedOf(&m, bucket)
		if err != nil {
			return err
		}
		reply.Feeds = append(reply.Feeds, shown)
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

func (a *api) feedOf(m *persist.EventSourceMapping, bucket string) (shownFeed, error) {
	stored, err := a.Store.GetFeed(m.ID)
	if err != nil && !errors.Is(err, persist.ErrNotFound) {
		return shownFeed{}, err
	}
	running, seen := a.FeedStatus(m.ID)
	shown := shownFeed{
		UUID: m.ID, Function: m.Function, Qualifier: m.Qualifier, Bucket: bucket, State: stateOf(m.Enabled, running),
		Delivered: stored.Delivered, GivenUp: stored.GivenUp, Lost: stored.Lost, LastResult: stored.LastResult,
		LastRun: timeOrNil(stored.LastRun), Lanes: []shownLane{},
	}
	for _, l := range stored.Lanes {
		shown.Lanes = append(shown.Lanes, shownLane{
			Passed: l.After, Until: l.Until, Failures: l.Failures, FirstFailed: timeOrNil(l.FirstFailed), LastError: l.LastError,
		})
		if l.LastError != "" && l.Failures >= shown.Failures {
			shown.Failures, shown.LastError = l.Failures, l.LastError
		}
	}
	passed := max(stored.Passed(), seen) // it may have seen more, of what it does not deliver
	waiting, _, err := a.Store.Changes(bucket, passed, 1, 0)
	if err != nil || len(waiting) == 0 {
		return shown, err
	}
	_, newest, err := a.Store.StreamBounds(bucket)
	if err != nil {
		return shownFeed{}, err
	}
	shown.LagRecords = max(newest, waiting[0].Sequence) - waiting[0].Sequence + 1
	shown.LagSeconds = max(a.Now().Sub(waiting[0].Time).Seconds(), 0)
	return shown, nil
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
