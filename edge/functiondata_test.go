package edge_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bytecodealliance/wasmtime-go/v44"
	bolt "go.etcd.io/bbolt"

	"ledge/edge"
	"ledge/engine"
	"ledge/persist"
)

// The engine's words for data mean what the store's do.
func TestFunctionData(t *testing.T) {
	store := openStore(t, t.TempDir())
	if _, err := store.PutFunction(persist.Function{Name: "f", Version: engine.Latest, Runtime: "wasi", CodeHash: hex.EncodeToString(make([]byte, 32))}, "", nil); err != nil {
		t.Fatal(err)
	}
	data := edge.NewFunctionData(store.Data())
	origin := engine.Origin{Function: "f", Depth: 3}
	own := engine.OwnBucket("f")
	if own != persist.OwnBucket("f") {
		t.Fatalf("own bucket %s", own)
	}
	write := func(w engine.Write) (engine.Written, error) {
		w.Bucket, w.Key = own, "k"
		written, err := data.Write(origin, []engine.Write{w})
		if err != nil {
			return engine.Written{}, err
		}
		return written[0], nil
	}
	var unmet *engine.ConditionError
	var invalid *engine.InvalidError
	for i, step := range []struct {
		w     engine.Write
		value string // that the key has afterwards
		fails any    // a target of errors.As
	}{
		{engine.Write{Value: []byte("1"), If: engine.Condition{Kind: engine.IfPresent}}, "", &unmet},
		{engine.Write{Value: []byte("1"), If: engine.Condition{Kind: engine.IfAbsent}, TTL: time.Hour}, "1", nil},
		{engine.Write{Value: []byte("2"), If: engine.Condition{Kind: engine.IfAbsent}}, "1", &unmet},
		{engine.Write{Value: []byte("2"), If: engine.Condition{Kind: engine.IfSequence, Sequence: 1}}, "2", nil},
		{engine.Write{Value: []byte("3"), If: engine.Condition{Kind: engine.IfSequence, Sequence: 1}}, "2", &unmet},
		{engine.Write{Value: []byte("3"), If: engine.Condition{Kind: engine.IfValue, Value: []byte("2")}}, "3", nil},
		{engine.Write{Kind: engine.WriteIncrement, By: 4}, "7", nil},
		{engine.Write{Kind: engine.WriteCheck, If: engine.Condition{Kind: engine.IfPresent}}, "7", nil},
		{engine.Write{Value: []byte("x")}, "x", nil},
		{engine.Write{Kind: engine.WriteIncrement, By: 1}, "x", &invalid},
		{engine.Write{Kind: 99}, "x", &invalid},
		{engine.Write{If: engine.Condition{Kind: 99}}, "x", &invalid},
		{engine.Write{TTL: -1}, "x", &invalid},
		{engine.Write{Kind: engine.WriteDelete}, "", nil},
	} {
		written, err := write(step.w)
		if step.fails == nil && err != nil || step.fails != nil && (err == nil || !errors.As(err, step.fails)) {
			t.Errorf("step %d: %+v, %v", i, written, err)
		}
		item, err := data.Get(own, "k")
		if err != nil || string(item.Value) != step.value {
			t.Errorf("step %d: holds %q, %v", i, item.Value, err)
		}
		if i == 1 && (item.Expires.Before(time.Now().Add(50*time.Minute)) || item.Sequence != written.Sequence) {
			t.Errorf("step %d: %+v", i, item)
		}
		if i == 6 && (string(written.Value) != "7" || !written.Existed) {
			t.Errorf("step %d: %+v", i, written)
		}
	}
	if unmet.Index != 0 || string(unmet.Now.Value) != "2" || unmet.Error() == "" {
		t.Errorf("%+v", unmet)
	}
	var limit interface{ LimitExceeded() bool }
	if _, err := write(engine.Write{Value: make([]byte, persist.MaxValueBytes+1)}); !errors.As(err, &limit) {
		t.Errorf("too large: %v", err)
	}
	for what, writes := range map[string][]engine.Write{
		"no key":                {{Bucket: own, Value: []byte("1")}},
		"no key of two":         {{Bucket: own, Key: "k", Value: []byte("1")}, {Bucket: own, Kind: engine.WriteDelete}},
		"no key to check":       {{Bucket: own, Kind: engine.WriteCheck, If: engine.Condition{Kind: engine.IfAbsent}}},
		"a bucket that is none": {{Bucket: "a b", Key: "k", Value: []byte("1")}},
	} {
		if _, err := data.Write(origin, writes); !errors.As(err, &invalid) || strings.Contains(err.Error(), persist.ErrInvalid.Error()) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := data.Get(own, ""); !errors.As(err, &invalid) {
		t.Errorf("get without a key: %v", err)
	}
	for i := range 5 {
		if _, err := data.Write(origin, []engine.Write{{Bucket: "shared", Key: fmt.Sprint(i), Value: []byte{byte(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	items, more, err := data.List("shared", engine.Range{From: "1", To: "4", Reverse: true, Limit: 2})
	if err != nil || !more || len(items) != 2 || items[0].Key != "3" || items[1].Value[0] != 2 {
		t.Errorf("%+v %t, %v", items, more, err)
	}
}

// queue is a JobQueue that notes or refuses.
type queue struct {
	jobs []persist.Job
	err  error
}

func (q *queue) Submit(job persist.Job) (persist.Job, error) {
	if q.err == nil {
		q.jobs = append(q.jobs, job)
	}
	return job, q.err
}

func TestFunctionJobs(t *testing.T) {
	var jobs edge.FunctionJobs
	event := engine.AsyncEvent{Function: "f", Qualifier: "v1", Payload: []byte("{}"), Depth: 2}
	if _, err := jobs.InvokeAsync(event); err == nil {
		t.Error("without a queue it was accepted")
	}
	q := &queue{}
	jobs.Connect(q)
	id, err := jobs.InvokeAsync(event)
	if err != nil || len(q.jobs) != 1 {
		t.Fatal(err)
	}
	if job := q.jobs[0]; job.ID != id.String() || job.Function != "f" || job.Qualifier != "v1" || string(job.Payload) != "{}" || job.Depth != 2 ||
		job.Source != "async" || job.Priority != persist.UsualPriority {
		t.Errorf("%+v", job)
	}
	q.err = fmt.Errorf("enqueue: %w", persist.ErrNotFound)
	if _, err := jobs.InvokeAsync(event); !errors.Is(err, engine.ErrNotFound) {
		t.Error(err)
	}
	q.err = persist.ErrQueueFull
	var limit interface{ LimitExceeded() bool }
	if _, err := jobs.InvokeAsync(event); !errors.As(err, &limit) || !errors.Is(err, persist.ErrQueueFull) {
		t.Error(err)
	}
}

// TestGuestsAreToldNoPaths: an error of the disk has the path of the store, which is
// none of a guest's business.
func TestGuestsAreToldNoPaths(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "/data/ledge.db", Err: syscall.ENOSPC}
	quota := &persist.QuotaError{Bucket: "b", What: "keys", Limit: 1}
	for _, test := range []struct {
		err  error
		told string
	}{
		{fmt.Errorf("commit: %w", full), "the node's disk fails: no space left on device"},
		{errors.Join(quota, full), "the node's disk fails: no space left on device"},
		{errors.New("commit: file resize error: truncate /data/ledge.db: file too large"), "the node's store fails"}, // as bbolt has it
		{fmt.Errorf("queue event: %w", persist.ErrClosed), "queue event: store is closed"},
		{quota, quota.Error()},
	} {
		var jobs edge.FunctionJobs
		jobs.Connect(&queue{err: test.err})
		_, err := jobs.InvokeAsync(engine.AsyncEvent{Function: "f"})
		if err == nil || err.Error() != test.told || !errors.Is(err, test.err) {
			t.Errorf("%v: told %v", test.err, err)
		}
	}
}

// BenchmarkFunctionGet is a value of 100 bytes from the store, asked for by a function,
// which gets ten keys in turn, 10 000 times for each event, and by a plain transaction
// of bbolt.
func BenchmarkFunctionGet(b *testing.B) {
	value := bytes.Repeat([]byte("v"), 100)
	b.Run("function", func(b *testing.B) {
		store := openStore(b, b.TempDir())
		wat, err := os.ReadFile("../testdata/functions/reads.wat")
		if err != nil {
			b.Fatal(err)
		}
		wasm, err := wasmtime.Wat2Wasm(string(wat))
		if err != nil {
			b.Fatal(err)
		}
		sum := sha256.Sum256(wasm)
		f := engine.Function{Name: "f", Runtime: engine.RuntimeExtism, CodeDir: b.TempDir(), CodeHash: hex.EncodeToString(sum[:])}
		f.Limits.Timeout = time.Minute
		if err := os.WriteFile(filepath.Join(f.CodeDir, engine.ModuleFile), wasm, 0o600); err != nil {
			b.Fatal(err)
		}
		if _, err := store.PutFunction(persist.Function{Name: "f", Version: engine.Latest, Runtime: f.Runtime, CodeHash: f.CodeHash}, "", nil); err != nil {
			b.Fatal(err)
		}
		data := edge.NewFunctionData(store.Data())
		for i := range 10 {
			if _, err := data.Write(engine.Origin{}, []engine.Write{{Bucket: engine.OwnBucket("f"), Key: fmt.Sprint(i), Value: value}}); err != nil {
				b.Fatal(err)
			}
		}
		cfg := engine.DefaultConfig()
		cfg.ArtifactDir, cfg.DeviceKey, cfg.Data = filepath.Join(b.TempDir(), "artifacts"), [32]byte{1}, data
		functions, err := engine.Open(cfg)
		if err != nil {
			b.Fatal(err)
		}
		defer functions.Close()
		if _, err := functions.Deploy(context.Background(), f, nil); err != nil {
			b.Fatal(err)
		}
		var res engine.Result
		invocations := 0
		for b.Loop() {
			if err := functions.Invoke(context.Background(), &engine.Invocation{Function: "f"}, &res); err != nil {
				b.Fatal(err)
			}
			invocations++
		}
		b.ReportMetric(float64(10_000*invocations)/b.Elapsed().Seconds(), "gets/s")
	})
	b.Run("bbolt", func(b *testing.B) {
		db, err := bolt.Open(filepath.Join(b.TempDir(), "plain.db"), 0o600, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		err = db.Update(func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucket([]byte("b"))
			for i := 0; err == nil && i < 10; i++ {
				err = bucket.Put([]byte(fmt.Sprint(i)), value)
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		rounds := 0
		for b.Loop() {
			for i := range 10_000 {
				var got []byte
				err := db.View(func(tx *bolt.Tx) error {
					got = bytes.Clone(tx.Bucket([]byte("b")).Get([]byte{'0' + byte(i%10)}))
					return nil
				})
				if err != nil || len(got) != len(value) {
					b.Fatalf("%d bytes, %v", len(got), err)
				}
			}
			rounds++
		}
		b.ReportMetric(float64(10_000*rounds)/b.Elapsed().Seconds(), "gets/s")
	})
}
