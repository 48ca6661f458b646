package persist

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"
)

// dataModel is what Data should be, in plain maps.
type dataModel struct {
	buckets map[string]*modelBucket
	deleted uint64 // the highest sequence that a deleted bucket had
	gone    bool   // function f
}

type modelBucket struct {
	items   map[string]modelItem
	last    uint64
	stream  bool
	changes []Change
}

type modelItem struct {
	Item
	depth int
}

func (i modelItem) live(now time.Time) bool {
	return i.Value != nil && (i.Expires.IsZero() || i.Expires.After(now))
}

// bucket returns a bucket, which it makes where that is asked for.
func (m *dataModel) bucket(name string, make bool) *modelBucket {
	b := m.buckets[name]
	if b == nil {
		b = &modelBucket{items: map[string]modelItem{}, last: m.deleted}
		if make {
			m.buckets[name] = b
		}
	}
	return b
}

func (b *modelBucket) note(c Change, now time.Time) uint64 {
	b.last++
	if c.Sequence, c.Time = b.last, now; b.stream {
		b.changes = append(b.changes, c)
	}
	return b.last
}

func (b *modelBucket) remove(key string, now time.Time, origin Origin, expired bool) uint64 {
	old := b.items[key]
	delete(b.items, key)
	c := Change{Kind: ChangeRemove, Key: key, Old: old.Value, Depth: origin.Depth, By: origin.Function}
	if expired {
		c.Depth, c.By, c.Expired = old.depth, "", true
	}
	return b.note(c, now)
}

var errModelNumber = errors.New("no number")

// write does writes, or returns the index of the one that is refused.
func (m *dataModel) write(origin Origin, writes []Write, now time.Time) (written []Written, refused int, err error) {
	for i, w := range writes {
		item := m.bucket(w.Bucket, false).items[w.Key]
		live := item.live(now)
		holds := true
		switch w.If.Kind {
		case IfAbsent:
			holds = !live
		case IfPresent:
			holds = live
		case IfValue:
			holds = live && string(item.Value) == string(w.If.Value)
		case IfSequence:
			holds = live && item.Sequence == w.If.Sequence || !live && w.If.Sequence == 0
		}
		if !holds {
			return nil, i, ErrConflict
		}
		if w.Kind == WriteIncrement && live {
			if _, err := strconv.ParseInt(string(item.Value), 10, 64); err != nil {
				return nil, i, errModelNumber
			}
		}
	}
	for _, w := range writes {
		touches := w.Kind == WritePut || w.Kind == WriteIncrement ||
			w.Kind == WriteDelete && m.bucket(w.Bucket, false).items[w.Key].live(now)
		if touches && w.Bucket == OwnBucket("f") && m.gone {
			return nil, 0, ErrNotFound
		}
	}
	for _, w := range writes {
		b := m.bucket(w.Bucket, w.Kind == WritePut || w.Kind == WriteIncrement)
		item := b.items[w.Key]
		live := item.live(now)
		out := Written{Existed: live}
		if live {
			out.Sequence = item.Sequence
		}
		next := modelItem{Item: Item{Key: w.Key, Value: append([]byte{}, w.Value...), Modified: now}, depth: origin.Depth}
		if w.TTL > 0 {
			next.Expires = now.Add(w.TTL)
		}
		switch w.Kind {
		case WriteDelete:
			if live {
				out.Sequence = b.remove(w.Key, now, origin, false)
			}
		case WriteIncrement:
			n := int64(0)
			if live {
				n, _ = strconv.ParseInt(string(item.Value), 10, 64)
				next.Expires = item.Expires
			}
			next.Value = strconv.AppendInt(nil, n+w.By, 10)
			out.Value = next.Value
			fallthrough
		case WritePut:
			if item.Value != nil && !live {
				b.remove(w.Key, now, origin, true)
			}
			c := Change{Kind: ChangeInsert, Key: w.Key, New: next.Value, Depth: origin.Depth, By: origin.Function}
			if live {
				c.Kind, c.Old = ChangeModify, item.Value
			}
			next.Sequence = b.note(c, now)
			out.Sequence = next.Sequence
			b.items[w.Key] = next
		}
		written = append(written, out)
	}
	return written, 0, nil
}

// expire returns how many it removed and when the next one is due.
func (m *dataModel) expire(now time.Time) (removed int, next time.Time) {
	for _, b := range m.buckets {
		var due []modelItem
		for _, item := range b.items {
			switch {
			case item.Expires.IsZero():
			case !item.live(now):
				due = append(due, item)
			case next.IsZero() || item.Expires.Before(next):
				next = item.Expires
			}
		}
		slices.SortFunc(due, func(x, y modelItem) int {
			return cmp.Or(x.Expires.Compare(y.Expires), cmp.Compare(x.Key, y.Key))
		})
		for _, item := range due {
			b.remove(item.Key, now, Origin{}, true)
			removed++
		}
	}
	return removed, next
}

func (m *dataModel) drop(name string) {
	if b := m.buckets[name]; b != nil {
		m.deleted = max(m.deleted, b.last)
		delete(m.buckets, name)
	}
}

// compare looks at everything there is.
func (m *dataModel) compare(t *testing.T, s *Store, now time.Time) {
	t.Helper()
	stats, err := s.Data().Buckets()
	noErr(t, err)
	if len(stats) != len(m.buckets) {
		t.Fatalf("there are %d buckets, want %d", len(stats), len(m.buckets))
	}
	for _, stat := range stats {
		b := m.buckets[stat.Name]
		if b == nil || stat.Sequence != b.last || stat.Keys != len(b.items) || stat.Stream != b.stream {
			t.Fatalf("bucket %s is %+v, want %+v", stat.Name, stat, b)
		}
		want := []Item{}
		for _, key := range slices.Sorted(maps.Keys(b.items)) {
			if b.items[key].live(now) {
				want = append(want, b.items[key].Item)
			}
		}
		got, more, err := s.Data().List(stat.Name, Range{})
		noErr(t, err)
		if more || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("bucket %s has\n%+v\nwant\n%+v", stat.Name, got, want)
		}
		var changes []Change
		for after := uint64(0); ; {
			page, more, err := s.Changes(stat.Name, after, 7, 50)
			noErr(t, err)
			changes = append(changes, page...)
			if !more {
				break
			}
			after = page[len(page)-1].Sequence
		}
		if len(changes) != len(b.changes) || len(changes) > 0 && !reflect.DeepEqual(changes, b.changes) {
			t.Fatalf("bucket %s has the changes\n%+v\nwant\n%+v", stat.Name, changes, b.changes)
		}
	}
	checkData(t, s)
}

// TestDataModel runs random operations on a store and on the model, and compares what
// they return and what is there, with restarts in between.
func TestDataModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	dir, clock := t.TempDir(), newDataClock()
	s := openStore(t, dir, clock.options())
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	m := &dataModel{buckets: map[string]*modelBucket{}}
	bucket := func() string { return pick("a", "b", OwnBucket("f")) }
	refusals, writesDone := 0, 0

	for i := range 2000 {
		what, now := "", clock.now
		switch random.IntN(20) {
		default:
			writes := make([]Write, 0, 4)
			for range 1 + random.IntN(4) {
				w := Write{Bucket: bucket(), Key: pick("1", "2", "3", "10", "k\x00"), Kind: WriteKind(random.IntN(4)),
					If: Condition{Kind: ConditionKind(random.IntN(3) * random.IntN(3))}}
				if slices.ContainsFunc(writes, func(o Write) bool { return o.Bucket == w.Bucket && o.Key == w.Key }) {
					continue
				}
				old := m.bucket(w.Bucket, false).items[w.Key]
				switch w.Kind {
				case WritePut:
					w.Value = []byte(pick("", "7", "-3", "text"))
				case WriteIncrement:
					w.By = int64(random.IntN(9) - 4)
				}
				if random.IntN(3) == 0 {
					w.TTL = time.Duration(1+random.IntN(5)) * time.Minute
				}
				w.If.Value, w.If.Sequence = old.Value, old.Sequence
				if random.IntN(4) == 0 {
					w.If.Value, w.If.Sequence = []byte("x"), uint64(random.IntN(3))
				}
				writes = append(writes, w)
			}
			what = fmt.Sprintf("Write %+v", writes)
			origin := Origin{Function: pick("f", ""), Depth: random.IntN(3)}
			want, index, wantErr := m.write(origin, writes, now)
			got, err := s.Data().Write(origin, writes)
			var condition *ConditionError
			var number *NumberError
			switch {
			case errors.As(err, &condition):
				if !errors.Is(wantErr, ErrConflict) || condition.Index != index {
					t.Fatalf("step %d, %s: got %v, want %v of write %d", i, what, err, wantErr, index)
				}
				refusals++
			case errors.As(err, &number):
				if wantErr != errModelNumber {
					t.Fatalf("step %d, %s: got %v, want %v", i, what, err, wantErr)
				}
				refusals++
			case !errors.Is(err, wantErr):
				t.Fatalf("step %d, %s: got %v, want %v", i, what, err, wantErr)
			case err == nil && !reflect.DeepEqual(got, want):
				t.Fatalf("step %d, %s: got\n%+v\nwant\n%+v", i, what, got, want)
			case err == nil:
				writesDone++
			}
		case 0:
			clock.pass(time.Duration(random.IntN(90)) * time.Second)
		case 1:
			what = "Expire"
			wantRemoved, wantNext := m.expire(now)
			removed, next, err := s.Data().Expire(1000)
			noErr(t, err)
			if removed != wantRemoved || !next.Equal(wantNext) {
				t.Fatalf("step %d: Expire: %d, %v, want %d, %v", i, removed, next, wantRemoved, wantNext)
			}
		case 2:
			what = "TrimChanges"
			clock.pass(time.Duration(random.IntN(5)) * time.Hour)
			before, want := clock.now.Add(-StreamRetention), 0
			for _, b := range m.buckets {
				n := slices.IndexFunc(b.changes, func(c Change) bool { return !c.Time.Before(before) })
				if n < 0 {
					n = len(b.changes)
				}
				b.changes = b.changes[n:]
				want += n
			}
			removed, err := s.TrimChanges(clock.now)
			noErr(t, err)
			if removed != want {
				t.Fatalf("step %d: TrimChanges removed %d, want %d", i, removed, want)
			}
		case 3:
			name, on := bucket(), random.IntN(4) > 0
			what = fmt.Sprintf("PutBucket %s %t", name, on)
			_, err := s.Data().PutBucket(DataBucket{Name: name, Stream: on})
			if name == OwnBucket("f") && m.gone {
				wantErr(t, what, err, ErrNotFound)
				break
			}
			noErr(t, err)
			b := m.bucket(name, true)
			if n := len(b.changes); on && !b.stream && n > 0 && b.changes[n-1].Sequence != b.last {
				b.changes = nil // there is a hole
			}
			b.stream = on
		case 4:
			if random.IntN(5) > 0 {
				break
			}
			name := bucket()
			what = "DeleteBucket " + name
			if err := s.Data().DeleteBucket(name); m.buckets[name] == nil {
				wantErr(t, what, err, ErrNotFound)
			} else {
				noErr(t, err)
			}
			m.drop(name)
		case 5:
			if random.IntN(5) > 0 {
				break
			}
			if what = "function f"; m.gone {
				_, err := s.PutFunction(testFunction("f"), "", nil)
				noErr(t, err)
			} else {
				_, err := s.DeleteFunction("f")
				noErr(t, err)
				m.drop(OwnBucket("f"))
			}
			m.gone = !m.gone
		}
		if i%500 == 499 {
			closeStore(t, s)
			s = openStore(t, dir, clock.options())
		}
		if i%10 == 9 {
			m.compare(t, s, clock.now)
		}
	}
	t.Logf("%d transactions were done, %d refused", writesDone, refusals)
	if writesDone == 0 || refusals == 0 {
		t.Error("everything was refused, or nothing")
	}
}
