package persist

import (
	"fmt"
	"slices"
	"time"
)

// EventSourceMapping sends the records of an event source to a function
// (https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html).
// Nil numbers mean AWS Lambda's default for the kind of source.
type EventSourceMapping struct {
	ID        string `json:"id"` // a UUID
	Function  string `json:"function"`
	Qualifier string `json:"qualifier,omitempty"`
	Source    string `json:"source"` // ARN
	Enabled   bool   `json:"enabled"`

	BatchSize             int               `json:"batchSize"`
	BatchWindowSeconds    int               `json:"batchWindowSeconds,omitempty"`
	BisectBatch           bool              `json:"bisectBatch,omitempty"`
	Filters               []string          `json:"filters,omitempty"` // JSON patterns
	ReportItemFailures    bool              `json:"reportItemFailures,omitempty"`
	MaxAgeSeconds         int               `json:"maxAgeSeconds,omitempty"` // -1: any
	MaxRetries            int               `json:"maxRetries,omitempty"`    // -1: any number
	Parallel              int               `json:"parallel,omitempty"`
	Start                 string            `json:"start,omitempty"` // "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"
	TumblingWindowSeconds int               `json:"tumblingWindowSeconds,omitempty"`
	OnFailure             string            `json:"onFailure,omitempty"` // ARN of a destination
	Tags                  map[string]string `json:"tags,omitempty"`
	LastModified          time.Time         `json:"lastModified"`
}

const whatMapping = "event source mapping "

// PutMapping creates a mapping or replaces the one with its ID, and returns it
// with its LastModified. ErrNotFound where the function or the qualifier does
// not exist; ErrExists where another mapping has the same source and function: it
// would run the function twice for each event. One that was read of the store, which
// its LastModified tells, must be as it was then: ErrConflict says that it was changed
// or removed meanwhile.
//
// A mapping whose source is a bucket of data becomes a feed in the same transaction:
// the bucket, which is made where it is missing, keeps its changes from now on, and
// the mapping has its place in them. So what is written after PutMapping reaches it,
// whenever it begins to read. ErrInvalid is then a bucket's name that is none, and
// ErrNotFound also the bucket of a function that does not exist.
func (s *Store) PutMapping(m EventSourceMapping) (EventSourceMapping, error) {
	if err := checkName("mapping ID", m.ID); err != nil {
		return EventSourceMapping{}, err
	}
	now, read := s.now(), m.LastModified
	m.LastModified = milli(now)
	bucket, feed := m.Bucket()
	err := s.update(0, func(c *change) error {
		if err := qualifierExists(c.tx, m.Function, m.Qualifier); err != nil {
			return err
		}
		mappings, err := all[EventSourceMapping](c.tx, bucketMappings)
		if err != nil {
			return err
		}
		if !read.IsZero() && !slices.ContainsFunc(mappings, func(there EventSourceMapping) bool {
			return there.ID == m.ID && there.LastModified.Equal(read)
		}) {
			return fmt.Errorf("%w: mapping %s was changed or removed meanwhile", ErrConflict, m.ID)
		}
		for _, other := range mappings {
			// A bucket has one stream, whatever its ARN says of region and label.
			otherBucket, otherFeed := other.Bucket()
			same := other.Source == m.Source || feed && otherFeed && otherBucket == bucket
			if other.ID != m.ID && same && other.Function == m.Function && other.Qualifier == m.Qualifier {
				return fmt.Errorf("mapping %s: %w", other.ID, ErrExists)
			}
		}
		if feed {
			if err := c.openFeed(m, bucket, now); err != nil {
				return err
			}
		}
		return c.put(bucketMappings, []byte(m.ID), m)
	})
	if err != nil {
		return EventSourceMapping{}, fmt.Errorf("store event source mapping: %w", err)
	}
	return m, nil
}

// GetMapping returns a mapping, or ErrNotFound.
func (s *Store) GetMapping(id string) (EventSourceMapping, error) {
	return oneRecord[EventSourceMapping](s, bucketMappings, []byte(id), whatMapping+id)
}

// Mappings returns all mappings in order of their IDs.
func (s *Store) Mappings() ([]EventSourceMapping, error) {
	return allRecords[EventSourceMapping](s, bucketMappings)
}

// DeleteMapping removes a mapping, and how far its feed was, and returns what it was,
// or ErrNotFound. With its last feed a bucket stops keeping its changes, unless
// Data.PutBucket has it keep them.
func (s *Store) DeleteMapping(id string) (m EventSourceMapping, err error) {
	err = s.update(0, func(c *change) error {
		old, err := one[EventSourceMapping](c.tx, bucketMappings, []byte(id), whatMapping+id)
		if err != nil {
			return err
		}
		m = old
		if err := c.dropMapping(id); err != nil {
			return err
		}
		if bucket, feed := m.Bucket(); feed {
			return c.closeStream(bucket)
		}
		return nil
	})
	return m, err
}

// TagMapping is TagFunction for a mapping.
func (s *Store) TagMapping(id string, set map[string]string, remove []string, check func(map[string]string) error) error {
	return s.update(0, func(c *change) error {
		m, err := one[EventSourceMapping](c.tx, bucketMappings, []byte(id), whatMapping+id)
		if err != nil {
			return err
		}
		if m.Tags, err = retagged(m.Tags, set, remove, check); err != nil {
			return err
		}
		return c.put(bucketMappings, []byte(id), m)
	})
}

func (c *change) dropMapping(id string) error {
	if err := c.dropFeed(id); err != nil {
		return err
	}
	return c.delete(bucketMappings, []byte(id))
}

// dropMappings removes the mappings to a function and those from its own bucket,
// which goes with it: they would feed on the data of a later function of its name. It
// looks through all of them: a node has at most some hundreds.
func (c *change) dropMappings(function string) error {
	mappings, err := all[EventSourceMapping](c.tx, bucketMappings)
	if err != nil {
		return err
	}
	var buckets []string
	for _, m := range mappings {
		bucket, feed := m.Bucket()
		if m.Function != function && bucket != OwnBucket(function) {
			continue
		}
		if err := c.dropMapping(m.ID); err != nil {
			return err
		}
		if feed {
			buckets = append(buckets, bucket)
		}
	}
	slices.Sort(buckets)
	for _, bucket := range slices.Compact(buckets) {
		if err := c.closeStream(bucket); err != nil {
			return err
		}
	}
	return nil
}
