package scheduler

import (
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// batchLog is a function that gets batches. It notes what each had and says what failed.
type batchLog struct {
	mu     sync.Mutex
	start  time.Time
	runs   []string // "qualifier bodies after"
	events []sqsEvent
	depths []int

	reply func(bodies []string, res *engine.Result, event sqsEvent) error
}

func (l *batchLog) serve(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var event sqsEvent
	if err := json.Unmarshal(inv.Payload, &event); err != nil || len(event.Records) == 0 {
		l.runs = append(l.runs, fmt.Sprintf("single %s", inv.Payload))
		return nil
	}
	var bodies []string
	for _, r := range event.Records {
		bodies = append(bodies, r.Body)
	}
	if l.start.IsZero() {
		l.start = time.Now()
	}
	l.runs = append(l.runs, fmt.Sprintf("%s[%s] %s", inv.Qualifier, strings.Join(bodies, " "), time.Since(l.start).Round(time.Second)))
	l.events, l.depths = append(l.events, event), append(l.depths, inv.Depth)
	if l.reply != nil {
		return l.reply(bodies, res, event)
	}
	return nil
}

func (l *batchLog) want(t *queueTest, what string, want ...string) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.runs, want) {
		t.Errorf("%s: ran %q, want %q", what, l.runs, want)
	}
	l.runs = nil
}

// inBatches runs test with a function f that gets batches of up to 3, which wait 10 s.
func inBatches(t *testing.T, log *batchLog, config persist.AsyncConfig, test func(*queueTest)) {
	inBubble(t, QueueConfig{Drain: time.Minute}, func(ctx context.Context, inv *engine.Invocation, res *engine.Result) error {
		if inv.Function != "f" {
			return nil
		}
		return log.serve(ctx, inv, res)
	}, func(t *queueTest) {
		config.Function = "f"
		if _, err := t.store.PutAsyncConfig(config); err != nil {
			t.Fatal(err)
		}
		log.start = time.Now()
		test(t)
	})
}

func (t *queueTest) submitBatch(jobs ...persist.Job) {
	t.Helper()
	for i := range jobs {
		jobs[i].Function = "f"
		if jobs[i].ID == "" {
			jobs[i].ID = "id " + string(jobs[i].Payload)
		}
	}
	if _, errs := t.queue.SubmitAll(jobs); errors.Join(errs...) != nil {
		t.Fatal(errs)
	}
}

func events(bodies string) (jobs []persist.Job) {
	for _, body := range strings.Fields(bodies) {
		jobs = append(jobs, persist.Job{Payload: []byte(body), Priority: persist.UsualPriority})
	}
	return jobs
}

func TestBatchFillsAndWaits(t *testing.T) {
	log := &batchLog{}
	inBatches(t, log, persist.AsyncConfig{BatchSize: 3, BatchWindowSeconds: 10}, func(t *queueTest) {
		t.send("f", "1") // no worker is promised to it
		log.want(t, "one")
		t.submitBatch(events("2 3 4")...)
		log.want(t, "one more than fits", "[1 2 3] 0s")
		time.Sleep(6 * time.Second)
		t.submitBatch(events("5")...)
		time.Sleep(3 * time.Second)
		log.want(t, "before the window is over")
		time.Sleep(time.Second)
		log.want(t, "the window of the oldest", "[4 5] 10s")
		if got := t.stats(); got.Jobs != 0 {
			t.Errorf("left is %+v", got)
		}
		t.send("f", "6")
		log.want(t, "the next window")
		if _, err := t.store.PutAsyncConfig(persist.AsyncConfig{Function: "f"}); err != nil {
			t.Fatal(err)
		}
		t.queue.Wake()
		log.want(t, "as batches are off", "single 6")
		t.send("f", "7")
		log.want(t, "after that", "single 7")
	})
}

// A batch that was refused has waited for its window already, and waits for no other.
func TestBatchRefused(t *testing.T) {
	refusals := 1
	log := &batchLog{reply: func([]string, *engine.Result, sqsEvent) error {
		if refusals--; refusals >= 0 {
			return engine.ErrThrottled
		}
		return nil
	}}
	inBatches(t, log, persist.AsyncConfig{BatchSize: 3, BatchWindowSeconds: 300}, func(t *queueTest) {
		t.submitBatch(events("1 2")...)
		time.Sleep(300 * time.Second)
		log.want(t, "the first time", "[1 2] 5m0s")
		time.Sleep(2 * time.Second)
		log.want(t, "again", "[1 2] 5m1s")
	})
}

// Events of different qualifiers share no batch, nor those of one order key. What has no
// batches goes as it is. Depth is the largest.
func TestBatchHasOneQualifierAndHeads(t *testing.T) {
	log := &batchLog{}
	inBatches(t, log, persist.AsyncConfig{BatchSize: 5}, func(t *queueTest) {
		if _, err := t.store.PutAsyncConfig(persist.AsyncConfig{Function: "f", Qualifier: "live", BatchSize: 2}); err != nil {
			t.Fatal(err)
		}
		jobs := events("a b c d e g h")
		jobs[1].Qualifier, jobs[2].Qualifier, jobs[3].Qualifier = "live", "live", "other"
		jobs[4].OrderKey, jobs[5].OrderKey = "k", "k"
		jobs[0].Depth, jobs[4].Depth, jobs[5].Depth = 2, 7, 1
		jobs[6].Priority = 9
		t.submitBatch(jobs...)
		synctest.Wait()
		log.mu.Lock()
		slices.Sort(log.runs) // workers begin in any order
		deepest := slices.Max(log.depths)
		log.mu.Unlock()
		log.want(t, "all", "[g] 0s", "[h a e] 0s", "live[b c] 0s", "single d")
		if deepest != 7 {
			t.Errorf("the deepest is %d", deepest)
		}
	})
}

func TestBatchEvent(t *testing.T) {
	log := &batchLog{}
	inBatches(t, log, persist.AsyncConfig{BatchSize: 2}, func(t *queueTest) {
		sent := time.Now().UnixMilli()
		t.submitBatch(persist.Job{ID: "m", Payload: []byte("\"<\n"), OrderKey: "k", DedupID: "d"}, persist.Job{ID: "n", Payload: []byte("\x00\x01"), Due: time.Now()})
		synctest.Wait()
		log.mu.Lock()
		defer log.mu.Unlock()
		if len(log.events) != 1 {
			t.Fatalf("ran %q", log.runs)
		}
		r := log.events[0].Records
		stamp := fmt.Sprint(sent)
		want := sqsAttributes{"1", stamp, stamp, "async", "k", "d"}
		if r[0].MessageID != "m" || r[0].Body != "\"<\n" || r[0].Attributes != want || len(r[0].MessageAttributes) != 0 || r[0].ReceiptHandle == "" ||
			r[0].MD5OfBody != fmt.Sprintf("%x", md5.Sum([]byte("\"<\n"))) || r[0].EventSource != "aws:sqs" ||
			r[0].EventSourceARN != "arn:aws:sqs:local:000000000000:f" || r[0].AWSRegion != "local" {
			t.Errorf("the text is %+v", r[0])
		}
		if r[1].Body != "AAE=" || r[1].MessageAttributes[encodingAttribute].StringValue != "base64" || r[1].Attributes.MessageGroupID != "" {
			t.Errorf("what is no text is %+v", r[1])
		}
	})
}

// A batch is not larger than a function takes.
func TestBatchSize(t *testing.T) {
	log := &batchLog{}
	big := 0
	log.reply = func(bodies []string, _ *engine.Result, event sqsEvent) error {
		text, err := json.Marshal(event)
		if err != nil || len(text) > maxBatchEvent {
			return fmt.Errorf("%d bytes, %w", len(text), err)
		}
		big = max(big, len(bodies))
		return nil
	}
	inBatches(t, log, persist.AsyncConfig{BatchSize: 100}, func(t *queueTest) {
		quotes, binary := strings.Repeat(`"`, 1<<20), strings.Repeat("\x00", 1<<20)
		for i := range 12 {
			payload := []string{quotes, binary, binary[:1<<10]}[i%3]
			t.submitBatch(persist.Job{ID: fmt.Sprint(i), Payload: []byte(payload)})
		}
		synctest.Wait()
		if got := t.stats(); got.Jobs != 0 || big < 2 {
			t.Errorf("left is %+v, the most were %d", got, big)
		}
	})
}

// A function that takes less than AWS's gets smaller batches, and nothing is lost.
func TestBatchTooLarge(t *testing.T) {
	var got []string
	serve := func(_ context.Context, inv *engine.Invocation, _ *engine.Result) error {
		var event sqsEvent
		if err := json.Unmarshal(inv.Payload, &event); err != nil {
			return err
		}
		if len(event.Records) > 3 {
			return engine.ErrTooLarge
		}
		for _, r := range event.Records {
			got = append(got, r.Body)
		}
		return nil
	}
	inBubble(t, QueueConfig{Workers: 1}, serve, func(t *queueTest) {
		if _, err := t.store.PutAsyncConfig(persist.AsyncConfig{Function: "f", BatchSize: 10}); err != nil {
			t.Fatal(err)
		}
		t.submitBatch(events("1 2 3 4 5 6 7 8 9")...)
		synctest.Wait()
		slices.Sort(got)
		if text := strings.Join(got, " "); text != "1 2 3 4 5 6 7 8 9" || t.stats().Jobs != 0 || len(t.letters()) != 0 {
			t.Errorf("ran %s, left are %+v and %q", text, t.stats(), t.letters())
		}
	})
}

// What a function says that failed is tried again, alone, and then given up; the others
// are done.
func TestBatchPartialFailure(t *testing.T) {
	log := &batchLog{reply: func(_ []string, res *engine.Result, event sqsEvent) error {
		for _, r := range event.Records {
			if r.Body == "bad" {
				res.Payload = fmt.Appendf(nil, `{"batchItemFailures":[{"itemIdentifier":%q}]}`, r.MessageID)
			}
		}
		return nil
	}}
	inBatches(t, log, persist.AsyncConfig{BatchSize: 4}, func(t *queueTest) {
		t.submitBatch(events("1 bad 2")...)
		log.want(t, "the batch", "[1 bad 2] 0s")
		if got := t.stats(); got.Jobs != 1 {
			t.Errorf("left is %+v", got)
		}
		time.Sleep(time.Hour)
		log.mu.Lock()
		if len(log.runs) != 2 || !strings.HasPrefix(log.runs[0], "[bad] ") || !strings.HasPrefix(log.runs[1], "[bad] ") {
			t.Errorf("then ran %q", log.runs)
		}
		if last := log.events[2].Records[0].Attributes; last.ApproximateReceiveCount != "3" || last.ApproximateFirstReceiveTimestamp != last.SentTimestamp {
			t.Errorf("its last attempt has %+v", last)
		}
		log.mu.Unlock()
		want := []string{"f bad: the function failed 3 times; the function said that it failed (batchItemFailures)"}
		if got := t.letters(); !slices.Equal(got, want) || t.stats().Jobs != 0 {
			t.Errorf("dead letters %q, want %q", got, want)
		}
	})
}

// An event that fails every batch it is in ends in the dead letters, alone: the others are
// done, and new ones do not wait for it. So is one that has a destination.
func TestBatchPoison(t *testing.T) {
	for _, onFailure := range []string{"", "arn:aws:lambda:local:000000000000:function:g"} {
		log := &batchLog{reply: func(bodies []string, _ *engine.Result, _ sqsEvent) error {
			if slices.Contains(bodies, "poison") {
				return valueError()
			}
			return nil
		}}
		inBatches(t, log, persist.AsyncConfig{BatchSize: 3, OnFailure: onFailure}, func(t *queueTest) {
			t.submitBatch(events("1 poison 2")...)
			log.want(t, "the batch", "[1 poison 2] 0s")
			t.submitBatch(events("3 4")...)
			log.want(t, "others", "[3 4] 0s")
			time.Sleep(90 * time.Second)
			log.mu.Lock()
			for i, run := range log.runs {
				log.runs[i] = strings.Fields(run)[0]
			}
			slices.Sort(log.runs)
			log.mu.Unlock()
			log.want(t, "again", "[1]", "[2]", "[poison]")
			time.Sleep(time.Hour)
			letters := t.letters()
			if onFailure == "" && !slices.Equal(letters, []string{"f poison: the function failed 3 times; f: ValueError: no"}) || onFailure != "" && len(letters) > 0 {
				t.Errorf("dead letters %q", letters)
			}
			told := slices.DeleteFunc(t.engine.ran(), func(run string) bool { return !strings.HasPrefix(run, "g:") })
			if want := len(onFailure) > 0; want != (len(told) == 1) || want && !strings.Contains(told[0], `"requestPayload":"poison"`) {
				t.Errorf("the destination got %q", told)
			}
			if got := t.stats(); got.Jobs != 0 {
				t.Errorf("left is %+v", got)
			}
		})
	}
}

// Each event of a batch has its own age, retries and destinations.
func TestBatchPoliciesOfJobs(t *testing.T) {
	never := 0
	log := &batchLog{reply: func([]string, *engine.Result, sqsEvent) error { return valueError() }}
	inBatches(t, log, persist.AsyncConfig{BatchSize: 5, BatchWindowSeconds: 100}, func(t *queueTest) {
		jobs := events("old once usual")
		jobs[0].MaxAgeSeconds, jobs[1].MaxRetries = 60, &never
		t.submitBatch(jobs...)
		time.Sleep(100 * time.Second)
		log.want(t, "the batch", "[once usual] 1m40s")
		want := []string{"f old: the event is older than 1m0s; ", "f once: the function failed once; f: ValueError: no"}
		if got := t.letters(); !slices.Equal(got, want) {
			t.Errorf("dead letters %q, want %q", got, want)
		}
		if got := t.stats(); got.Jobs != 1 {
			t.Errorf("left is %+v", got)
		}
	})
}

// Where the node stops the events of a batch go back, to go in a batch again.
func TestBatchDrains(t *testing.T) {
	log := &batchLog{}
	stuck := true
	serve := func(ctx context.Context, inv *engine.Invocation, res *engine.Result) error {
		if stuck {
			<-ctx.Done()
			return ctx.Err()
		}
		return log.serve(ctx, inv, res)
	}
	inBubble(t, QueueConfig{}, serve, func(t *queueTest) {
		if _, err := t.store.PutAsyncConfig(persist.AsyncConfig{Function: "f", BatchSize: 3}); err != nil {
			t.Fatal(err)
		}
		t.submitBatch(events("1 2 3 4")...)
		synctest.Wait()
		if err := t.stop(); err != nil {
			t.Fatal(err)
		}
		if got := t.stats(); got.Jobs != 4 || got.Running != 0 {
			t.Errorf("after the stop there is %+v", got)
		}
		stuck = false
		t.queue = NewQueue(QueueConfig{Store: t.store, Invoker: t.engine})
		t.run()
		synctest.Wait()
		log.mu.Lock()
		slices.Sort(log.runs)
		log.mu.Unlock()
		log.want(t, "the next start", "[1 2 3] 0s", "[4] 0s")
	})
}

// A batch counts as one worker: a function has at most half of them, and a batch is taken
// back from a worker that is stuck.
func TestBatchCountsAsOne(t *testing.T) {
	var stuck atomic.Bool
	stuck.Store(true)
	serve := func(context.Context, *engine.Invocation, *engine.Result) error {
		if stuck.Load() {
			time.Sleep(time.Hour)
		}
		return nil
	}
	inBubble(t, QueueConfig{Workers: 4}, serve, func(t *queueTest) {
		if _, err := t.store.PutAsyncConfig(persist.AsyncConfig{Function: "f", BatchSize: 10}); err != nil {
			t.Fatal(err)
		}
		t.submitBatch(events(strings.Repeat("e ", 35))...)
		synctest.Wait()
		if got := t.stats(); got.Running != 20 || t.engine.most["f"] != 2 {
			t.Errorf("%+v, at the same time ran %d", got, t.engine.most["f"])
		}
		time.Sleep(persist.LeaseTime + time.Second)
		if got := t.stats(); got.Running != 0 || got.Jobs != 35 {
			t.Errorf("after the leases there is %+v", got)
		}
		stuck.Store(false)
		time.Sleep(2 * time.Hour)
		if got := t.stats(); got.Jobs != 0 {
			t.Errorf("left is %+v", got)
		}
	})
}

func TestFailedJobs(t *testing.T) {
	jobs := []persist.Job{{ID: "a"}, {ID: "b"}}
	for reply, want := range map[string]string{
		"": "", " \n": "", "null": "", "{}": "", `{"batchItemFailures":[]}`: "", `{"batchItemFailures":null}`: "", `{"other":1}`: "",
		`{"batchItemFailures":[{"itemIdentifier":"b"}]}`:                           "b",
		`{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"a"}]}`:    "a b",
		`{"batchItemFailures":[{"itemIdentifier":""}]}`:                            "all",
		`{"batchItemFailures":[{"itemIdentifier":null}]}`:                          "all",
		`{"batchItemFailures":[{"itemIdentifer":"a"}]}`:                            "all",
		`{"batchItemFailures":[{"itemIdentifier":1}]}`:                             "all",
		`{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"none"}]}`: "all",
		`{"batchItemFailures":"a"}`:                                                "all", `"done"`: "all", "{": "all", "[1]": "all",
	} {
		failed, why := failedJobs([]byte(reply), jobs)
		got := ""
		for _, job := range jobs {
			if failed[job.ID] {
				got = strings.TrimSpace(got + " " + job.ID)
			}
		}
		if why != "" {
			got = "all"
		}
		if got != want {
			t.Errorf("%s: failed %q, want %q", reply, got, want)
		}
	}
}

// FuzzBatchEvent weighs any payload: its record is never heavier than that, and has it.
func FuzzBatchEvent(f *testing.F) {
	for _, seed := range []string{"", "text", "\"\\\n\t\r", "\x00", "\xff", "\u2028\u2029\u2027", "\u00e2\u0080\u00a8", "<&>\x7f"} {
		f.Add([]byte(seed))
	}
	q := NewQueue(QueueConfig{Region: "local"})
	f.Fuzz(func(t *testing.T, payload []byte) {
		job := persist.Job{ID: "id", Function: "f", Payload: payload}
		text, err := q.batchEvent([]persist.Job{job})
		if err != nil || len(text) > weighRecord(job) {
			t.Fatalf("%q: %d bytes, weighed %d, %v", payload, len(text), weighRecord(job), err)
		}
		var event sqsEvent
		if err := json.Unmarshal(text, &event); err != nil {
			t.Fatal(err)
		}
		if _, isText := textSize(payload); isText && event.Records[0].Body != string(payload) {
			t.Errorf("%q became %q", payload, event.Records[0].Body)
		}
	})
}
