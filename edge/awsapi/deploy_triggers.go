package awsapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"ledge/edge/awsapi/restjson"
	"ledge/engine"
	"ledge/persist"
)

// Expressions judges schedule expressions: scheduler.Expressions.
type Expressions interface {
	// Check returns what is wrong with an expression, or with the name of a time
	// zone, which is empty for UTC: a sentence without a full stop.
	Check(expression, timezone string) error
}

// triggerStore is the part of the Store in which a deploy keeps what has its
// function run.
type triggerStore interface {
	GetSchedule(group, name string) (persist.Schedule, error)
	CreateSchedule(persist.Schedule) (persist.Schedule, error)
}

// watch is a bucket whose changes run a function, or those of keys that begin
// with a prefix.
type watch struct {
	Bucket string
	Prefix string `json:",omitempty"`
	Start  string `json:",omitempty"` // of a new feed: "newest", the default, or "oldest"
}

// deployedSchedule and deployedWatch say what became of a cron expression and of
// a bucket's watches.
type deployedSchedule struct {
	Name       string
	Expression string
	Created    bool // false: it was there
}

type deployedWatch struct {
	UUID     string // of the event source mapping
	Bucket   string
	Prefixes []string `json:",omitempty"` // none: all keys
	Created  bool

	same bool // it is stored as the deploy wants it
}

// maxTriggers bounds the schedules and the watches of one deploy, each.
const maxTriggers = 100

// triggers is what else a deploy stores, checked before anything is stored.
//
// They are not in the transaction of the function. What fails after it, for a
// full disk or for a change at the same time, is an error that says so, and the
// same deploy again completes it: each trigger has a name that it finds again.
// What an earlier deploy made and this one does not name stays, as routes do.
type triggers struct {
	schedules []persist.Schedule
	mappings  []persist.EventSourceMapping // with no ID where they are new
	watches   []deployedWatch              // of mappings
}

// triggersOf checks what a request has a function run by.
func (a *api) triggersOf(ctx context.Context, q *deployRequest, function string) (t triggers, err error) {
	if len(q.Crons) > maxTriggers || len(q.Watches) > maxTriggers {
		return t, invalid(fmt.Sprintf("a deploy takes at most %d Crons and %d Watches", maxTriggers, maxTriggers))
	}
	for _, expression := range q.Crons {
		schedule, err := a.cron(function, expression)
		if err != nil {
			return t, err
		}
		if !slices.ContainsFunc(t.schedules, func(s persist.Schedule) bool { return s.Name == schedule.Name }) {
			t.schedules = append(t.schedules, schedule)
		}
	}
	if len(q.Watches) == 0 {
		return t, nil
	}
	stored, err := a.Store.Mappings()
	if err != nil {
		return t, err
	}
	for _, w := range q.Watches {
		if err := t.watch(ctx, &w, function, a.Region, stored); err != nil {
			return t, err
		}
	}
	for i := range t.mappings {
		filters, err := prefixFilters(t.watches[i].Prefixes)
		if err != nil {
			return t, err
		}
		t.watches[i].same = !t.watches[i].Created && slices.Equal(filters, t.mappings[i].Filters)
		t.mappings[i].Filters = filters
	}
	return t, nil
}

// cron returns the schedule of an expression, which must make sense.
func (a *api) cron(function, expression string) (persist.Schedule, error) {
	if a.Expressions == nil {
		return persist.Schedule{}, restjson.NotImplemented("this control plane was started without schedules")
	}
	if len(expression) == 0 || len(expression) > 256 {
		return persist.Schedule{}, invalid(fmt.Sprintf("a schedule expression has 1 to 256 characters, not %d", len(expression)))
	}
	if err := a.Expressions.Check(expression, ""); err != nil {
		return persist.Schedule{}, invalid(fmt.Sprintf("the schedule expression %q is wrong: %s", expression, err))
	}
	name := cronName(function, expression)
	there, err := a.Store.GetSchedule(persist.DefaultScheduleGroup, name)
	switch {
	case err == nil && there.Target.Function != function:
		return there, conflict(fmt.Sprintf("the schedule %s runs function %s; delete it, or let it run %s", name, there.Target.Function, function))
	case err == nil:
		return there, nil
	case !errors.Is(err, persist.ErrNotFound):
		return there, err
	}
	return persist.Schedule{
		Group: persist.DefaultScheduleGroup, Name: name, Expression: expression, State: persist.ScheduleEnabled,
		Target: persist.ScheduleTarget{ARN: a.arn(function, ""), Function: function}, Deployed: true,
	}, nil
}

// cronName names a function's schedule by its expression, so that another deploy
// finds it.
func cronName(function, expression string) string {
	sum := sha256.Sum256([]byte(function + "\x00" + expression))
	return persist.DeployedScheduleName(function, hex.EncodeToString(sum[:8]))
}

// watch adds a watch to t: all those of a bucket are one mapping.
func (t *triggers) watch(ctx context.Context, w *watch, function, region string, stored []persist.EventSourceMapping) error {
	if err := persist.CheckBucket(w.Bucket); err != nil {
		return invalid(err.Error())
	}
	start, known := map[string]string{"": startLatest, "newest": startLatest, "oldest": startOldest}[w.Start]
	switch owner := ownerOf(w.Bucket); {
	case owner != "" && owner != function:
		return invalid(notOthers(w.Bucket, owner))
	case !known:
		return invalid(fmt.Sprintf("a watch starts at the oldest or the newest change, not at %.40q", w.Start))
	case !utf8.ValidString(w.Prefix) || len(w.Prefix) > persist.MaxKeyBytes:
		return invalid(fmt.Sprintf("a watch's prefix is text of at most %d bytes", persist.MaxKeyBytes))
	}
	if err := permitBucket(ctx, w.Bucket); err != nil {
		return err
	}
	i := slices.IndexFunc(t.watches, func(d deployedWatch) bool { return d.Bucket == w.Bucket })
	if i >= 0 {
		// A watch of all keys has no prefixes, and covers the others.
		if d := &t.watches[i]; w.Prefix == "" {
			d.Prefixes = nil
		} else if d.Prefixes != nil && !slices.Contains(d.Prefixes, w.Prefix) {
			d.Prefixes = append(d.Prefixes, w.Prefix)
		}
		return nil
	}
	made := deployedWatch{Bucket: w.Bucket, Created: true}
	if w.Prefix != "" {
		made.Prefixes = []string{w.Prefix}
	}
	mapping := persist.EventSourceMapping{
		Function: function, Source: "arn:aws:dynamodb:" + region + ":" + accountID + ":table/" + w.Bucket + "/stream/LATEST",
		Enabled: true, BatchSize: feedSource.defaultBatch(), MaxAgeSeconds: -1, MaxRetries: -1, Parallel: 1, Start: start,
	}
	for _, m := range stored {
		if bucket, feed := m.Bucket(); feed && bucket == w.Bucket && m.Function == function && m.Qualifier == "" {
			mapping, made.UUID, made.Created = m, m.ID, false
		}
	}
	t.mappings, t.watches = append(t.mappings, mapping), append(t.watches, made)
	return nil
}

// prefixFilters returns the filter patterns for keys that begin so.
func prefixFilters(prefixes []string) ([]string, error) {
	if len(prefixes) > maxFilters {
		return nil, invalid(fmt.Sprintf("a bucket is watched for at most %d prefixes, not %d", maxFilters, len(prefixes)))
	}
	var filters []string
	for _, prefix := range prefixes {
		quoted, err := json.Marshal(prefix)
		if err != nil {
			return nil, fmt.Errorf("encode prefix: %w", err)
		}
		pattern := `{"dynamodb":{"Keys":{"key":{"S":[{"prefix":` + string(quoted) + `}]}}}}`
		if len(pattern) > maxPattern {
			return nil, invalid("the prefix " + strings.ToValidUTF8(prefix[:40], "") + "… is too long for a filter")
		}
		filters = append(filters, pattern)
	}
	return filters, nil
}

// storeTriggers stores what triggersOf has checked, after the function.
func (a *api) storeTriggers(t *triggers, function string) (schedules []deployedSchedule, err error) {
	failed := func(what string, err error) error {
		const again = " is deployed, but %s is not stored, nor what follows it: %s; the same deploy again stores them"
		f := *faultOf(dataFault(err, ""))
		if errors.Is(err, persist.ErrTooMany) {
			f.Status, f.Code = http.StatusBadRequest, codeLimitExceeded
		}
		f.Message = fmt.Sprintf(function+again, what, f.Message)
		return &f
	}
	for _, s := range t.schedules {
		created := s.Created.IsZero()
		if created {
			_, err := a.Store.CreateSchedule(s)
			if errors.Is(err, persist.ErrExists) { // by the same deploy at the same time
				err, created = nil, false
			}
			if err != nil {
				return nil, failed("schedule "+s.Name, err)
			}
		}
		if created {
			a.ScheduleChanged(s.Group, s.Name)
		}
		schedules = append(schedules, deployedSchedule{s.Name, s.Expression, created})
	}
	for i, m := range t.mappings {
		if t.watches[i].same {
			continue
		}
		if m.ID == "" {
			m.ID = engine.NewRequestID().String()
		} else if now, err := a.Store.GetMapping(m.ID); err == nil { // a deploy takes seconds: it may be paused since
			now.Filters = m.Filters
			m = now
		}
		if _, err := a.Store.PutMapping(m); err != nil {
			return nil, failed("the watch of bucket "+t.watches[i].Bucket, err)
		}
		t.watches[i].UUID = m.ID
		a.FeedChanged(m.ID)
	}
	return schedules, nil
}
