package persist

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Feed is how far an event source mapping has read the changes of its bucket: a
// record of the bucket "feeds" under the mapping's ID. It moves with each batch, so
// it does not count in the store's Generation.
type Feed struct {
	Mapping string     `json:"mapping"`
	Lanes   []FeedLane `json:"lanes"` // as many as the mapping's Parallel

	Lost      uint64 `json:"lost,omitempty"`      // changes that went before the feed had read them
	Delivered uint64 `json:"delivered,omitempty"` // changes that the function has taken
	GivenUp   uint64 `json:"givenUp,omitempty"`   // changes that became dead letters or went to the destination

	LastResult string    `json:"lastResult,omitempty"` // "OK", or "PROBLEM: " and what it was; empty: nothing ran yet
	LastRun    time.Time `json:"lastRun,omitzero"`
}

// FeedLane is the part of a feed that has some of the keys: which, the hash of a
// key decides. The changes of a lane are settled in their order.
type FeedLane struct {
	After       uint64    `json:"after"`           // every change up to here is settled
	Until       uint64    `json:"until,omitempty"` // where the next batch ends, which was bisected; 0 anywhere
	Failures    int       `json:"failures,omitempty"`
	FirstFailed time.Time `json:"firstFailed,omitzero"`
	LastError   string    `json:"lastError,omitempty"` // cut to 1 KiB
	Starts      int       `json:"starts,omitempty"`    // of the node, that ended while the next batch ran
}

// Passed returns the change up to which every lane has settled all.
func (f Feed) Passed() uint64 {
	if len(f.Lanes) == 0 {
		return 0
	}
	passed := f.Lanes[0].After
	for _, lane := range f.Lanes[1:] {
		passed = min(passed, lane.After)
	}
	return passed
}

// FeedLetter is a part of a batch that is given up, for the dead letters.
type FeedLetter struct {
	Reason string
	Job    Job // with its payload; at most MaxJobPayload of it
}

// FeedStep is what became of a batch of one lane.
type FeedStep struct {
	Mapping string
	Lane    int      // index in Feed.Lanes
	Lanes   int      // how many there were
	From    FeedLane // what the lane was
	To      FeedLane // what it is now

	Delivered, GivenUp int    // changes, to be added
	Result             string // empty keeps what there is
	Run                time.Time

	Letters []FeedLetter // for the dead letters
	Jobs    []Job        // for a destination, whatever the queue's limits
}

// SettleFeed stores what became of a batch: the lane's place, and the dead letters or
// the destination's jobs, in one transaction. ErrConflict says that the lanes are not
// those that the caller knows, because the mapping was changed; ErrNotFound that
// mapping, feed or destination are gone. Nothing was changed then. A lane that has
// come further meanwhile, because its changes were lost, stays there.
func (s *Store) SettleFeed(step FeedStep) error {
	size := jobOverhead
	jobs := slices.Clone(step.Jobs)
	for i := range jobs {
		if err := s.checkJob(&jobs[i]); err != nil {
			return fmt.Errorf("settle feed %s: %w", step.Mapping, err)
		}
		size += len(jobs[i].Payload) + jobOverhead
	}
	letters := slices.Clone(step.Letters)
	buried := milli(s.now())
	for i := range letters {
		if n := len(letters[i].Job.Payload); n > MaxJobPayload {
			return fmt.Errorf("settle feed %s: %w", step.Mapping, &SizeError{What: "event", Size: n, Limit: MaxJobPayload})
		}
		letters[i].Job.LastError = clipText(letters[i].Job.LastError, maxErrorText)
		size += len(letters[i].Job.Payload) + jobOverhead
	}
	step.To.LastError = clipText(step.To.LastError, maxErrorText)
	err := s.update(size, func(c *change) error {
		feed, err := one[Feed](c.tx, bucketFeeds, []byte(step.Mapping), whatFeed+step.Mapping)
		if err != nil {
			return err
		}
		if len(feed.Lanes) != step.Lanes || step.Lane < 0 || step.Lane >= step.Lanes || feed.Lanes[step.Lane].After < step.From.After {
			return fmt.Errorf("lane %d is not where it was: %w", step.Lane, ErrConflict)
		}
		for i := range jobs {
			job := jobs[i]
			if err := c.enqueue(&job, nil, false); err != nil {
				return err
			}
		}
		for _, l := range letters {
			letter := DeadLetter{Reason: clipText(l.Reason, maxErrorText), Buried: buried, Job: l.Job}
			if err := c.bury(letter, l.Job.Payload); err != nil {
				return err
			}
		}
		if feed.Lanes[step.Lane].After <= step.To.After {
			feed.Lanes[step.Lane] = step.To
		}
		feed.Delivered += uint64(step.Delivered)
		feed.GivenUp += uint64(step.GivenUp)
		if step.Result != "" {
			feed.LastResult, feed.LastRun = clipText(step.Result, maxErrorText), milli(step.Run)
		}
		return c.putFeed(feed)
	})
	if err != nil {
		return fmt.Errorf("settle feed %s: %w", step.Mapping, err)
	}
	return nil
}

const whatFeed = "feed "

// GetFeed returns how far a mapping has read, or ErrNotFound.
func (s *Store) GetFeed(mapping string) (Feed, error) {
	return oneRecord[Feed](s, bucketFeeds, []byte(mapping), whatFeed+mapping)
}

// Feeds returns the state of all feeds in order of their mappings' IDs.
func (s *Store) Feeds() ([]Feed, error) { return allRecords[Feed](s, bucketFeeds) }

// OpenFeed is GetFeed that makes the record where it is missing: damage cost it, or
// an older release stored the mapping. The feed then begins at the oldest change that
// there is: some may come again, none is lost. ErrNotFound: there is no such mapping.
func (s *Store) OpenFeed(mapping string) (Feed, error) {
	feed, err := s.GetFeed(mapping)
	if err == nil {
		return feed, nil
	}
	err = s.update(0, func(c *change) error {
		m, err := one[EventSourceMapping](c.tx, bucketMappings, []byte(mapping), whatMapping+mapping)
		if err != nil {
			return err
		}
		bucket, ok := m.Bucket()
		if !ok {
			return invalid("the source %s is no bucket", m.Source)
		}
		m.Start = "" // the oldest
		if err := c.openFeed(m, bucket, s.now()); err != nil {
			return err
		}
		feed, _, err = get[Feed](c.tx, bucketFeeds, []byte(mapping))
		return err
	})
	if err != nil {
		return Feed{}, fmt.Errorf("open feed %s: %w", mapping, err)
	}
	return feed, nil
}

// StartLatest is the Start of a mapping that gets what is written after its creation.
const StartLatest = "LATEST"

// Bucket returns the bucket of data whose changes feed the mapping; false where its
// source is something else. A source is
//
//	arn:aws:dynamodb:REGION:ACCOUNT:table/BUCKET/stream/LABEL
func (m EventSourceMapping) Bucket() (name string, ok bool) {
	parts := strings.SplitN(m.Source, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "dynamodb" {
		return "", false
	}
	rest, ok := strings.CutPrefix(parts[5], "table/")
	if !ok {
		return "", false
	}
	name, label, ok := strings.Cut(rest, "/stream/")
	return name, ok && name != "" && label != ""
}

// openFeed turns the bucket's stream on and gives the mapping its place in it; one
// that has a place keeps it, unless it is to have another number of lanes.
func (c *change) openFeed(m EventSourceMapping, bucket string, now time.Time) error {
	newest, err := c.openStream(bucket, now)
	if err != nil {
		return err
	}
	feed, found, err := get[Feed](c.tx, bucketFeeds, []byte(m.ID))
	if err != nil {
		return err
	}
	after := uint64(0)
	switch {
	case found:
		after = feed.Passed()
	case m.Start == StartLatest:
		after = newest
	}
	lanes := max(m.Parallel, 1)
	if found && len(feed.Lanes) == lanes {
		for i := range feed.Lanes { // whoever changed the mapping wants it tried again
			feed.Lanes[i] = FeedLane{After: feed.Lanes[i].After}
		}
	} else {
		// Which lane has a key depends on how many there are. The lowest place of all
		// repeats changes and loses none.
		feed.Lanes = slices.Repeat([]FeedLane{{After: after}}, lanes)
	}
	feed.Mapping = m.ID
	return c.putFeed(feed)
}

// openStream has a bucket keep its changes, makes it where it is missing, and returns
// the number of its last write.
func (c *change) openStream(bucket string, now time.Time) (newest uint64, err error) {
	if err := CheckBucket(bucket); err != nil {
		return 0, err
	}
	b, err := c.bucketToConfigure(bucket)
	if err != nil {
		return 0, err
	}
	if !b.exists || !b.stream || b.items == nil || b.changes == nil {
		c.wrote, c.records = true, true // it is configuration
		if !b.stream {
			if err := b.dropPast(c.tx); err != nil {
				return 0, err
			}
		}
		b.stream, b.streamByFeed = true, b.streamByFeed || !b.stream
		if err := b.create(c.tx, toMilli(now)); err != nil {
			return 0, err
		}
		if err := b.save(c.tx); err != nil {
			return 0, err
		}
	}
	return b.items.Sequence(), nil
}

// closeStream has a bucket keep no more changes that only a feed wanted, once the last
// feed is gone: each of them is a write to flash. Those that there are stay for
// StreamRetention.
func (c *change) closeStream(bucket string) error {
	b, err := openDataBucket(c.tx, bucket)
	if errors.Is(err, ErrDamaged) {
		return nil // nothing can be written to it either
	}
	if err != nil || !b.streamByFeed {
		return err
	}
	if left, _, err := feedsOf(c.tx, bucket); err != nil || len(left) > 0 {
		return err
	}
	c.wrote, c.records = true, true // it is configuration
	b.stream, b.streamByFeed = false, false
	return b.save(c.tx)
}

// putFeed stores how far a feed is.
func (c *change) putFeed(feed Feed) error {
	c.wrote = true
	return putRecord(c.tx.Bucket([]byte(bucketFeeds)), []byte(feed.Mapping), feed)
}

// dropFeed forgets how far a feed was.
func (c *change) dropFeed(mapping string) error {
	c.wrote = true
	if err := c.tx.Bucket([]byte(bucketFeeds)).Delete([]byte(mapping)); err != nil {
		return fmt.Errorf("delete from %s: %w", bucketFeeds, err)
	}
	return nil
}

// feedsOf returns the mappings that read a bucket, each with how far it is. A mapping
// whose record is missing has no lanes: it has read nothing.
func feedsOf(tx *bolt.Tx, bucket string) (mappings []EventSourceMapping, feeds []Feed, err error) {
	everything, err := all[EventSourceMapping](tx, bucketMappings)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range everything {
		if name, ok := m.Bucket(); !ok || name != bucket {
			continue
		}
		feed, _, err := get[Feed](tx, bucketFeeds, []byte(m.ID))
		if err != nil {
			return nil, nil, err
		}
		feed.Mapping = m.ID
		mappings, feeds = append(mappings, m), append(feeds, feed)
	}
	return mappings, feeds, nil
}
