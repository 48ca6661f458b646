package persist

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// What a stream does that is full of changes that a feed has yet to deliver.
const (
	WhenFullReject     = "reject"      // refuse the write
	WhenFullDropOldest = "drop-oldest" // forget the oldest changes, which the feed then never sees
)

// DataBucket is how a bucket is configured. Zero limits are the defaults; what is
// returned has those filled in.
type DataBucket struct {
	Name         string    `json:"name"`
	Stream       bool      `json:"stream,omitempty"`      // keep a log of its changes, for feeds
	MaxBytes     int64     `json:"maxBytes,omitempty"`    // of keys and values
	MaxKeys      int       `json:"maxKeys,omitempty"`     // expired ones that were not removed yet count
	StreamBytes  int64     `json:"streamBytes,omitempty"` // of the changes that are kept
	WhenFull     string    `json:"whenFull,omitempty"`    // of the stream: WhenFullReject (default) or WhenFullDropOldest
	Created      time.Time `json:"created"`
	LastModified time.Time `json:"lastModified"` // of these settings

	// StreamByFeed says that a feed turned Stream on, which goes off with the bucket's
	// last feed. PutBucket then leaves both as they are; without it Stream is the
	// operator's.
	StreamByFeed bool `json:"streamByFeed,omitempty"`
}

// BucketStats is a bucket and what is in it.
type BucketStats struct {
	DataBucket
	Keys         int    `json:"keys"`     // with expired ones that were not removed yet
	Bytes        int64  `json:"bytes"`    // of keys and values
	Sequence     uint64 `json:"sequence"` // of its last write
	StreamOldest uint64 `json:"streamOldest,omitempty"`
	StreamNewest uint64 `json:"streamNewest,omitempty"`
	StreamUsed   int64  `json:"streamUsed,omitempty"` // bytes of changes
}

// Buckets returns all buckets that were written to or configured, by name.
func (d *Data) Buckets() ([]BucketStats, error) {
	var stats []BucketStats
	err := d.store.view(func(tx *bolt.Tx) error {
		names, err := bucketNames(tx)
		if err != nil {
			return err
		}
		stats = make([]BucketStats, 0, len(names))
		for _, name := range names {
			b, err := openDataBucket(tx, name)
			if err != nil {
				return err
			}
			stats = append(stats, b.stats())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list buckets: %w", err)
	}
	return stats, nil
}

// Bucket returns a bucket, or ErrNotFound.
func (d *Data) Bucket(name string) (BucketStats, error) {
	var stats BucketStats
	err := d.store.view(func(tx *bolt.Tx) error {
		b, err := existingBucket(tx, name)
		if err != nil {
			return err
		}
		stats = b.stats()
		return nil
	})
	return stats, err
}

// PutBucket makes a bucket, or replaces the settings of one, and returns them with
// its times. ErrInvalid says that a setting makes no sense, ErrNotFound that the
// bucket is the own one of a function that does not exist, a *QuotaError that there
// are MaxBuckets; ErrConflict that a feed needs the stream that Stream would turn off.
// Limits below what is in the bucket refuse what would make it grow.
func (d *Data) PutBucket(settings DataBucket) (DataBucket, error) {
	if err := checkSettings(settings); err != nil {
		return DataBucket{}, err
	}
	now := d.store.now().UnixMilli()
	var stored DataBucket
	err := d.store.update(bucketRecordSize, func(c *change) error {
		b, err := c.bucketToConfigure(settings.Name)
		if err != nil {
			return err
		}
		stream, byFeed := settings.Stream, false
		if settings.StreamByFeed {
			stream, byFeed = b.stream, b.streamByFeed
		}
		if b.stream && !stream {
			if err := noFeeds(c.tx, b.name); err != nil {
				return err
			}
		}
		c.wrote, c.records = true, true
		if stream && !b.stream {
			if err := b.dropPast(c.tx); err != nil {
				return err
			}
		}
		b.maxBytes, b.maxKeys, b.streamBytes = settings.MaxBytes, int64(settings.MaxKeys), settings.StreamBytes
		b.stream, b.streamByFeed, b.dropOldest = stream, byFeed, settings.WhenFull == WhenFullDropOldest
		if err := b.create(c.tx, now); err != nil {
			return err
		}
		b.modified = now
		stored = b.settings(b.name)
		return b.save(c.tx)
	})
	if err != nil {
		return DataBucket{}, fmt.Errorf("store bucket %s: %w", settings.Name, err)
	}
	return stored, nil
}

// bucketToConfigure returns a bucket that exists or may come to be.
func (c *change) bucketToConfigure(name string) (*openBucket, error) {
	if function, own := strings.CutPrefix(name, ownPrefix); own {
		if err := functionExists(c.tx, function); err != nil {
			return nil, err
		}
	}
	b, err := openDataBucket(c.tx, name)
	if err != nil || b.exists {
		return b, err
	}
	return b, checkBucketCount(c.tx, name, 0)
}

// DeleteBucket removes a bucket with its settings and all that is in it, or returns
// ErrNotFound. The sequence numbers of a later one go on from this one's. Its stream
// goes too, so ErrConflict names a feed that needs it.
func (d *Data) DeleteBucket(name string) error {
	return d.store.makeRoom(func(c *change) error {
		b, err := existingBucket(c.tx, name)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
		if err := noFeeds(c.tx, name); err != nil {
			return fmt.Errorf("delete bucket %s: %w", name, err)
		}
		c.wrote, c.records = true, true
		return b.drop(c.tx)
	})
}

// dropData removes the data of a function, and its changes.
func (c *change) dropData(function string) error {
	b, err := openDataBucket(c.tx, OwnBucket(function))
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	c.wrote = true
	return b.drop(c.tx)
}

// noFeeds returns ErrConflict where a mapping has the stream of bucket as its source.
func noFeeds(tx *bolt.Tx, bucket string) error {
	mappings, _, err := feedsOf(tx, bucket)
	if err != nil || len(mappings) == 0 {
		return err
	}
	return fmt.Errorf("%w: event source mapping %s of function %s reads the stream of bucket %s; delete the mapping first",
		ErrConflict, mappings[0].ID, mappings[0].Function, bucket)
}

// existingBucket returns a bucket, or ErrNotFound.
func existingBucket(tx *bolt.Tx, name string) (*openBucket, error) {
	if name == "" { // which bbolt has no bucket for
		return nil, fmt.Errorf("bucket without a name: %w", ErrNotFound)
	}
	b, err := openDataBucket(tx, name)
	if err == nil && !b.exists {
		err = fmt.Errorf("bucket %s: %w", name, ErrNotFound)
	}
	return b, err
}

// bucketNames returns the names of all buckets, in order: of those that have settings
// and of those that lost them.
func bucketNames(tx *bolt.Tx) (names []string, err error) {
	for _, of := range []string{bucketDataBuckets, bucketData} {
		err := tx.Bucket([]byte(of)).ForEach(func(k, _ []byte) error {
			names = append(names, string(k))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// checkBucketCount returns a *QuotaError where one more shared bucket is too many,
// beside those that are made with it, which are not stored yet.
// Own buckets are as many as functions.
func checkBucketCount(tx *bolt.Tx, name string, with int) error {
	if strings.HasPrefix(name, ownPrefix) {
		return nil
	}
	n := with
	c := tx.Bucket([]byte(bucketDataBuckets)).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if !bytes.HasPrefix(k, []byte(ownPrefix)) {
			n++
		}
	}
	if n >= MaxBuckets {
		return &QuotaError{Bucket: name, What: quotaBuckets, Used: int64(n), Needed: 1, Limit: MaxBuckets}
	}
	return nil
}

func checkSettings(b DataBucket) error {
	if err := CheckBucket(b.Name); err != nil {
		return err
	}
	switch {
	case b.MaxBytes < 0 || b.MaxKeys < 0 || b.StreamBytes < 0:
		return invalid("a limit of bucket %s is below zero", b.Name)
	case b.WhenFull != "" && b.WhenFull != WhenFullReject && b.WhenFull != WhenFullDropOldest:
		return invalid("a stream that is full can %q or %q, not %q", WhenFullReject, WhenFullDropOldest, b.WhenFull)
	}
	return nil
}

// stats returns what callers see of the bucket.
func (b *openBucket) stats() BucketStats {
	stats := BucketStats{DataBucket: b.settings(b.name), Keys: int(b.keys), Bytes: b.bytes, StreamUsed: b.streamUsed}
	if b.items != nil {
		stats.Sequence = b.items.Sequence()
	}
	if b.stream {
		stats.StreamOldest, stats.StreamNewest = b.streamBounds()
	}
	return stats
}
