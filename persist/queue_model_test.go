package persist

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// modelJob is a job of queueModel.
type modelJob struct {
	id, function, key, dedup string
	priority                 int
	due                      time.Time
	number                   int // in the order of queueing
	running                  Job // where it is
}

func (j *modelJob) runs() bool { return j.running.ID != "" }

// queueModel is the queue as a plain list, which says what the store must do.
type queueModel struct {
	now    time.Time
	jobs   []*modelJob // in the order of queueing
	seen   map[string]modelSeen
	dead   int
	number int
}

type modelSeen struct {
	id    string
	until time.Time
}

// first says whether no other job of its key is before it.
func (m *queueModel) first(j *modelJob) bool {
	for _, other := range m.jobs {
		if j.key != "" && other.key == j.key && other.function == j.function && other.number < j.number {
			return false
		}
	}
	return true
}

func (m *queueModel) remove(j *modelJob) {
	m.jobs = slices.DeleteFunc(m.jobs, func(other *modelJob) bool { return other == j })
}

// ready returns the jobs of a function that may run now, in their order.
func (m *queueModel) ready(function string) (jobs []*modelJob) {
	for _, j := range m.jobs {
		if j.function == function && !j.runs() && !j.due.After(m.now) && m.first(j) {
			jobs = append(jobs, j)
		}
	}
	slices.SortFunc(jobs, func(a, b *modelJob) int {
		if a.priority != b.priority {
			return b.priority - a.priority
		}
		if c := a.due.Compare(b.due); c != 0 {
			return c
		}
		return a.number - b.number
	})
	return jobs
}

// victim returns the job that makes room for one of that priority: nil where none does.
// What is held is dropped only where nothing else is.
func (m *queueModel) victim(priority int) *modelJob {
	var oldest *modelJob
	for _, j := range m.jobs {
		if j.runs() || j.priority > priority || !m.first(j) {
			continue
		}
		if oldest == nil || j.priority < oldest.priority || j.priority == oldest.priority &&
			(j.due.Before(oldest.due) || j.due.Equal(oldest.due) && j.number < oldest.number) {
			oldest = j
		}
	}
	if oldest != nil {
		return oldest
	}
	place := func(j *modelJob) string { return fmt.Sprintf("%s\x00%s\x00%09d", j.function, j.key, j.number) }
	for _, j := range m.jobs { // one that is held, the first of the first line
		if !j.runs() && j.priority <= priority && (oldest == nil || place(j) < place(oldest)) {
			oldest = j
		}
	}
	return oldest
}

// TestQueueModel runs random operations on the queue and on a plain list, with
// restarts in between: no job is lost, none is there twice, each is where it should be,
// and what is leased is what the list says, in its order.
func TestQueueModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	m := &queueModel{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), seen: map[string]modelSeen{}}
	dir := t.TempDir()
	options := Options{now: func() time.Time { return m.now }}
	s := openStore(t, dir, options)
	functions := []string{"a", "aa", "b"}
	for _, name := range functions {
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
	}
	pick := func(runs bool) *modelJob {
		var of []*modelJob
		for _, j := range m.jobs {
			if j.runs() == runs {
				of = append(of, j)
			}
		}
		if len(of) == 0 {
			return nil
		}
		return of[random.IntN(len(of))]
	}
	queue := func(step int) {
		j := &modelJob{id: fmt.Sprint(step), function: functions[random.IntN(3)], priority: random.IntN(3) * 4,
			due: m.now.Add(time.Duration(random.IntN(5)-2) * time.Second)}
		if random.IntN(2) == 0 {
			j.key = []string{"x", "y"}[random.IntN(2)]
		}
		if random.IntN(4) == 0 {
			j.dedup = fmt.Sprint(random.IntN(6))
		}
		job := testJob(j.function, j.id)
		job.Due, job.OrderKey, job.DedupID, job.Priority = j.due, j.key, j.dedup, j.priority
		limits := QueueLimits{Jobs: 25, Bytes: 1 << 20, WhenFull: []string{QueueReject, QueueDropOldest}[random.IntN(2)]}
		atOnce := random.IntN(4) == 0
		got, err := s.Enqueue(job, limits, atOnce)
		if first, ok := m.seen[j.function+j.dedup]; ok && j.dedup != "" && m.now.Before(first.until) {
			if err != nil || got.ID != first.id || !got.Duplicate {
				t.Fatalf("step %d: got %s, duplicate %t, %v; want the first, %s", step, got.ID, got.Duplicate, err, first.id)
			}
			return
		}
		if len(m.jobs) >= limits.Jobs {
			victim := m.victim(j.priority)
			if limits.WhenFull == QueueReject || victim == nil {
				if !errors.Is(err, ErrQueueFull) {
					t.Fatalf("step %d: got %v from a full queue", step, err)
				}
				return
			}
			m.remove(victim)
			m.dead++
		}
		noErr(t, err)
		m.number++
		j.number = m.number
		m.jobs = append(m.jobs, j)
		if want := atOnce && !j.due.After(m.now) && m.first(j); got.Leased() != want {
			t.Fatalf("step %d: leased %t, want %t", step, got.Leased(), want)
		}
		if got.Leased() {
			j.running = got
		}
		if j.dedup != "" {
			m.seen[j.function+j.dedup] = modelSeen{j.id, m.now.Add(DedupWindow)}
		}
	}
	leaseSome := func(step int) {
		perFunction := 1 + random.IntN(3)
		got := lease(t, s, LeaseRequest{Now: m.now, Limit: 9, PerFunction: perFunction})
		for _, function := range functions {
			var want, leased []string
			ready := m.ready(function)
			for _, j := range ready[:min(len(ready), perFunction)] {
				want = append(want, j.id)
			}
			for _, job := range got.Jobs {
				if job.Function != function {
					continue
				}
				leased = append(leased, job.ID)
				for _, j := range ready {
					if j.id == job.ID {
						j.running = job
					}
				}
			}
			if !slices.Equal(leased, want) {
				t.Fatalf("step %d: leased %q of %s, want %q", step, strings.Join(leased, " "), function, strings.Join(want, " "))
			}
		}
	}
	purge := func(step int, function string) {
		before := len(m.jobs)
		m.jobs = slices.DeleteFunc(m.jobs, func(j *modelJob) bool {
			return !j.runs() && (function == "" || j.function == function)
		})
		n, more, err := s.PurgeJobs(function)
		if err != nil || more || n != before-len(m.jobs) {
			t.Fatalf("step %d: purged %d of %d, more %t, %v", step, n, before-len(m.jobs), more, err)
		}
	}
	replace := func(function string) { // with another one of that name
		_, err := s.DeleteFunction(function)
		noErr(t, err)
		_, err = s.PutFunction(testFunction(function), "", nil)
		noErr(t, err)
		m.jobs = slices.DeleteFunc(m.jobs, func(j *modelJob) bool { return j.function == function })
		for id := range m.seen {
			if strings.TrimRight(id, "0123456789") == function {
				delete(m.seen, id)
			}
		}
	}
	revive := func(step int) {
		letters, _, err := s.DeadLetters(0, MaxDeadLetters)
		noErr(t, err)
		if len(letters) == 0 {
			return
		}
		letter := letters[random.IntN(len(letters))]
		_, err = s.RetryDeadLetter(letter.Sequence, QueueLimits{Jobs: 25, Bytes: 1 << 20, WhenFull: QueueDropOldest})
		if len(m.jobs) >= 25 {
			if !errors.Is(err, ErrQueueFull) {
				t.Fatalf("step %d: got %v from a full queue", step, err)
			}
			return
		}
		noErr(t, err)
		m.dead--
		m.number++
		old := letter.Job
		m.jobs = append(m.jobs, &modelJob{id: old.ID, function: old.Function, key: old.OrderKey, priority: old.Priority, due: m.now, number: m.number})
	}
	for i := range 2000 {
		switch random.IntN(11) {
		case 0, 1, 2, 3:
			queue(i)
		case 4, 5:
			leaseSome(i)
		case 6, 7:
			j := pick(true)
			if j == nil {
				break
			}
			job := j.running
			switch random.IntN(6) {
			case 0:
				j.due, j.running = m.now.Add(time.Second), Job{}
				noErr(t, s.Retry(job, j.due))
			case 1:
				noErr(t, s.Forward(job, testJob("b", fmt.Sprint("next of ", i)), true))
				m.number++
				m.remove(j)
				m.jobs = append(m.jobs, &modelJob{id: fmt.Sprint("next of ", i), function: "b", due: m.now, number: m.number})
			case 2:
				noErr(t, s.Bury(job, "x"))
				m.remove(j)
				m.dead++
			case 3:
				j.running = Job{}
				expired, err := s.ExpireLeases([]Job{job})
				noErr(t, err)
				if expired != 1 {
					t.Fatalf("step %d: %s was not leased", i, j.id)
				}
				noErr(t, s.Ack(job)) // too late
			default:
				noErr(t, s.Ack(job))
				noErr(t, s.Ack(job)) // it is gone, which is what was asked for
				m.remove(j)
			}
		case 8:
			j := pick(false)
			if j == nil {
				break
			}
			jobs, _, err := s.Jobs(JobQuery{Limit: 1000})
			noErr(t, err)
			at := slices.IndexFunc(jobs, func(q QueuedJob) bool { return q.Job.ID == j.id })
			if at < 0 || (jobs[at].State == JobHeld) == m.first(j) {
				t.Fatalf("step %d: %s is at %d of %+v", i, j.id, at, jobs)
			}
			if random.IntN(3) == 0 {
				noErr(t, s.DeleteJob(jobs[at].Number))
				m.remove(j)
			}
		case 9:
			switch random.IntN(12) {
			case 0:
				purge(i, "")
			case 1:
				purge(i, functions[random.IntN(3)])
			case 2:
				replace(functions[random.IntN(3)])
			default:
				revive(i)
			}
		default:
			m.now = m.now.Add([]time.Duration{time.Second, time.Second, time.Minute}[random.IntN(3)])
		}
		if i%200 == 199 {
			checkQueue(t, s)
			closeStore(t, s)
			s = openStore(t, dir, options)
			n, err := s.ReleaseLeases()
			noErr(t, err)
			running := 0
			for _, j := range m.jobs {
				if j.runs() {
					j.due, j.running = j.running.Due, Job{}
					running++
				}
			}
			if n != running {
				t.Fatalf("step %d: %d leases were released of %d", i, n, running)
			}
		}
		stats, err := s.QueueStats()
		noErr(t, err)
		if stats.Jobs != len(m.jobs) || stats.DeadLetters != m.dead {
			t.Fatalf("step %d: there are %d, %d are dead; got %+v", i, len(m.jobs), m.dead, stats)
		}
	}
	m.now = m.now.Add(time.Minute)
	for range 2 * len(m.jobs) { // what is left runs to the end, line by line
		leaseSome(-1)
		for _, j := range slices.Clone(m.jobs) {
			if j.runs() {
				noErr(t, s.Ack(j.running))
				m.remove(j)
			}
		}
	}
	if stats, err := s.QueueStats(); err != nil || stats.Jobs != 0 {
		t.Errorf("in the end there is %+v, %v", stats, err)
	}
	checkQueue(t, s)
}
