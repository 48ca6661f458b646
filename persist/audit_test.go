package persist

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func TestAudit(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	begun := AuditRecord{At: at, Caller: "LDGEA", KeyName: "ci", Peer: "192.0.2.1", Service: "lambda",
		Operation: "CreateFunction", Resource: "f", RequestID: "r"}
	seq, err := s.BeginAudit(begun)
	noErr(t, err)
	_, err = s.BeginAudit(begun)
	noErr(t, err)
	noErr(t, s.EndAudit(seq, AuditEnd{Outcome: "failed", Status: 409, Error: "it exists", Resource: "arn:f", At: at.Add(time.Second)}))
	wantErr(t, "no outcome", s.EndAudit(seq, AuditEnd{}), ErrInvalid)
	wantErr(t, "no such record", s.EndAudit(99, AuditEnd{Outcome: "failed"}), ErrNotFound)
	if s.Generation() != 0 {
		t.Errorf("the audit log is counted as a change of what is live")
	}
	closeStore(t, s)

	s = openStore(t, dir, Options{})
	third, err := s.BeginAudit(AuditRecord{At: at, Operation: "after restart"})
	noErr(t, err)
	ended, running := begun, begun
	ended.Seq, ended.Resource, ended.Outcome, ended.Status, ended.Error, ended.Done = 1, "arn:f", "failed", 409, "it exists", at.Add(time.Second)
	running.Seq = 2
	if i := zeroField(ended); i != "" {
		t.Errorf("%s has no value in this test", i)
	}
	records, more, err := s.ReadAudit(AuditQuery{})
	noErr(t, err)
	if want := []AuditRecord{{Seq: third, At: at, Operation: "after restart"}, running, ended}; !reflect.DeepEqual(records, want) || more {
		t.Errorf("got\n%+v\nwant\n%+v", records, want)
	}
}

func zeroField(r AuditRecord) string {
	for i := range reflect.TypeFor[AuditRecord]().NumField() {
		if reflect.ValueOf(r).Field(i).IsZero() {
			return reflect.TypeFor[AuditRecord]().Field(i).Name
		}
	}
	return ""
}

func TestReadAudit(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for i := range 10 {
		_, err := s.BeginAudit(AuditRecord{Operation: fmt.Sprint(i + 1)})
		noErr(t, err)
	}
	const last = 1<<64 - 1
	for _, test := range []struct {
		q    AuditQuery
		want string
		more bool
	}{
		{AuditQuery{}, "10 9 8 7 6 5 4 3 2 1", false},
		{AuditQuery{Limit: 3}, "10 9 8", true},
		{AuditQuery{Limit: 10}, "10 9 8 7 6 5 4 3 2 1", false},
		{AuditQuery{Before: 8, Limit: 3}, "7 6 5", true},
		{AuditQuery{Before: 3}, "2 1", false},
		{AuditQuery{Before: 1}, "", false},
		{AuditQuery{Before: last, Limit: 1}, "10", true},
		{AuditQuery{After: 8}, "10 9", false},
		{AuditQuery{After: 3, Before: 6}, "5 4", false},
		{AuditQuery{After: 6, Before: 3}, "", false},
		{AuditQuery{OldestFirst: true, Limit: 2}, "1 2", true},
		{AuditQuery{OldestFirst: true, After: 8}, "9 10", false},
		{AuditQuery{OldestFirst: true, After: 10}, "", false},
		{AuditQuery{OldestFirst: true, After: last}, "", false},
		{AuditQuery{OldestFirst: true, After: 3, Before: 6, Limit: 2}, "4 5", false},
	} {
		records, more, err := s.ReadAudit(test.q)
		var got []string
		for _, r := range records {
			got = append(got, r.Operation)
		}
		if strings.Join(got, " ") != test.want || more != test.more || err != nil {
			t.Errorf("%+v: %v, more %t, %v", test.q, got, more, err)
		}
	}
}

// The log never grows beyond its bounds, whatever is written to it.
func TestAuditIsARing(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	long := strings.Repeat("\x01", 3000) // six bytes each in JSON
	var writers sync.WaitGroup
	const extra = 300
	for range 64 { // concurrent, so that they share commits
		writers.Go(func() {
			for range (MaxAuditRecords + extra) / 64 {
				seq, err := s.BeginAudit(AuditRecord{Caller: long, KeyName: long, Peer: long, Service: long, Operation: long, Resource: long, RequestID: long})
				if err == nil {
					err = s.EndAudit(seq, AuditEnd{Outcome: "failed", Error: strings.Repeat("ü", 1000)})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	written := uint64((MaxAuditRecords + extra) / 64 * 64)
	count, bytes := uint64(0), 0
	noErr(t, s.view(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketAudit)).ForEach(func(k, v []byte) error {
			count++
			bytes += len(v)
			var r AuditRecord
			if err := json.Unmarshal(v, &r); err != nil || len(v) > maxAuditRecordBytes || r.Outcome == "" || r.Operation == "" {
				t.Errorf("record of %d bytes: %v", len(v), err)
			}
			return nil
		})
	}))
	if count != MaxAuditRecords || bytes > 8<<20 {
		t.Errorf("%d records, %d bytes", count, bytes)
	}
	oldest, _, err := s.ReadAudit(AuditQuery{OldestFirst: true, Limit: 1})
	noErr(t, err)
	if len(oldest) != 1 || oldest[0].Seq != written-MaxAuditRecords+1 {
		t.Errorf("the oldest is %+v, %d were written", oldest, written)
	}
	wantErr(t, "ending what is gone", s.EndAudit(1, AuditEnd{Outcome: "failed"}), ErrNotFound)
}

// A change must not run whose record is not on disk.
func TestAuditOnAFailingDisk(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{faults: failAt(stepCommit)})
	seq, err := s.BeginAudit(AuditRecord{})
	wantErr(t, "BeginAudit", err, errFault)
	if seq != 0 {
		t.Errorf("the record has number %d", seq)
	}
}

func TestClipText(t *testing.T) {
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"aüb", 2, "a"}, {"aüb", 3, "aü"}, {"a\xffb", 9, "ab"}, {"", 0, ""}} {
		if got := clipText(test.text, test.limit); got != test.want {
			t.Errorf("%q, %d: %q", test.text, test.limit, got)
		}
	}
}
