package firmware_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ledge/persist"
)

// kills is how often a test kills the node: as often as make soak says, or so often.
func kills(t *testing.T, usual int) int {
	t.Helper()
	if text := os.Getenv("LEDGE_SOAK_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal("LEDGE_SOAK_KILLS: ", err)
		}
		return n
	}
	return usual
}

// TestKillDuringEvents kills the node at random moments while it takes events and
// works on them, and at the end asks for each event that it acknowledged: the
// function has run on it, or it is in the queue, or in the dead letters.
//
// SIGKILL shows that no acknowledgement comes before its event is written, and that
// what is written is whole: a node that answers first loses some of these events. It
// does not show that the disk was told to keep them, because what was written outlives
// the process in the page cache. That is what the failpoints of persist are for
// (TestEveryStepOfTheStore, TestFailedCommitIsWholeOrNothing): bbolt syncs in each
// commit, and nothing is acknowledged where a commit fails.
func TestKillDuringEvents(t *testing.T) {
	rounds := kills(t, 200)
	data := t.TempDir()
	n := start(t, data)
	n.must("deploy", "tally", module("tally"), "--route", "POST /tally", "--payload", "raw")
	n.must("deploy", "never", module("hostile/fail"))
	if status, text := n.post(http.MethodPut, "/2019-09-25/functions/never/event-invoke-config", map[string]int{"MaximumRetryAttempts": 0}); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	n.kill()

	acknowledged := map[string]bool{}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for round := range rounds {
		n := start(t, data)
		timer := time.AfterFunc(time.Duration(random.IntN(100))*time.Millisecond, func() { _ = n.cmd.Process.Kill() })
		for _, id := range n.sendUntilKilled(round) {
			acknowledged[id] = true
		}
		timer.Stop()
		n.kill()
	}

	books := openBooks(t, data)
	again := 0
	for id := range acknowledged {
		ran := books.ran(t, id)
		if ran == 0 && !books.waiting[id] && !books.dead[id] {
			t.Errorf("event %s was acknowledged and is lost", id)
		}
		if ran > 1 {
			again++
		}
	}
	t.Logf("%d kills; of %d events that were acknowledged %d ran more than once, %d wait, %d are dead letters",
		rounds, len(acknowledged), again, len(books.waiting), len(books.dead))
	if len(books.dead) == 0 {
		t.Error("no event of the function that fails is a dead letter")
	}
	if len(acknowledged) < rounds {
		t.Errorf("only %d events were acknowledged between %d kills", len(acknowledged), rounds)
	}
}

// On a disk that is full events are refused with the reason, those that were
// acknowledged are kept, and there is nothing to be done but to make room.
func TestFullDiskRefusesEvents(t *testing.T) {
	n := startOnSmallDisk(t)
	wasm, err := os.ReadFile(module("tally"))
	if err != nil {
		t.Fatal(err)
	}
	if status, text := n.post(http.MethodPut, "/v1/functions/tally", map[string]any{"Code": map[string]any{"ZipFile": wasm}}); status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	acknowledged, sent := map[string]bool{}, 0
	send := func() (status int, text string) {
		sent++
		id := fmt.Sprint("event ", sent, strings.Repeat(" ", 900)) // a key of tally's has up to 1 KiB
		status, text = n.post(http.MethodPost, "/2015-03-31/functions/tally/invocations", id, "X-Amz-Invocation-Type", "Event")
		if status == http.StatusAccepted {
			acknowledged[fmt.Sprintf("%q", id)] = true
		}
		return status, text
	}
	if status, text := send(); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, text)
	}
	filler := filepath.Join(n.folder(), "filler")
	if err := os.WriteFile(filler, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is larger than it should be: %v", err)
	}
	status, text := http.StatusAccepted, ""
	for status == http.StatusAccepted && sent < 5000 { // pages that are free in the store are used up first
		status, text = send()
	}
	if status < 500 || !strings.Contains(text, "no space left") && !strings.Contains(text, "disk is full") {
		t.Errorf("a full disk is reported as %d %s after %d events", status, text, sent)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if status, text := send(); status != http.StatusAccepted {
		t.Errorf("there is room again, but: %d %s", status, text)
	}

	disk, err := os.Open(n.folder()) // the disk goes with the process, but for this
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disk.Close() })
	if err := n.stop(); err != nil {
		t.Errorf("%v\n%s", err, n.log)
	}
	books := openBooks(t, fmt.Sprintf("/proc/self/fd/%d", disk.Fd()))
	for id := range acknowledged {
		if books.ran(t, id) == 0 && !books.waiting[id] && !books.dead[id] {
			t.Errorf("event %.12s was acknowledged and is lost", id)
		}
	}
}

// A store that is damaged beyond what its other meta page saves comes back from its
// backup: the node serves, and says loudly what that means.
func TestDamagedStoreComesBack(t *testing.T) {
	data := t.TempDir()
	n := start(t, data)
	n.must("deploy", "echo", module("echo"), "--route", "POST /echo", "--payload", "raw")
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	store, err := persist.Open(data, persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Backup(t.Context())
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "ledge.db"), bytes.Repeat([]byte("damaged "), 8<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	n = start(t, data)
	if status, body := n.request("POST", "/echo", "back"); status != http.StatusOK || body != "back" {
		t.Errorf("%d %q", status, body)
	}
	for _, says := range []string{"level=ERROR", "the store was restored from the backup of", "ledge.db.damaged-"} {
		if !strings.Contains(n.log.String(), says) {
			t.Errorf("the log does not say %q:\n%s", says, n.log)
		}
	}
}

// post sends a value as JSON to the control plane, with the headers that are given.
func (n *node) post(method, path string, value any, headers ...string) (status int, text string) {
	n.t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		n.t.Fatal(err)
	}
	r, err := http.NewRequest(method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	reply, err := n.socket().Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer reply.Body.Close()
	answer, err := io.ReadAll(reply.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return reply.StatusCode, string(answer)
}

// sendUntilKilled sends events to the node from several clients, through its API and
// its gateway, until it is gone, and returns those that it acknowledged.
//
// Now and then one is for a function that fails. There is room for 1000 dead letters,
// so only the first rounds have such.
func (n *node) sendUntilKilled(round int) (acknowledged []string) {
	n.t.Helper()
	var mu sync.Mutex
	var clients sync.WaitGroup
	socket := n.socket()
	socket.Transport.(*http.Transport).DisableKeepAlives = false
	defer socket.CloseIdleConnections()
	gateway := &http.Client{Transport: new(http.Transport)}
	defer gateway.CloseIdleConnections()
	const invocations = "http://localhost/2015-03-31/functions/%s/invocations"
	doors := []struct {
		client *http.Client
		url    string
	}{
		{socket, fmt.Sprintf(invocations, "tally")},
		{gateway, n.public + "/tally"},
	}
	for c := range 4 {
		clients.Go(func() {
			for i := range 100 { // a node that is not killed ends the round too
				door := doors[c%len(doors)]
				if c == 0 && i%16 == 8 && round < 150 {
					door.url = fmt.Sprintf(invocations, "never")
				}
				id := fmt.Sprintf("%q", fmt.Sprint("event ", round, " ", c, " ", i))
				r, err := http.NewRequest(http.MethodPost, door.url, strings.NewReader(id))
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
				if reply.StatusCode != http.StatusAccepted {
					n.t.Errorf("event %s: %d %s, %v", id, reply.StatusCode, text, err)
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, id)
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	return acknowledged
}

// books are what a store knows of events, read while no node runs.
type books struct {
	store         *persist.Store
	waiting, dead map[string]bool
}

func openBooks(t *testing.T, data string) *books {
	t.Helper()
	store, err := persist.Open(data, persist.Options{LockTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if what := store.Recovered(); what != "" {
		t.Errorf("the store was damaged: %s", what)
	}
	b := &books{store: store, waiting: map[string]bool{}, dead: map[string]bool{}}
	if _, err := store.ReleaseLeases(); err != nil {
		t.Fatal(err)
	}
	const many = 100
	soon := time.Now().Add(24 * time.Hour) // those that wait for their next attempt too
	for more := true; more; {
		leased, err := store.Lease(persist.LeaseRequest{Now: soon, Limit: many, PerFunction: many})
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range leased.Jobs {
			b.waiting[string(job.Payload)] = true
		}
		more = len(leased.Jobs) > 0
	}
	for after, more := uint64(0), true; more; {
		var letters []persist.DeadLetter
		if letters, more, err = store.DeadLetters(after, many); err != nil {
			t.Fatal(err)
		}
		for _, letter := range letters {
			after = letter.Sequence
			if letter, err = store.GetDeadLetter(letter.Sequence); err != nil {
				t.Fatal(err)
			}
			b.dead[string(letter.Job.Payload)] = true
		}
	}
	return b
}

// ran returns how often tally counted an event.
func (b *books) ran(t *testing.T, id string) int {
	t.Helper()
	item, err := b.store.Data().Get(persist.OwnBucket("tally"), id)
	if err != nil {
		t.Fatal(err)
	}
	return len(item.Value)
}
