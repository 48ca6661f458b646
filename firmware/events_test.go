package firmware_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKillDuringEvents kills the node at random moments while it takes events and
// writes, runs schedules and feeds, and at the end reconciles its books:
//
//   - each event that it acknowledged has run, or is in the queue or the dead letters;
//   - each write that it acknowledged, and each key that is in its bucket, has reached
//     the function of the bucket's feed or the dead letters, and the function saw none
//     that is not in the bucket: value and change are one;
//   - each time of a schedule has its one job or is counted as one that was left out.
//
// SIGKILL shows that no acknowledgement comes before what it is for is written, and
// that what is written is whole: a node that answers first loses some of it. It
// does not show that the disk was told to keep it, because what was written outlives
// the process in the page cache. That is what the failpoints of persist are for
// (TestEveryStepOfTheStore, TestFailedCommitIsWholeOrNothing,
// TestFailedDataCommitIsWholeOrNothing): bbolt syncs in each commit, and nothing is
// acknowledged where a commit fails.
func TestKillDuringEvents(t *testing.T) {
	rounds := kills(t, 200)
	data := t.TempDir()
	n := start(t, data)
	n.must("deploy", "tally", module("tally"), "--route", "POST /tally", "--payload", "raw")
	n.must("deploy", "clock", module("tally")) // its events do not wait behind tally's
	n.must("deploy", "never", module("hostile/fail"))
	if status, text := n.post(http.MethodPut, "/2019-09-25/functions/never/event-invoke-config", map[string]int{"MaximumRetryAttempts": 0}); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	n.must("feed", "add", "tally", watched, "--start", "oldest", "--batch", "20", "--parallel", "3")
	for _, name := range beats {
		n.must("schedule", "add", name, "@every 1s", "clock", "--missed", "once", "--input", fmt.Sprintf(`"%s <aws.scheduler.scheduled-time>"`, name))
	}
	n.kill()

	taken := acknowledged{events: map[string]bool{}, writes: map[string]bool{}}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for round := range rounds {
		if round == rounds/2 {
			time.Sleep(outage)
		}
		n := start(t, data)
		timer := time.AfterFunc(time.Duration(random.IntN(100))*time.Millisecond, func() { _ = n.cmd.Process.Kill() })
		n.sendUntilKilled(round, &taken)
		timer.Stop()
		n.kill()
	}
	n = start(t, data)
	n.awaitFeeds()
	n.kill()

	books := openBooks(t, data)
	if len(taken.events) < rounds || len(taken.writes) < rounds {
		t.Errorf("only %d events and %d writes were acknowledged between %d kills", len(taken.events), len(taken.writes), rounds)
	}
	if len(books.dead) == 0 {
		t.Error("no event of the function that fails is a dead letter")
	}
	again := 0
	for id := range taken.events {
		if !books.has(id) {
			t.Errorf("event %s was acknowledged and is lost", id)
		}
		if books.ran[id] > 1 {
			again++
		}
	}
	t.Logf("%d kills; of %d events that were acknowledged %d ran more than once; %d events wait, %d letters are dead",
		rounds, len(taken.events), again, len(books.waiting), len(books.dead))
	books.reconcileFeed(taken.writes)
	for _, name := range beats {
		books.reconcileSchedule(name)
	}
}

// watched is the bucket whose changes a feed hands to tally, and beats are the
// schedules that run clock, which is the same program.
const watched = "watched"

var beats = []string{"beat-1", "beat-2", "beat-3"}

// outage is how long the node is off once: longer than a schedule's second, so that it
// misses times.
const outage = 2500 * time.Millisecond

// acknowledged is what a node said that it has.
type acknowledged struct {
	mu     sync.Mutex
	events map[string]bool // by what the event is
	writes map[string]bool // by key
}

func (a *acknowledged) note(which map[string]bool, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	which[id] = true
}

// door is a way into the node.
type door struct {
	client *http.Client
	method string
	url    func(id string) string
	status int // of an acknowledgement
	into   map[string]bool
}

// sendUntilKilled sends events and writes to the node from several clients, through its
// API and its gateway, until it is gone, and notes those that it acknowledged.
//
// Now and then an event is for a function that fails. There is room for 1000 dead
// letters, so only the first rounds have such.
func (n *node) sendUntilKilled(round int, taken *acknowledged) {
	n.t.Helper()
	socket := n.socket()
	socket.Transport.(*http.Transport).DisableKeepAlives = false
	defer socket.CloseIdleConnections()
	gateway := &http.Client{Transport: new(http.Transport)}
	defer gateway.CloseIdleConnections()
	at := func(url string) func(string) string { return func(string) string { return url } }
	const invocations = "http://localhost/2015-03-31/functions/%s/invocations"
	never := at(fmt.Sprintf(invocations, "never"))
	doors := []door{
		{socket, http.MethodPost, at(fmt.Sprintf(invocations, "tally")), http.StatusAccepted, taken.events},
		{gateway, http.MethodPost, at(n.public + "/tally"), http.StatusAccepted, taken.events},
		{socket, http.MethodPut, func(key string) string { return "http://localhost/v1/kv/" + watched + "/" + url.PathEscape(key) },
			http.StatusCreated, taken.writes},
	}
	var clients sync.WaitGroup
	for c := range 2 * len(doors) {
		clients.Go(func() {
			for i := range 100 { // a node that is not killed ends the round too
				door := doors[c%len(doors)]
				id := fmt.Sprint("write ", round, " ", c, " ", i)
				if door.method == http.MethodPost {
					id = fmt.Sprintf("%q", fmt.Sprint("event ", round, " ", c, " ", i))
				}
				if c == 0 && i%16 == 8 && round < 150 {
					door.url = never
				}
				r, err := http.NewRequest(door.method, door.url(id), strings.NewReader(id))
				if err != nil {
					n.t.Error(err)
					return
				}
				r.Header.Set("X-Amz-Invocation-Type", "Event")
				reply, err := door.client.Do(r)
				if err != nil {
					return // it was killed
				}
				text, err := io.ReadAll(reply.Body)
				reply.Body.Close()
				if reply.StatusCode != door.status {
					n.t.Errorf("%s: %d %s, %v", id, reply.StatusCode, text, err)
					return
				}
				taken.note(door.into, id)
			}
		})
	}
	clients.Wait()
}

// awaitFeeds returns when no change waits for a feed.
func (n *node) awaitFeeds() {
	n.t.Helper()
	type feed struct {
		LagRecords uint64
		LastError  string
	}
	var list struct{ Feeds []feed }
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		reply, err := n.socket().Get("http://localhost/v1/feeds")
		if err != nil {
			n.t.Fatalf("%v\n%s", err, n.log)
		}
		err = json.NewDecoder(reply.Body).Decode(&list)
		reply.Body.Close()
		if err != nil || len(list.Feeds) == 0 {
			n.t.Fatalf("feeds: %v, %+v", err, list)
		}
		if !slices.ContainsFunc(list.Feeds, func(f feed) bool { return f.LagRecords > 0 }) {
			return
		}
	}
	n.t.Fatalf("changes wait for feeds: %+v\n%s", list, n.log)
}
