package persist

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func testFeed(id, bucket, function string) EventSourceMapping {
	return EventSourceMapping{
		ID: id, Function: function, Source: "arn:aws:dynamodb:local:000000000000:table/" + bucket + "/stream/LATEST",
		Enabled: true, BatchSize: 10, MaxRetries: -1, MaxAgeSeconds: -1, Parallel: 1, Start: "TRIM_HORIZON",
	}
}

func putKeys(t *testing.T, s *Store, bucket string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		_, err := s.Data().Write(Origin{}, []Write{{Bucket: bucket, Key: key, Kind: WritePut, Value: []byte(key)}})
		noErr(t, err)
	}
}

func feedOf(t *testing.T, s *Store, id string) Feed {
	t.Helper()
	feed, err := s.GetFeed(id)
	noErr(t, err)
	return feed
}

// TestFeedBegins: the place of a feed is stored with its mapping, and the bucket keeps
// its changes from then on.
func TestFeedBegins(t *testing.T) {
	s, _ := queueStore(t, "f", "g")
	putKeys(t, s, "b", "before")
	first := testFeed("m1", "b", "f")
	first.Start = StartLatest
	_, err := s.PutMapping(first)
	noErr(t, err)
	putKeys(t, s, "b", "one", "two")
	second := testFeed("m2", "b", "g")
	_, err = s.PutMapping(second)
	noErr(t, err)
	third := testFeed("m3", "b", "f")
	third.Start, third.Parallel, third.Qualifier = StartLatest, 3, Latest
	_, err = s.PutMapping(third)
	noErr(t, err)
	for id, want := range map[string][]FeedLane{"m1": {{After: 1}}, "m2": {{}}, "m3": {{After: 3}, {After: 3}, {After: 3}}} {
		if feed := feedOf(t, s, id); feed.Mapping != id || !slices.Equal(feed.Lanes, want) {
			t.Errorf("%s: %+v, want lanes %+v", id, feed, want)
		}
	}
	changes, _, err := s.Changes("b", 1, 10, 1<<20)
	noErr(t, err)
	if len(changes) != 2 || changes[0].Key != "one" || changes[1].Sequence != 3 {
		t.Errorf("changes %+v", changes)
	}
	// Its ARN can be written in many ways, and the function runs once nevertheless.
	again := testFeed("m8", "b", "g")
	again.Source = "arn:aws:dynamodb:elsewhere:000000000000:table/b/stream/2026-01-01T00:00:00.000"
	_, err = s.PutMapping(again)
	wantErr(t, "PutMapping with another label", err, ErrExists)
	// A bucket that was not there is made; that of a function needs the function.
	_, err = s.PutMapping(testFeed("m4", "new", "f"))
	noErr(t, err)
	if stats, err := s.Data().Bucket("new"); err != nil || !stats.Stream {
		t.Errorf("bucket %+v, %v", stats, err)
	}
	_, err = s.PutMapping(testFeed("m5", OwnBucket("g"), "f"))
	noErr(t, err)
	for _, bucket := range []string{OwnBucket("nobody"), "-bad", "with space"} {
		if _, err := s.PutMapping(testFeed("m6", bucket, "f")); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalid) {
			t.Errorf("bucket %q: %v", bucket, err)
		}
	}
	_, err = s.GetMapping("m6")
	wantErr(t, "GetMapping", err, ErrNotFound)
	_, err = s.GetFeed("m6")
	wantErr(t, "GetFeed", err, ErrNotFound)
	feeds, err := s.Feeds()
	noErr(t, err)
	if len(feeds) != 5 {
		t.Errorf("feeds %+v", feeds)
	}
	// A topic is no feed.
	topic := testFeed("m7", "", "f")
	topic.Source = "arn:aws:iot:local:000000000000:topicfilter/a"
	_, err = s.PutMapping(topic)
	noErr(t, err)
	_, err = s.OpenFeed("m7")
	wantErr(t, "OpenFeed of a topic", err, ErrInvalid)
}

// TestPutMappingMeanwhile: an update of what was removed meanwhile does not bring it
// back, and of two at the same time none undoes the other.
func TestPutMappingMeanwhile(t *testing.T) {
	s, now := queueStore(t, "f")
	s.now = func() time.Time { now = now.Add(time.Second); return now }
	m, err := s.PutMapping(testFeed("m", "b", "f"))
	noErr(t, err)
	paused := m
	paused.Enabled = false
	_, err = s.PutMapping(paused)
	noErr(t, err)
	m.BatchSize = 7
	_, err = s.PutMapping(m)
	wantErr(t, "PutMapping of what was changed", err, ErrConflict)
	m, err = s.GetMapping("m")
	noErr(t, err)
	if m.Enabled || m.BatchSize == 7 {
		t.Errorf("mapping %+v", m)
	}
	_, err = s.DeleteMapping("m")
	noErr(t, err)
	_, err = s.PutMapping(m)
	wantErr(t, "PutMapping of what was removed", err, ErrConflict)
	_, err = s.GetFeed("m")
	wantErr(t, "GetFeed", err, ErrNotFound)
}

// TestStreamEndsWithItsFeeds: a bucket keeps changes for as long as a feed of it is
// there that wants them, or for good where the operator has said so.
func TestStreamEndsWithItsFeeds(t *testing.T) {
	setStream := func(on bool) func(t *testing.T, s *Store) {
		return func(t *testing.T, s *Store) {
			t.Helper()
			_, err := s.Data().PutBucket(DataBucket{Name: "b", Stream: on})
			noErr(t, err)
		}
	}
	add := func(id, function string) func(t *testing.T, s *Store) {
		return func(t *testing.T, s *Store) {
			t.Helper()
			_, err := s.PutMapping(testFeed(id, "b", function))
			noErr(t, err)
		}
	}
	drop := func(id string) func(t *testing.T, s *Store) {
		return func(t *testing.T, s *Store) {
			t.Helper()
			_, err := s.DeleteMapping(id)
			noErr(t, err)
		}
	}
	deleteFunction := func(name string) func(t *testing.T, s *Store) {
		return func(t *testing.T, s *Store) {
			t.Helper()
			_, err := s.DeleteFunction(name)
			noErr(t, err)
		}
	}
	otherSetting := func(t *testing.T, s *Store) { // with what there is, as the control plane does
		t.Helper()
		stats, err := s.Data().Bucket("b")
		noErr(t, err)
		stats.MaxKeys = 7
		stored, err := s.Data().PutBucket(stats.DataBucket)
		noErr(t, err)
		if stored.Stream != stats.Stream || stored.StreamByFeed != stats.StreamByFeed || stored.MaxKeys != 7 {
			t.Errorf("another setting: %+v, before %+v", stored, stats.DataBucket)
		}
	}
	staleSetting := func(t *testing.T, s *Store) { // read while a feed was there
		t.Helper()
		_, err := s.Data().PutBucket(DataBucket{Name: "b", Stream: true, StreamByFeed: true})
		noErr(t, err)
	}
	for _, c := range []struct {
		name  string
		steps []func(t *testing.T, s *Store)
		want  bool
	}{
		{"a feed", []func(*testing.T, *Store){add("m1", "f")}, true},
		{"a feed, removed", []func(*testing.T, *Store){add("m1", "f"), drop("m1")}, false},
		{"the last of two", []func(*testing.T, *Store){add("m1", "f"), add("m2", "g"), drop("m1"), drop("m2")}, false},
		{"one of two", []func(*testing.T, *Store){add("m1", "f"), add("m2", "g"), drop("m1")}, true},
		{"a feed changed", []func(*testing.T, *Store){add("m1", "f"), add("m1", "f"), drop("m1")}, false},
		{"with the function", []func(*testing.T, *Store){add("m1", "f"), deleteFunction("f")}, false},
		{"with one of the functions", []func(*testing.T, *Store){add("m1", "f"), add("m2", "g"), deleteFunction("f")}, true},
		{"the operator's", []func(*testing.T, *Store){setStream(true), add("m1", "f"), drop("m1")}, true},
		{"the operator's later", []func(*testing.T, *Store){add("m1", "f"), setStream(true), drop("m1")}, true},
		{"the operator's no more", []func(*testing.T, *Store){setStream(true), setStream(false), add("m1", "f"), drop("m1")}, false},
		{"another setting", []func(*testing.T, *Store){add("m1", "f"), otherSetting, drop("m1"), otherSetting}, false},
		{"a setting too late", []func(*testing.T, *Store){add("m1", "f"), drop("m1"), staleSetting}, false},
		{"once more", []func(*testing.T, *Store){add("m1", "f"), drop("m1"), add("m1", "f")}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := queueStore(t, "f", "g")
			for _, step := range c.steps {
				step(t, s)
			}
			stats, err := s.Data().Bucket("b")
			noErr(t, err)
			generation := s.Generation()
			putKeys(t, s, "b", "k")
			changes, _, err := s.Changes("b", stats.Sequence, 10, 1<<20)
			noErr(t, err)
			if stats.Stream != c.want || (len(changes) == 1) != c.want {
				t.Errorf("the stream is on: %t, and has %d changes; want %t", stats.Stream, len(changes), c.want)
			}
			if s.Generation() != generation {
				t.Error("a write counts in the generation")
			}
		})
	}
}

// TestFeedLanes: another number of lanes begins at the lowest place of all, and what
// was tried is tried anew; what the feed has counted stays.
func TestFeedLanes(t *testing.T) {
	s, now := queueStore(t, "f")
	m := testFeed("m", "b", "f")
	m.Parallel = 2
	_, err := s.PutMapping(m)
	noErr(t, err)
	putKeys(t, s, "b", "1", "2", "3", "4", "5")
	settle := func(lane int, from, to FeedLane) error {
		return s.SettleFeed(FeedStep{Mapping: "m", Lane: lane, Lanes: 2, From: from, To: to, Delivered: 1, Result: "OK", Run: now})
	}
	noErr(t, settle(0, FeedLane{}, FeedLane{After: 4, Failures: 2, Until: 5, Starts: 1, LastError: "no"}))
	noErr(t, settle(1, FeedLane{}, FeedLane{After: 3}))
	before := s.Generation()
	noErr(t, settle(1, FeedLane{After: 3}, FeedLane{After: 3}))
	if s.Generation() != before {
		t.Error("a checkpoint counts as configuration")
	}
	if feed := feedOf(t, s, "m"); feed.Passed() != 3 || feed.Delivered != 3 || feed.LastResult != "OK" || !feed.LastRun.Equal(now) || feed.Lanes[0].Failures != 2 {
		t.Errorf("feed %+v", feed)
	}
	m.Enabled = false
	_, err = s.PutMapping(m)
	noErr(t, err)
	if feed := feedOf(t, s, "m"); !slices.Equal(feed.Lanes, []FeedLane{{After: 4}, {After: 3}}) || feed.Delivered != 3 {
		t.Errorf("feed %+v", feed)
	}
	m.Parallel = 3
	_, err = s.PutMapping(m)
	noErr(t, err)
	if feed := feedOf(t, s, "m"); !slices.Equal(feed.Lanes, []FeedLane{{After: 3}, {After: 3}, {After: 3}}) {
		t.Errorf("feed %+v", feed)
	}
	// Who still works with two is told.
	wantErr(t, "SettleFeed", settle(0, FeedLane{After: 4}, FeedLane{After: 5}), ErrConflict)
	three := FeedStep{Mapping: "m", Lane: 2, Lanes: 3, From: FeedLane{After: 4}, To: FeedLane{After: 5}}
	wantErr(t, "SettleFeed from later", s.SettleFeed(three), ErrConflict)
	three.Lane = 3
	wantErr(t, "SettleFeed of no lane", s.SettleFeed(three), ErrConflict)
	three.Mapping = "other"
	wantErr(t, "SettleFeed of no feed", s.SettleFeed(three), ErrNotFound)
	// A lane that lost changes meanwhile does not go back.
	back := FeedStep{Mapping: "m", Lane: 0, Lanes: 3, From: FeedLane{After: 1}, To: FeedLane{After: 2, Failures: 1}}
	noErr(t, s.SettleFeed(back))
	if feed := feedOf(t, s, "m"); feed.Lanes[0] != (FeedLane{After: 3}) {
		t.Errorf("feed %+v", feed)
	}
}

// TestSettleFeed: the place, the dead letters and the jobs are one transaction.
func TestSettleFeed(t *testing.T) {
	s, now := queueStore(t, "f", "g")
	_, err := s.PutMapping(testFeed("m", "b", "f"))
	noErr(t, err)
	putKeys(t, s, "b", "1", "2")
	job := Job{ID: "j", Function: "g", Payload: []byte("record")}
	letter := FeedLetter{Reason: "no", Job: Job{ID: "l", Function: "f", Source: "change", LastError: strings.Repeat("x", 5000), Payload: []byte("event")}}
	step := FeedStep{
		Mapping: "m", Lanes: 1, To: FeedLane{After: 1, LastError: strings.Repeat("y", 5000)}, GivenUp: 1,
		Letters: []FeedLetter{letter}, Jobs: []Job{job, {ID: "k", Function: "gone"}},
	}
	wantErr(t, "SettleFeed to nobody", s.SettleFeed(step), ErrNotFound)
	letters, _, err := s.DeadLetters(0, 10)
	noErr(t, err)
	if leased := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9}); len(letters) != 0 || len(leased.Jobs) != 0 || feedOf(t, s, "m").Passed() != 0 {
		t.Fatalf("half of a step was stored: %+v, %+v, %+v", letters, leased, feedOf(t, s, "m"))
	}
	step.Jobs = step.Jobs[:1]
	noErr(t, s.SettleFeed(step))
	l, err := s.GetDeadLetter(1)
	noErr(t, err)
	if l.Reason != "no" || string(l.Job.Payload) != "event" || l.Job.Source != "change" || len(l.Job.LastError) > maxErrorText {
		t.Errorf("dead letter %+v", l)
	}
	if leased := lease(t, s, LeaseRequest{Now: now, Limit: 9, PerFunction: 9}); ids(leased.Jobs) != "j" {
		t.Errorf("jobs %+v", leased.Jobs)
	}
	feed := feedOf(t, s, "m")
	if feed.Passed() != 1 || feed.GivenUp != 1 || feed.LastResult != "" || len(feed.Lanes[0].LastError) > maxErrorText {
		t.Errorf("feed %+v", feed)
	}
	step.From, step.Letters[0].Job.Payload = FeedLane{After: 1}, make([]byte, MaxJobPayload+1)
	var size *SizeError
	if err := s.SettleFeed(step); !errors.As(err, &size) {
		t.Errorf("a letter that is too large: %v", err)
	}
}

// TestFeedGoes: with the mapping, with its function, and with the function whose
// bucket it reads.
func TestFeedGoes(t *testing.T) {
	s, _ := queueStore(t, "f", "g", "h")
	for i, m := range []EventSourceMapping{testFeed("", "b", "f"), testFeed("", "b", "g"), testFeed("", OwnBucket("h"), "f"), testFeed("", "c", "f")} {
		m.ID = fmt.Sprint("m", i)
		_, err := s.PutMapping(m)
		noErr(t, err)
	}
	_, err := s.DeleteMapping("m0")
	noErr(t, err)
	for _, name := range []string{"g", "h"} {
		_, err := s.DeleteFunction(name)
		noErr(t, err)
	}
	feeds, err := s.Feeds()
	noErr(t, err)
	mappings, err := s.Mappings()
	noErr(t, err)
	if len(feeds) != 1 || feeds[0].Mapping != "m3" || len(mappings) != 1 {
		t.Errorf("feeds %+v, mappings %+v", feeds, mappings)
	}
}

// TestOpenFeed: a mapping without a record, as an older release left it or damage
// does, begins at the oldest change, whatever its start.
func TestOpenFeed(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := openStore(t, dir, Options{now: func() time.Time { return now }})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	m := testFeed("m", "b", "f")
	m.Start, m.Parallel = StartLatest, 2
	_, err = s.PutMapping(m)
	noErr(t, err)
	putKeys(t, s, "b", "1")
	noErr(t, s.update(0, func(c *change) error {
		c.wrote = true
		return c.tx.Bucket([]byte(bucketFeeds)).Put([]byte("m"), []byte("{damaged"))
	}))
	closeStore(t, s)
	s = openStore(t, dir, Options{})
	if !strings.Contains(s.Recovered(), `feeds "m"`) {
		t.Errorf("recovered %q", s.Recovered())
	}
	feed, err := s.OpenFeed("m")
	noErr(t, err)
	if !slices.Equal(feed.Lanes, []FeedLane{{}, {}}) {
		t.Errorf("feed %+v", feed)
	}
	noErr(t, s.SettleFeed(FeedStep{Mapping: "m", Lane: 1, Lanes: 2, To: FeedLane{After: 1}}))
	if feed, err = s.OpenFeed("m"); err != nil || feed.Lanes[1].After != 1 {
		t.Errorf("feed %+v, %v", feed, err)
	}
	_, err = s.OpenFeed("none")
	wantErr(t, "OpenFeed", err, ErrNotFound)
	// A stream that was switched off goes on with the mapping.
	noErr(t, s.update(0, func(c *change) error {
		c.wrote = true
		b, err := openDataBucket(c.tx, "b")
		if err != nil {
			return err
		}
		b.stream = false
		return b.save(c.tx)
	}))
	_, err = s.PutMapping(m)
	noErr(t, err)
	putKeys(t, s, "b", "2")
	if changes, _, err := s.Changes("b", 1, 10, 1<<20); err != nil || len(changes) != 1 {
		t.Errorf("changes %+v, %v", changes, err)
	}
}

func TestMappingBucket(t *testing.T) {
	for source, want := range map[string]string{
		"arn:aws:dynamodb:local:000000000000:table/b/stream/LATEST":                       "b",
		"arn:aws:dynamodb:local:000000000000:table/function.f/stream/2026-01-01T00:00:00": "function.f",
		"arn:aws:dynamodb:local:000000000000:table/b":                                     "",
		"arn:aws:dynamodb:local:000000000000:table//stream/x":                             "",
		"arn:aws:dynamodb:local:000000000000:table/b/stream/":                             "",
		"arn:aws:iot:local:000000000000:table/b/stream/x":                                 "",
		"b": "", "": "",
	} {
		name, ok := EventSourceMapping{Source: source}.Bucket()
		if ok != (want != "") || ok && name != want {
			t.Errorf("%s: %q %v, want %q", source, name, ok, want)
		}
	}
}

// TestFeedsOf lists who reads a bucket, those too that have no record.
func TestFeedsOf(t *testing.T) {
	s, _ := queueStore(t, "f", "g")
	for _, m := range []EventSourceMapping{testFeed("m1", "b", "f"), testFeed("m2", "b", "g"), testFeed("m3", "c", "f")} {
		_, err := s.PutMapping(m)
		noErr(t, err)
	}
	noErr(t, s.update(0, func(c *change) error { return c.dropFeed("m2") }))
	noErr(t, s.view(func(tx *bolt.Tx) error {
		mappings, feeds, err := feedsOf(tx, "b")
		if err != nil {
			return err
		}
		if len(mappings) != 2 || len(feeds) != 2 || feeds[1].Mapping != "m2" || feeds[1].Passed() != 0 || len(feeds[0].Lanes) != 1 {
			t.Errorf("mappings %+v, feeds %+v", mappings, feeds)
		}
		return nil
	}))
}
