package persist

import (
	"bytes"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// FuzzQueueKeys puts any record under any key where jobs wait: Lease gives it out or sets
// it aside, and whatever it was, good jobs are leased and nothing waits in the end.
func FuzzQueueKeys(f *testing.F) {
	good := testJob("f", "good")
	good.sequence, good.Due = 7, time.UnixMilli(1)
	f.Add(dueKeyOf(good), []byte(`{"id":"x","function":"f","orderKey":"a"}`))
	f.Add([]byte("f\x00"), []byte("{"))
	f.Add(append(dueKeyOf(good), 0), []byte("null"))
	f.Add(append([]byte("g\x00"), dueKeyOf(good)...), []byte(`{"priority":99,"attempts":-1}`))
	s := openStore(f, f.TempDir(), Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(f, err)
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if len(key) == 0 || len(key) > 1000 || len(value) > 1<<16 {
			return // bbolt takes no such key
		}
		put(t, s, testJob("f", "good"))
		noErr(t, s.update(0, func(c *change) error {
			c.wrote = true
			return queueOf(c.tx).due.Put(bytes.Clone(key), bytes.Clone(value))
		}))
		_, err := s.QueueStats()
		noErr(t, err)
		_, err = s.FunctionQueues()
		noErr(t, err)
		_, _, err = s.Jobs(JobQuery{Limit: 9})
		noErr(t, err)
		found := false
		for range 3 {
			for _, job := range lease(t, s, LeaseRequest{Now: time.Now(), Limit: 9, PerFunction: 9}).Jobs {
				found = found || job.ID == "good"
				noErr(t, s.Ack(job))
			}
		}
		if !found {
			t.Error("the good job was not leased")
		}
		noErr(t, s.view(func(tx *bolt.Tx) error {
			due := queueOf(tx).due
			return due.ForEach(func(k, _ []byte) error {
				if at, err := splitDueKey(k); err != nil || !at.due.After(time.Now()) {
					t.Errorf("%q is left", k)
				}
				return nil
			})
		}))
		_, _, err = s.PurgeJobs("") // for the next
		noErr(t, err)
	})
}
