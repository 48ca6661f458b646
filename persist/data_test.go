package persist

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestData(t *testing.T) {
	dir, clock := t.TempDir(), newDataClock()
	s := openStore(t, dir, clock.options())
	d := s.Data()
	values := map[string][]byte{
		"text": []byte("value"), "empty": {}, "big": bytes.Repeat([]byte{7}, MaxValueBytes),
		strings.Repeat("k", MaxKeyBytes): {1}, "binary\x00\xff key": {0, 255},
	}
	sequences := map[string]uint64{}
	for key, value := range values {
		sequences[key] = d.must(t, Write{Bucket: "b", Key: key, Value: value})[0].Sequence
		d.holds(t, "c", key, nil)
	}
	d.must(t, Write{Bucket: "b", Key: "nil", Value: nil})
	d.holds(t, "nobody", "text", nil)
	closeStore(t, s)

	s = openStore(t, dir, clock.options())
	d = s.Data()
	for key, value := range values {
		item := d.holds(t, "b", key, value)
		if item.Key != key || item.Sequence != sequences[key] || !item.Modified.Equal(clock.now) || !item.Expires.IsZero() {
			t.Errorf("after a restart: %.20q has sequence %d, modified %v, expires %v", item.Key, item.Sequence, item.Modified, item.Expires)
		}
	}
	d.holds(t, "b", "nil", []byte{})
	item := d.holds(t, "b", "text", []byte("value"))
	item.Value[0] = 'X' // it is the caller's
	d.holds(t, "b", "text", []byte("value"))
	stats, err := d.Bucket("b")
	noErr(t, err)
	if stats.Keys != 6 || stats.Sequence != 6 || stats.Stream || stats.MaxBytes != DefaultBucketBytes || stats.WhenFull != WhenFullReject {
		t.Errorf("the bucket is %+v", stats)
	}
	if got := d.must(t, Write{Bucket: "b", Key: "text", Kind: WriteDelete}, Write{Bucket: "b", Key: "gone", Kind: WriteDelete}); !got[0].Existed || got[0].Sequence != 7 || got[1].Existed || got[1].Sequence != 0 {
		t.Errorf("deletions: %+v", got)
	}
	d.holds(t, "b", "text", nil)
	if got := d.must(t, Write{Bucket: "never", Key: "k", Kind: WriteDelete})[0]; got.Existed || got.Sequence != 0 {
		t.Errorf("deletion in a bucket that is not there: %+v", got)
	}
	_, err = d.Bucket("never")
	wantErr(t, "a bucket where nothing was written", err, ErrNotFound)
	checkData(t, s)
}

func TestBucketNames(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "A-b_c.9": true, strings.Repeat("x", 63): true, "function.f": true, "functions": true,
		"": false, "-a": false, ".": false, "a b": false, "ä": false, "a/b": false, strings.Repeat("x", 64): false,
		"function.": false, "function.a\x00": false,
	} {
		if err := CheckBucket(name); (err == nil) != good || !good && !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Each write is refused, and nothing of its transaction is done.
func TestRefusedWrites(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	d.must(t, Write{Bucket: "b", Key: "text", Value: []byte("x")},
		Write{Bucket: "b", Key: "most", Value: fmt.Append(nil, math.MaxInt64)},
		Write{Bucket: "b", Key: "least", Value: fmt.Append(nil, math.MinInt64)})
	before, err := d.Buckets()
	noErr(t, err)
	many := make([]Write, MaxWrites+1)
	for i := range many {
		many[i] = Write{Bucket: "b", Key: fmt.Sprint(i)}
	}
	large := make([]Write, 5)
	for i := range large {
		large[i] = Write{Bucket: "b", Key: fmt.Sprint(i), Value: make([]byte, MaxWriteBytes/4)}
	}
	var size *SizeError
	var condition *ConditionError
	var number *NumberError
	one := func(w Write) []Write { return []Write{{Bucket: "b", Key: "other"}, w} }
	for what, c := range map[string]struct {
		writes []Write
		want   any // an error, or a pointer to one
	}{
		"none":               {nil, ErrInvalid},
		"too many":           {many, ErrInvalid},
		"too large together": {large, &size},
		"no key":             {one(Write{Bucket: "b"}), &size},
		"no key is no write": {one(Write{Bucket: "b"}), ErrInvalid},
		"long key":           {one(Write{Bucket: "b", Key: strings.Repeat("k", MaxKeyBytes+1)}), &size},
		"large value":        {one(Write{Bucket: "b", Key: "k", Value: make([]byte, MaxValueBytes+1)}), &size},
		"no bucket":          {one(Write{Key: "k"}), ErrInvalid},
		"odd bucket":         {one(Write{Bucket: "a b", Key: "k"}), ErrInvalid},
		"nobody's bucket":    {one(Write{Bucket: OwnBucket("nobody"), Key: "k"}), ErrNotFound},
		"odd kind":           {one(Write{Bucket: "b", Key: "k", Kind: WriteCheck + 1}), ErrInvalid},
		"odd condition":      {one(Write{Bucket: "b", Key: "k", If: Condition{Kind: IfSequence + 1}}), ErrInvalid},
		"lived before":       {one(Write{Bucket: "b", Key: "k", TTL: -1}), ErrInvalid},
		"lives too long":     {one(Write{Bucket: "b", Key: "k", TTL: math.MaxInt64}), ErrInvalid},
		"twice the same":     {one(Write{Bucket: "b", Key: "other"}), ErrInvalid},
		"increment of text":  {one(Write{Bucket: "b", Key: "text", Kind: WriteIncrement, By: 1}), &number},
		"overflow":           {one(Write{Bucket: "b", Key: "most", Kind: WriteIncrement, By: 1}), &number},
		"underflow":          {one(Write{Bucket: "b", Key: "least", Kind: WriteIncrement, By: -1}), &number},
		"is there":           {one(Write{Bucket: "b", Key: "text", If: Condition{Kind: IfAbsent}}), &condition},
		"is not there":       {one(Write{Bucket: "b", Key: "k", If: Condition{Kind: IfPresent}}), &condition},
		"another value":      {one(Write{Bucket: "b", Key: "text", If: Condition{Kind: IfValue, Value: []byte("y")}}), &condition},
		"no value":           {one(Write{Bucket: "b", Key: "k", If: Condition{Kind: IfValue, Value: nil}}), &condition},
		"another sequence":   {one(Write{Bucket: "b", Key: "text", If: Condition{Kind: IfSequence, Sequence: 9}}), &condition},
		"no sequence":        {one(Write{Bucket: "b", Key: "k", Kind: WriteDelete, If: Condition{Kind: IfSequence, Sequence: 9}}), &condition},
		"has a sequence":     {one(Write{Bucket: "b", Key: "text", Kind: WriteCheck, If: Condition{Kind: IfSequence}}), &condition},
	} {
		_, err := d.Write(Origin{}, c.writes)
		switch want := c.want.(type) {
		case error:
			wantErr(t, what, err, want)
		default:
			if !errors.As(err, want) {
				t.Errorf("%s: got error %v, want a %T", what, err, want)
			}
		}
		if c.want == any(&condition) && (!errors.Is(err, ErrConflict) || condition.Index != 1 || condition.Now.Key != c.writes[1].Key) {
			t.Errorf("%s: %+v", what, condition)
		}
	}
	after, err := d.Buckets()
	noErr(t, err)
	if fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("a refused write changed\n%+v to\n%+v", before, after)
	}
	_, err = d.Get("b", "")
	if !errors.As(err, &size) {
		t.Errorf("Get of no key: %v", err)
	}
}

// Conditions that hold, and what a caller learns.
func TestConditions(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	first := d.must(t, Write{Bucket: "b", Key: "k", Value: []byte("1"), If: Condition{Kind: IfAbsent}})[0]
	if first.Existed || first.Sequence != 1 {
		t.Errorf("first: %+v", first)
	}
	second := d.must(t, Write{Bucket: "b", Key: "k", Value: []byte("2"), If: Condition{Kind: IfSequence, Sequence: first.Sequence}})[0]
	if !second.Existed || second.Sequence != 2 {
		t.Errorf("second: %+v", second)
	}
	d.must(t, Write{Bucket: "b", Key: "k", Value: nil, If: Condition{Kind: IfValue, Value: []byte("2")}})
	d.must(t, Write{Bucket: "b", Key: "k", Value: []byte("4"), If: Condition{Kind: IfValue}}) // it is empty
	d.must(t, Write{Bucket: "b", Key: "absent", Kind: WriteCheck, If: Condition{Kind: IfSequence}})
	check := d.must(t, Write{Bucket: "b", Key: "k", Kind: WriteCheck, If: Condition{Kind: IfPresent}},
		Write{Bucket: OwnBucket("f"), Key: "own", Value: []byte("v")})[0]
	if !check.Existed || check.Sequence != 4 {
		t.Errorf("check: %+v", check)
	}
	_, err := d.Write(Origin{}, []Write{{Bucket: "b", Key: "k", Value: []byte("5"), If: Condition{Kind: IfValue, Value: []byte("3")}}})
	var refused *ConditionError
	if !errors.As(err, &refused) || string(refused.Now.Value) != "4" || refused.Now.Sequence != 4 || !strings.Contains(err.Error(), `"k"`) {
		t.Errorf("refused: %v, %+v", err, refused)
	}
	d.holds(t, "b", "k", []byte("4"))
}

// Expired is absent at once, and removed later.
func TestExpiry(t *testing.T) {
	s, clock := dataStore(t)
	d := s.Data()
	_, err := d.PutBucket(DataBucket{Name: "b", Stream: true})
	noErr(t, err)
	short := func(key, value string) Write {
		return Write{Bucket: "b", Key: key, Value: []byte(value), TTL: time.Minute}
	}
	d.must(t, short("a", "1"), short("c", "1"), short("n", "5"), short("z", "1"), Write{Bucket: "b", Key: "stays"})
	d.must(t, Write{Bucket: "b", Key: "z", Value: []byte("2")}) // it now never expires
	d.must(t, Write{Bucket: "b", Key: "n", Kind: WriteIncrement, By: 1, TTL: time.Hour})
	if item := d.holds(t, "b", "n", []byte("6")); !item.Expires.Equal(clock.now.Add(time.Minute)) {
		t.Errorf("an increment moved the expiry to %v", item.Expires)
	}
	removed, next, err := d.Expire(10)
	noErr(t, err)
	if removed != 0 || !next.Equal(clock.now.Add(time.Minute)) {
		t.Errorf("before its time: %d removed, next at %v", removed, next)
	}
	clock.pass(time.Minute - time.Millisecond)
	d.holds(t, "b", "a", []byte("1"))
	clock.pass(time.Millisecond)
	for _, key := range []string{"a", "c", "n"} {
		d.holds(t, "b", key, nil)
	}
	items, _, err := d.List("b", Range{KeysOnly: true})
	noErr(t, err)
	if len(items) != 2 || items[0].Key != "stays" || items[1].Key != "z" || items[1].Value != nil {
		t.Errorf("listed are %+v", items)
	}
	for i, got := range d.must(t,
		Write{Bucket: "b", Key: "a", Kind: WriteDelete, If: Condition{Kind: IfSequence}},
		Write{Bucket: "b", Key: "n", Kind: WriteIncrement, By: 2, If: Condition{Kind: IfAbsent}, TTL: time.Second}) {
		if got.Existed || (i == 0) != (got.Sequence == 0) {
			t.Errorf("write %d of what expired: %+v", i, got)
		}
	}
	d.holds(t, "b", "n", []byte("2"))
	removed, next, err = d.Expire(1)
	noErr(t, err)
	if removed != 1 || next.After(clock.now) {
		t.Errorf("one of two: %d removed, next at %v, want at once", removed, next)
	}
	removed, next, err = d.Expire(10)
	noErr(t, err)
	if removed != 1 || !next.Equal(clock.now.Add(time.Second)) {
		t.Errorf("the other: %d removed, next at %v", removed, next)
	}
	want := "INSERT a >1, INSERT c >1, INSERT n >5, INSERT z >1, INSERT stays >, MODIFY z 1>2, MODIFY n 5>6, " +
		"REMOVE n 6> expired, INSERT n >2, REMOVE a 1> expired, REMOVE c 1> expired"
	if got := changesOf(t, s, "b"); got != want {
		t.Errorf("changes are\n%s\nwant\n%s", got, want)
	}
	changes, _, err := s.Changes("b", 9, 10, 1<<20)
	noErr(t, err)
	if c := changes[0]; c.Depth != 1 || c.By != "" {
		t.Errorf("an expiry has depth %d and is by %q, want the depth of the write and nobody", c.Depth, c.By)
	}
}

// A time to live is at least that, though times are whole milliseconds.
func TestShortestTimeToLive(t *testing.T) {
	s, clock := dataStore(t)
	d := s.Data()
	clock.pass(600 * time.Microsecond)
	d.must(t, Write{Bucket: "b", Key: "k", TTL: time.Millisecond})
	clock.pass(time.Millisecond - 1)
	d.holds(t, "b", "k", []byte{})
	clock.pass(time.Millisecond)
	d.holds(t, "b", "k", nil)
}

// Large values expire in transactions that memory has room for, all of them.
func TestExpiryOfLargeValues(t *testing.T) {
	s, clock := dataStore(t)
	d := s.Data()
	_, err := d.PutBucket(DataBucket{Name: "b", Stream: true})
	noErr(t, err)
	for i := range 9 {
		d.must(t, Write{Bucket: "b", Key: fmt.Sprint(i), Value: make([]byte, MaxValueBytes), TTL: time.Second})
	}
	clock.pass(time.Second)
	n, next, err := d.expire("", 9)
	noErr(t, err)
	if n < 2 || n == 9 || next.After(clock.now) {
		t.Errorf("one transaction removed %d, the next is at %v", n, next)
	}
	if rest, next, err := d.Expire(100); rest != 9-n || !next.IsZero() || err != nil {
		t.Errorf("the rest: %d, %v, %v", rest, next, err)
	}
}

// What expires together goes although its changes do not fit the stream together, as
// far as feeds make room for it.
func TestExpiryInASmallStream(t *testing.T) {
	s, clock := dataStore(t)
	d := s.Data()
	_, err := d.PutBucket(DataBucket{Name: "b", Stream: true, StreamBytes: 1000})
	noErr(t, err)
	for i := range 20 {
		d.must(t, Write{Bucket: "b", Key: fmt.Sprint(i), Value: make([]byte, 100), TTL: time.Second})
	}
	clock.pass(time.Second)
	if n, next, err := d.Expire(100); n != 20 || !next.IsZero() || err != nil {
		t.Errorf("expired are %d, then at %v, %v", n, next, err)
	}

	putFeedOf(t, s, "f", "b", true)
	settle(t, s, "f", 40)
	for i := range 6 {
		d.must(t, Write{Bucket: "b", Key: fmt.Sprint(i), Value: make([]byte, 100), TTL: time.Second})
	}
	clock.pass(time.Second)
	n, next, err := d.Expire(100)
	if n < 1 || n == 6 || next != clock.now.Add(expireAgain) || err != nil {
		t.Errorf("with a feed that stands, expired are %d, then at %v, %v", n, next, err)
	}
	settle(t, s, "f", 46)
	if rest, next, err := d.Expire(100); rest != 6-n || !next.IsZero() || err != nil {
		t.Errorf("with a feed that went on, expired are %d, then at %v, %v", rest, next, err)
	}
}

// A bucket that is full of what expired takes writes.
func TestExpiredMakesRoom(t *testing.T) {
	s, clock := dataStore(t)
	d := s.Data()
	_, err := d.PutBucket(DataBucket{Name: "b", MaxKeys: 2})
	noErr(t, err)
	d.must(t, Write{Bucket: "b", Key: "1", TTL: time.Second}, Write{Bucket: "b", Key: "2"})
	var full *QuotaError
	if _, err := d.Write(Origin{}, []Write{{Bucket: "b", Key: "3"}}); !errors.As(err, &full) {
		t.Errorf("a third key: %v", err)
	}
	clock.pass(time.Second)
	d.must(t, Write{Bucket: "b", Key: "3"})
	if stats, err := d.Bucket("b"); err != nil || stats.Keys != 2 {
		t.Errorf("%+v, %v", stats, err)
	}
	// Also where one batch of them is not enough.
	many := make([]Write, MaxWrites)
	_, err = d.PutBucket(DataBucket{Name: "b", MaxKeys: 2 + 3*MaxWrites, MaxBytes: 10_000})
	noErr(t, err)
	for i := range 3 {
		for j := range many {
			many[j] = Write{Bucket: "b", Key: fmt.Sprintf("%03d-%03d", i, j), TTL: time.Second}
		}
		d.must(t, many...)
	}
	clock.pass(time.Second)
	d.must(t, Write{Bucket: "b", Key: "large", Value: make([]byte, 9990)})
}

// Increments at the same time are each counted, and transactions over buckets move
// and never lose.
func TestDataConcurrently(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	const workers, rounds = 16, 25
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range rounds {
				_, err := d.Write(Origin{}, []Write{
					{Bucket: "from", Key: "n", Kind: WriteIncrement, By: -1}, {Bucket: "to", Key: "n", Kind: WriteIncrement, By: 1},
				})
				if err != nil {
					t.Error(err)
				}
				if _, err := d.Get("to", "n"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	item := d.holds(t, "from", "n", fmt.Append(nil, -workers*rounds))
	d.holds(t, "to", "n", fmt.Append(nil, workers*rounds))
	if item.Sequence != workers*rounds {
		t.Errorf("the sequence is %d", item.Sequence)
	}
}

func TestIncrement(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	for _, c := range []struct {
		holds string
		by    int64
		want  string // empty: refused
	}{
		{"", 5, "5"}, {"41", 1, "42"}, {"-1", 1, "0"}, {"0", math.MinInt64, fmt.Sprint(math.MinInt64)},
		{"007", 1, "8"}, {"+1", 0, "1"},
		{"1.5", 1, ""}, {" 1", 1, ""}, {"0x10", 1, ""}, {"1_0", 1, ""}, {"9223372036854775808", 0, ""},
		{strings.Repeat("0", 100), 1, ""}, {"\xff", 1, ""},
	} {
		key := "k" + c.holds
		if c.holds != "" {
			d.must(t, Write{Bucket: "b", Key: key, Value: []byte(c.holds)})
		}
		got, err := d.Write(Origin{}, []Write{{Bucket: "b", Key: key, Kind: WriteIncrement, By: c.by}})
		if c.want == "" {
			var number *NumberError
			if !errors.As(err, &number) || !errors.Is(err, ErrInvalid) {
				t.Errorf("%q: %v", c.holds, err)
			}
			d.holds(t, "b", key, []byte(c.holds))
			continue
		}
		noErr(t, err)
		if string(got[0].Value) != c.want || got[0].Existed != (c.holds != "") {
			t.Errorf("%q plus %d: %+v", c.holds, c.by, got[0])
		}
		d.holds(t, "b", key, []byte(c.want))
	}
	_, err := d.Write(Origin{}, []Write{{Bucket: "b", Key: "empty"}})
	noErr(t, err)
	if _, err := d.Write(Origin{}, []Write{{Bucket: "b", Key: "empty", Kind: WriteIncrement}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("increment of an empty value: %v", err)
	}
}
