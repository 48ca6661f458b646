package persist

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// StreamRetention is how long a stream keeps what all its feeds have passed, and what
// only feeds have not that are disabled: as long as DynamoDB Streams keeps anything.
// A feed that is enabled keeps it for longer.
const StreamRetention = 24 * time.Hour

// trimBatch is how many changes one transaction removes.
const trimBatch = 1000

// StreamFullError says that a bucket cannot be written to, because its stream is full
// of changes that a feed has yet to deliver. Nothing was written.
type StreamFullError struct {
	Bucket string
	Used   int64    // bytes of changes now
	Needed int64    // more, for this write
	Limit  int64    // bytes
	HeldBy []string // the event source mappings that wait for the oldest changes, at most ten; none: the write alone is too large
}

func (e *StreamFullError) Error() string {
	if len(e.HeldBy) == 0 {
		return fmt.Sprintf("this write makes %d bytes of changes and the stream of bucket %s holds at most %d; raise its limit",
			e.Needed, e.Bucket, e.Limit)
	}
	return fmt.Sprintf("the stream of bucket %s is full: it holds %d bytes of changes of at most %d and this write needs %d more; they wait for the event source mappings %s: see why those do not get on, or delete them, raise the limit, or let the stream %s",
		e.Bucket, e.Used, e.Limit, e.Needed, strings.Join(e.HeldBy, ", "), WhenFullDropOldest)
}

// LimitExceeded tells this error from those of the store itself.
func (e *StreamFullError) LimitExceeded() bool { return true }

// feedPosition is how far a feed has come.
type feedPosition struct {
	mapping EventSourceMapping
	passed  uint64 // it needs nothing up to here
}

// positionsOf returns the feeds that read the stream of bucket.
func positionsOf(tx *bolt.Tx, bucket string) ([]feedPosition, error) {
	mappings, feeds, err := feedsOf(tx, bucket)
	if err != nil {
		return nil, err
	}
	positions := make([]feedPosition, len(mappings))
	for i, m := range mappings {
		positions[i] = feedPosition{mapping: m, passed: feeds[i].Passed()}
	}
	return positions, nil
}

// streamRoom is what must go from a stream before a write.
type streamRoom struct {
	keys [][]byte
	lost uint64 // some feed needs those up to here; 0: none does
}

// findRoom finds what of a stream can go so that need more bytes fit: first what
// no feed needs, then, where the stream is configured so, what feeds lose. It
// returns a *StreamFullError where that is not enough.
func (b *openBucket) findRoom(tx *bolt.Tx, need int64, room *streamRoom) error {
	limit := b.settings(b.name).StreamBytes
	if need == 0 || b.streamUsed+need <= limit {
		return nil
	}
	full := &StreamFullError{Bucket: b.name, Used: b.streamUsed, Needed: need, Limit: limit}
	if need > limit {
		return full
	}
	if b.changes == nil { // the totals are off
		return nil
	}
	feeds, err := positionsOf(tx, b.name)
	if err != nil {
		return err
	}
	free := passedByAll(feeds)
	// An eighth more than is needed, where nobody needs it: this is not for each write.
	must, wish := b.streamUsed+need-limit, b.streamUsed+need-limit+limit/8
	found := int64(0)
	c := b.changes.Cursor()
	for k, v := c.First(); k != nil && found < wish; k, v = c.Next() {
		sequence := uint64(0) // of a key that makes no sense
		if len(k) == sequenceBytes {
			sequence = binary.BigEndian.Uint64(k)
		}
		if len(room.keys) >= trimBatch && found >= must {
			break
		}
		if sequence > free {
			if found >= must {
				break
			}
			if !b.dropOldest {
				full.HeldBy = heldBy(feeds, sequence)
				return full
			}
			room.lost = sequence
		}
		room.keys = append(room.keys, bytes.Clone(k))
		found += int64(len(k) + len(v))
	}
	return nil
}

// passedByAll returns up to where no feed needs anything.
func passedByAll(feeds []feedPosition) uint64 {
	passed := uint64(math.MaxUint64)
	for _, f := range feeds {
		passed = min(passed, f.passed)
	}
	return passed
}

// heldBy names those that have not passed sequence.
func heldBy(feeds []feedPosition, sequence uint64) (mappings []string) {
	for _, f := range feeds {
		if f.passed < sequence && len(mappings) < 10 {
			name := f.mapping.ID + " (function " + f.mapping.Function
			if !f.mapping.Enabled {
				name += ", disabled"
			}
			mappings = append(mappings, name+")")
		}
	}
	return mappings
}

// makeStreamRoom removes what findRoom found. The caller saves the bucket.
func (c *change) makeStreamRoom(b *openBucket, room *streamRoom) error {
	if len(room.keys) == 0 {
		return nil
	}
	c.wrote = true
	if room.lost > 0 { // before the changes go, which are then still to be counted
		if err := c.feedsLost(b.name, room.lost); err != nil {
			return err
		}
	}
	return b.forgetChanges(room.keys)
}

// TrimChanges removes the changes that are older than StreamRetention and that every
// feed has passed, or every feed that is enabled: then the disabled ones have lost
// them, which their Lost counts. It returns how many were removed.
func (s *Store) TrimChanges(now time.Time) (removed int, err error) {
	before := toMilli(now.Add(-StreamRetention))
	var names []string
	err = s.view(func(tx *bolt.Tx) error {
		streams := tx.Bucket([]byte(bucketChanges))
		return streams.ForEachBucket(func(name []byte) error {
			if _, v := streams.Bucket(name).Cursor().First(); v != nil && changeTime(v) < before {
				names = append(names, string(name))
			}
			return nil
		})
	})
	if err != nil {
		return 0, fmt.Errorf("list streams: %w", err)
	}
	for _, name := range names {
		for {
			n, err := s.trimStream(name, before)
			removed += n
			if err != nil {
				return removed, fmt.Errorf("trim the stream of bucket %s: %w", name, err)
			}
			if n < trimBatch {
				break
			}
		}
	}
	return removed, nil
}

// trimStream removes at most trimBatch changes from before a time in Unix
// milliseconds. Time goes back where the clock was set, so the first that is younger
// ends it, whatever comes later.
func (s *Store) trimStream(bucket string, before int64) (removed int, err error) {
	err = s.makeRoom(func(c *change) error {
		removed = 0
		b, err := openDataBucket(c.tx, bucket)
		if err != nil || b.changes == nil {
			return err
		}
		cursor := b.changes.Cursor()
		first, v := cursor.First()
		if first == nil || changeTime(v) >= before {
			return nil
		}
		feeds, err := positionsOf(c.tx, bucket)
		if err != nil {
			return err
		}
		enabled := slices.DeleteFunc(slices.Clone(feeds), func(f feedPosition) bool { return !f.mapping.Enabled })
		may, free := passedByAll(enabled), passedByAll(feeds)
		var room streamRoom
		for k, v := first, v; k != nil && len(room.keys) < trimBatch && changeTime(v) < before; k, v = cursor.Next() {
			if len(k) == sequenceBytes {
				sequence := binary.BigEndian.Uint64(k)
				if sequence > may {
					break
				}
				if sequence > free {
					room.lost = sequence
				}
			}
			room.keys = append(room.keys, bytes.Clone(k))
		}
		if len(room.keys) == 0 {
			return nil
		}
		if err := c.makeStreamRoom(b, &room); err != nil {
			return err
		}
		removed = len(room.keys)
		return b.save(c.tx)
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}

// feedsLost notes that the changes of a bucket up to through are about to go: feeds
// that had not settled all of them count those that are still there behind their
// place, and go on after through.
func (c *change) feedsLost(bucket string, through uint64) error {
	changes := c.tx.Bucket([]byte(bucketChanges)).Bucket([]byte(bucket))
	_, feeds, err := feedsOf(c.tx, bucket)
	if err != nil || changes == nil {
		return err
	}
	for _, feed := range feeds {
		passed := feed.Passed()
		if passed >= through {
			continue
		}
		cursor := changes.Cursor()
		end := sequenceKey(through)
		for k, _ := cursor.Seek(sequenceKey(passed + 1)); k != nil && bytes.Compare(k, end) <= 0; k, _ = cursor.Next() {
			feed.Lost++
		}
		if len(feed.Lanes) == 0 {
			feed.Lanes = make([]FeedLane, 1)
		}
		for i := range feed.Lanes {
			if feed.Lanes[i].After < through {
				feed.Lanes[i] = FeedLane{After: through}
			}
		}
		if err := c.putFeed(feed); err != nil {
			return err
		}
	}
	return nil
}

// feedsMiss notes that one change alone is about to go: feeds that had not passed it
// count it, and stay where they are, for those before it are still there.
func (c *change) feedsMiss(bucket string, sequence uint64) error {
	_, feeds, err := feedsOf(c.tx, bucket)
	if err != nil {
		return err
	}
	for _, feed := range feeds {
		if len(feed.Lanes) == 0 || feed.Passed() >= sequence {
			continue
		}
		feed.Lost++
		if err := c.putFeed(feed); err != nil {
			return err
		}
	}
	return nil
}
