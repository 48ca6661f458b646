package persist

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func TestChanges(t *testing.T) {
	s, clock := dataStore(t)
	d := s.Data()
	d.must(t, Write{Bucket: "b", Key: "before", Value: []byte("the stream")})
	_, err := d.PutBucket(DataBucket{Name: "b", Stream: true})
	noErr(t, err)
	if oldest, newest, err := s.StreamBounds("b"); oldest != 0 || newest != 1 || err != nil {
		t.Errorf("an empty stream goes from %d to %d, %v", oldest, newest, err)
	}
	started := clock.now
	_, err = d.Write(Origin{Function: "f", Depth: 3}, []Write{
		{Bucket: "b", Key: "before", Value: []byte("")}, {Bucket: "b", Key: "k", Value: []byte{0, 255}}, {Bucket: "unread", Key: "k"},
	})
	noErr(t, err)
	clock.pass(time.Second)
	_, err = d.Write(Origin{}, []Write{{Bucket: "b", Key: "k", Kind: WriteDelete}, {Bucket: "b", Key: "absent", Kind: WriteDelete},
		{Bucket: "b", Key: "n", Kind: WriteIncrement, By: 7}, {Bucket: "b", Key: "before", Kind: WriteCheck}})
	noErr(t, err)
	want := []Change{
		{Sequence: 2, Time: started, Kind: ChangeModify, Key: "before", Old: []byte("the stream"), New: []byte{}, Depth: 3, By: "f"},
		{Sequence: 3, Time: started, Kind: ChangeInsert, Key: "k", New: []byte{0, 255}, Depth: 3, By: "f"},
		{Sequence: 4, Time: clock.now, Kind: ChangeRemove, Key: "k", Old: []byte{0, 255}},
		{Sequence: 5, Time: clock.now, Kind: ChangeInsert, Key: "n", New: []byte("7")},
	}
	got, more, err := s.Changes("b", 0, 100, 1<<20)
	if err != nil || more || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %t,\n%+v\nwant\n%+v", err, more, got, want)
	}
	for _, c := range []struct {
		after           uint64
		limit, maxBytes int
		want            []Change
		more            bool
	}{
		{0, 0, 0, want[:1], true}, {0, 2, 1000, want[:2], true}, {1, 4, 1000, want, false}, {3, 5, 1, want[2:3], true},
		{4, 1, 0, want[3:], false}, {5, 1, 1, nil, false}, {1<<64 - 1, 1, 1, nil, false},
	} {
		got, more, err := s.Changes("b", c.after, c.limit, c.maxBytes)
		if err != nil || more != c.more || !reflect.DeepEqual(got, c.want) {
			t.Errorf("after %d at most %d of %d bytes: %v, %t, %+v", c.after, c.limit, c.maxBytes, err, more, got)
		}
	}
	if oldest, newest, err := s.StreamBounds("b"); oldest != 2 || newest != 5 || err != nil {
		t.Errorf("the stream goes from %d to %d, %v", oldest, newest, err)
	}
	if oldest, newest, err := s.StreamBounds("nobody"); oldest != 0 || newest != 0 || err != nil {
		t.Errorf("a stream that is not there goes from %d to %d, %v", oldest, newest, err)
	}
	for _, bucket := range []string{"unread", "nobody"} {
		if got := changesOf(t, s, bucket); got != "" {
			t.Errorf("%s has changes: %s", bucket, got)
		}
	}
}

// Whoever listens hears of a stream when what was written to it is there.
func TestOnChange(t *testing.T) {
	s, clock := dataStore(t)
	d := s.Data()
	var heard []string
	s.OnChange(func(bucket string) {
		_, newest, err := s.StreamBounds(bucket)
		noErr(t, err)
		heard = append(heard, fmt.Sprint(bucket, newest))
	})
	for _, name := range []string{"a", "b"} {
		_, err := d.PutBucket(DataBucket{Name: name, Stream: true})
		noErr(t, err)
	}
	d.must(t, Write{Bucket: "a", Key: "k", TTL: time.Second})
	d.must(t, Write{Bucket: "b", Key: "k"}, Write{Bucket: "a", Key: "l"}, Write{Bucket: "b", Key: "l"}, Write{Bucket: "unread", Key: "k"})
	d.must(t, Write{Bucket: "a", Key: "k", Kind: WriteCheck}, Write{Bucket: "a", Key: "absent", Kind: WriteDelete})
	_, err := d.Write(Origin{}, []Write{{Bucket: "a", Key: "k", If: Condition{Kind: IfAbsent}}})
	wantErr(t, "a condition", err, ErrConflict)
	clock.pass(time.Second)
	_, _, err = d.Expire(1)
	noErr(t, err)
	if got := strings.Join(heard, " "); got != "a1 b2 a2 a3" {
		t.Errorf("heard: %s", got)
	}
}

// settle moves all lanes of a feed.
func settle(t *testing.T, s *Store, mapping string, after uint64) {
	t.Helper()
	feed, err := s.GetFeed(mapping)
	noErr(t, err)
	for i, lane := range feed.Lanes {
		noErr(t, s.SettleFeed(FeedStep{Mapping: mapping, Lane: i, Lanes: len(feed.Lanes), From: lane, To: FeedLane{After: after}}))
	}
}

func lostOf(t *testing.T, s *Store, mapping string) uint64 {
	t.Helper()
	feed, err := s.GetFeed(mapping)
	noErr(t, err)
	return feed.Lost
}

// putFeedOf makes a mapping that reads bucket from its oldest change.
func putFeedOf(t *testing.T, s *Store, id, bucket string, enabled bool) {
	t.Helper()
	_, err := s.PutMapping(EventSourceMapping{ID: id, Function: id, Source: streamOf(bucket), Enabled: enabled, Start: "TRIM_HORIZON"})
	noErr(t, err)
}

func TestTrimChanges(t *testing.T) {
	s, clock := dataStore(t)
	d := s.Data()
	_, err := d.PutBucket(DataBucket{Name: "b", Stream: true})
	noErr(t, err)
	for i := range 4 {
		d.must(t, Write{Bucket: "b", Key: fmt.Sprint(i)})
		clock.pass(time.Hour)
	}
	trim := func(after time.Duration, want int, oldest uint64) {
		t.Helper()
		clock.pass(after)
		removed, err := s.TrimChanges(clock.now)
		noErr(t, err)
		if got, newest, err := s.StreamBounds("b"); removed != want || got != oldest || newest < 4 || err != nil {
			t.Errorf("%d changes were removed, want %d; the stream goes from %d, want %d, to %d, %v", removed, want, got, oldest, newest, err)
		}
		checkData(t, s)
	}
	trim(0, 0, 1)
	putFeedOf(t, s, "f", "b", true)
	trim(StreamRetention, 0, 1) // f has passed nothing
	settle(t, s, "f", 2)
	trim(0, 2, 3)
	putFeedOf(t, s, "g", "b", false)
	settle(t, s, "f", 3)
	trim(0, 1, 4) // g is disabled
	if f, g := lostOf(t, s, "f"), lostOf(t, s, "g"); f != 0 || g != 1 {
		t.Errorf("lost are %d and %d, want 0 and 1", f, g)
	}
	_, err = s.DeleteMapping("f")
	noErr(t, err)
	d.must(t, Write{Bucket: "b", Key: "young"})
	trim(0, 1, 5)
	trim(StreamRetention+time.Millisecond, 1, 0)
	if g := lostOf(t, s, "g"); g != 3 {
		t.Errorf("lost are %d, want 3", g)
	}
}

// A stream that is full of what a feed needs refuses writes or loses the oldest; what
// no feed needs goes first, however young.
func TestFullStream(t *testing.T) {
	for _, whenFull := range []string{"", WhenFullDropOldest} {
		t.Run("when full "+whenFull, func(t *testing.T) {
			s, clock := dataStore(t)
			d := s.Data()
			_, err := d.PutBucket(DataBucket{Name: "b", Stream: true, StreamBytes: 1000, WhenFull: whenFull})
			noErr(t, err)
			put := func() error {
				_, err := d.Write(Origin{}, []Write{{Bucket: "b", Key: "k", Value: make([]byte, 100)}})
				return err
			}
			for range 50 {
				noErr(t, put())
				stats, err := d.Bucket("b")
				noErr(t, err)
				if stats.StreamUsed > 1000 {
					t.Fatalf("the stream has %d bytes", stats.StreamUsed)
				}
			}
			d.must(t, Write{Bucket: "b", Key: "short", Value: make([]byte, 300), TTL: time.Minute})
			clock.pass(time.Minute)
			putFeedOf(t, s, "f", "b", true)
			_, newest, err := s.StreamBounds("b")
			noErr(t, err)
			settle(t, s, "f", newest-1)
			var full *StreamFullError
			refused := 0
			for range 20 {
				if err := put(); errors.As(err, &full) {
					refused++
				} else {
					noErr(t, err)
				}
			}
			oldest, last, err := s.StreamBounds("b")
			noErr(t, err)
			feed, err := s.GetFeed("f")
			noErr(t, err)
			if whenFull == WhenFullDropOldest {
				if refused > 0 || last != newest+20 || feed.Lost != oldest-newest {
					t.Errorf("%d were refused, the feed has lost %d; the stream goes from %d to %d", refused, feed.Lost, oldest, last)
				}
			} else {
				if refused == 0 || refused == 20 || feed.Lost != 0 || oldest > newest {
					t.Errorf("%d were refused, the feed has lost %d of the stream from %d, needed from %d", refused, feed.Lost, oldest, newest)
				}
				if !full.LimitExceeded() || full.Bucket != "b" || !strings.Contains(full.Error(), "f (function f)") {
					t.Errorf("%v", full)
				}
				// What expired waits too, and not in a loop.
				removed, next, err := d.Expire(10)
				if removed != 0 || !next.Equal(clock.now.Add(expireAgain)) || err != nil {
					t.Errorf("Expire: %d, %v, %v", removed, next, err)
				}
				settle(t, s, "f", last)
				if removed, _, err = d.Expire(10); removed != 1 || err != nil {
					t.Errorf("Expire with room: %d, %v", removed, err)
				}
				noErr(t, put())
			}
			_, err = d.Write(Origin{}, []Write{{Bucket: "b", Key: "large", Value: make([]byte, 1001)}})
			if !errors.As(err, &full) || len(full.HeldBy) != 0 || !strings.Contains(err.Error(), "raise its limit") {
				t.Errorf("a change larger than the stream: %v", err)
			}
		})
	}
}

// A change that is lost to damage is counted and holds nothing up.
func TestDamagedChange(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	putFeedOf(t, s, "f", "b", true)
	putFeedOf(t, s, "g", "b", false)
	for i := range 4 {
		d.must(t, Write{Bucket: "b", Key: fmt.Sprint(i)})
	}
	noErr(t, s.db.Update(func(tx *bolt.Tx) error {
		changes := tx.Bucket([]byte(bucketChanges)).Bucket([]byte("b"))
		stored := append([]byte{99}, changes.Get(sequenceKey(2))[1:]...)
		return changes.Put(sequenceKey(2), stored)
	}))
	changes, more, err := s.Changes("b", 0, 10, 1<<20)
	noErr(t, err)
	if len(changes) != 1 || changes[0].Key != "0" || !more {
		t.Errorf("before the damage: %+v, %t", changes, more)
	}
	settle(t, s, "f", 1)
	changes, more, err = s.Changes("b", 1, 10, 1<<20)
	noErr(t, err)
	if len(changes) != 2 || changes[0].Key != "2" || more {
		t.Errorf("behind the damage: %+v, %t", changes, more)
	}
	if lost := lostOf(t, s, "f"); lost != 1 {
		t.Errorf("lost are %d, want 1", lost)
	}
	// A feed that is not that far has lost this one, and nothing of what is before.
	if lost := lostOf(t, s, "g"); lost != 1 {
		t.Errorf("lost to the feed behind are %d, want 1", lost)
	}
	if passed := feedOf(t, s, "g").Passed(); passed != 0 {
		t.Errorf("the feed behind is at %d, want 0", passed)
	}
}

// A stream that was off begins anew when it is turned on, unless nothing was written
// meanwhile: no feed sees a past that has a hole.
func TestStreamThatWasOff(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	set := func(on bool) {
		t.Helper()
		_, err := d.PutBucket(DataBucket{Name: "b", Stream: on})
		noErr(t, err)
	}
	set(true)
	d.must(t, Write{Bucket: "b", Key: "k", Value: []byte("1")})
	set(false)
	set(true)
	if got := changesOf(t, s, "b"); got != "INSERT k >1" {
		t.Errorf("with nothing written: %s", got)
	}
	set(false)
	d.must(t, Write{Bucket: "b", Key: "k", Value: []byte("2")})
	set(true)
	d.must(t, Write{Bucket: "b", Key: "k", Value: []byte("3")})
	if got := changesOf(t, s, "b"); got != "MODIFY k 2>3" {
		t.Errorf("with something written: %s", got)
	}
	set(false)
	d.must(t, Write{Bucket: "b", Key: "k", Value: []byte("4")})
	putFeedOf(t, s, "f", "b", true)
	if got := changesOf(t, s, "b"); got != "" {
		t.Errorf("turned on by a feed: %s", got)
	}
}
