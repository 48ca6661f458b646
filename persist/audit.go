package persist

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Bounds of the audit log, which keeps the last MaxAuditRecords: 8 MiB at most.
const (
	MaxAuditRecords     = 8192
	maxAuditRecordBytes = 1 << 10
	maxAuditText        = 256 // bytes of one text
)

// AuditRecord says who changed what. Begin writes it before the change runs, End
// adds what became of it. A record that was never ended, with an empty Outcome,
// belongs to a change that still runs or that the node stopped in.
type AuditRecord struct {
	Seq       uint64    `json:"seq"` // grows by one with each record, also across restarts
	At        time.Time `json:"at"`
	Caller    string    `json:"caller,omitempty"`  // access key ID; empty: the Unix socket
	KeyName   string    `json:"keyName,omitempty"` // its name at that time
	Peer      string    `json:"peer,omitempty"`    // address that the request came from
	Service   string    `json:"service"`           // "lambda", "apigateway", "ledge", ...
	Operation string    `json:"operation"`         // "CreateFunction"
	Resource  string    `json:"resource,omitempty"`
	RequestID string    `json:"requestId,omitempty"`
	Outcome   string    `json:"outcome,omitempty"` // "succeeded", "failed", ...; empty while it runs
	Status    int       `json:"status,omitempty"`  // of the HTTP response
	Error     string    `json:"error,omitempty"`
	Done      time.Time `json:"done,omitzero"`
}

// BeginAudit stores r under the next number, which it returns, and removes the
// oldest records in the same transaction. When it returns nil the record is on
// disk, and the change that it announces may run. Texts are cut after 256 bytes,
// and further where the record would not fit into 1 KiB.
func (s *Store) BeginAudit(r AuditRecord) (seq uint64, err error) {
	commit := func(fn func(*change) error) error { return s.update(maxAuditRecordBytes, fn) }
	if strings.HasPrefix(r.Operation, "Delete") {
		commit = s.makeRoom
	}
	err = commit(func(c *change) error {
		c.wrote = true
		b := c.tx.Bucket([]byte(bucketAudit))
		next, err := b.NextSequence()
		if err != nil {
			return fmt.Errorf("number audit record: %w", err)
		}
		record := r
		record.Seq = next
		if err := putAudit(b, record); err != nil {
			return err
		}
		if err := dropAudit(b, next); err != nil {
			return err
		}
		seq = next
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("begin audit record: %w", err)
	}
	return seq, nil
}

// dropAudit removes what is older than the last MaxAuditRecords, which is one
// record unless a release had more of them.
func dropAudit(b *bolt.Bucket, last uint64) error {
	const most = 16 // in one transaction
	for range most {
		key, _ := b.Cursor().First()
		if len(key) == 8 && binary.BigEndian.Uint64(key)+MaxAuditRecords > last {
			return nil
		}
		if err := b.Delete(key); err != nil {
			return fmt.Errorf("remove oldest audit record: %w", err)
		}
	}
	return nil
}

// AuditEnd is how a change ended.
type AuditEnd struct {
	Outcome  string // not empty
	Status   int    // of the HTTP response
	Error    string // empty where it succeeded
	Resource string // replaces that of BeginAudit where not empty: what was created has its name now
	At       time.Time
}

// EndAudit adds how the change ended that BeginAudit gave that number. It returns
// after that is on disk, and ErrNotFound where so many records have come since
// that this one is gone.
func (s *Store) EndAudit(seq uint64, end AuditEnd) error {
	if end.Outcome == "" {
		return fmt.Errorf("end audit record %d: %w", seq, invalid("the outcome is empty"))
	}
	err := s.update(maxAuditRecordBytes, func(c *change) error {
		record, found, err := get[AuditRecord](c.tx, bucketAudit, sequenceKey(seq))
		if err != nil {
			return err
		}
		if !found {
			return ErrNotFound
		}
		record.Outcome, record.Status, record.Error, record.Done = end.Outcome, end.Status, end.Error, end.At
		if end.Resource != "" {
			record.Resource = end.Resource
		}
		c.wrote = true
		return putAudit(c.tx.Bucket([]byte(bucketAudit)), record)
	})
	if err != nil {
		return fmt.Errorf("end audit record %d: %w", seq, err)
	}
	return nil
}

// AuditQuery chooses records of the audit log.
type AuditQuery struct {
	After       uint64 // only records with a greater number
	Before      uint64 // only records with a smaller number; 0: no bound
	OldestFirst bool   // the newest come first otherwise
	Limit       int    // at most so many; 0: 100
}

// ReadAudit returns the records that q chooses. more says that there are others.
func (s *Store) ReadAudit(q AuditQuery) (records []AuditRecord, more bool, err error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket([]byte(bucketAudit)).Cursor()
		for key, value := q.first(c); key != nil && q.has(key); key, value = q.next(c) {
			if len(records) >= q.Limit {
				more = true
				return nil
			}
			record, err := decode[AuditRecord](bucketAudit, key, value)
			if err != nil {
				return err
			}
			records = append(records, record)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("read audit log: %w", err)
	}
	return records, more, nil
}

func (q AuditQuery) first(c *bolt.Cursor) (key, value []byte) {
	switch {
	case q.OldestFirst:
		if q.After == 1<<64-1 {
			return nil, nil
		}
		return c.Seek(sequenceKey(q.After + 1))
	case q.Before == 0:
		return c.Last()
	}
	if key, _ = c.Seek(sequenceKey(q.Before)); key == nil {
		return c.Last()
	}
	return c.Prev()
}

func (q AuditQuery) next(c *bolt.Cursor) (key, value []byte) {
	if q.OldestFirst {
		return c.Next()
	}
	return c.Prev()
}

func (q AuditQuery) has(key []byte) bool {
	if len(key) != 8 {
		return false
	}
	seq := binary.BigEndian.Uint64(key)
	return seq > q.After && (q.Before == 0 || seq < q.Before)
}

// putAudit stores a record in its bounds.
func putAudit(b *bolt.Bucket, r AuditRecord) error {
	r.At, r.Done = milli(r.At), milli(r.Done)
	texts := []*string{&r.Error, &r.Resource, &r.Peer, &r.KeyName, &r.RequestID, &r.Caller, &r.Operation, &r.Service, &r.Outcome}
	for _, text := range texts {
		*text = clipText(*text, maxAuditText)
	}
	// The longest text is halved, since JSON can make six bytes of one.
	for round := 0; ; round++ {
		value, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode audit record: %w", err)
		}
		if len(value) <= maxAuditRecordBytes {
			if err := b.Put(sequenceKey(r.Seq), value); err != nil {
				return fmt.Errorf("write audit record: %w", err)
			}
			return nil
		}
		if round >= 9*len(texts) { // 256 bytes are halved eight times until nothing is left
			return invalid("an audit record of %d bytes is larger than %d", len(value), maxAuditRecordBytes)
		}
		longest := texts[0]
		for _, text := range texts[1:] {
			if len(*text) > len(*longest) {
				longest = text
			}
		}
		*longest = clipText(*longest, len(*longest)/2)
	}
}
