package persist

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestDropOldest(t *testing.T) {
	for _, test := range []struct {
		what    string
		limits  QueueLimits
		job     Job // that wants the room
		refused bool
		dropped string // dead letters
	}{
		{"room", QueueLimits{Jobs: 8, Bytes: 1000}, Job{Priority: 5}, false, ""},
		{"the oldest of the lowest", QueueLimits{Jobs: 7, Bytes: 1000}, Job{Priority: 5}, false, "low-old"},
		{"and then the next", QueueLimits{Jobs: 5, Bytes: 1000}, Job{Priority: 5}, false, "low-old low-new usual-f"},
		{"none that matter more", QueueLimits{Jobs: 4, Bytes: 1000}, Job{Priority: 2}, true, ""},
		{"those that matter as much", QueueLimits{Jobs: 6, Bytes: 1000}, Job{Priority: 2}, false, "low-old low-new"},
		{"nobody that runs", QueueLimits{Jobs: 1, Bytes: 1000}, Job{Priority: 9}, true, ""},
		{"all that wait", QueueLimits{Jobs: 2, Bytes: 1000}, Job{Priority: 9}, false, "low-old low-new usual-f usual-g high line2"},
		{"bytes", QueueLimits{Jobs: 100, Bytes: 90}, Job{Priority: 9, Payload: make([]byte, 30)}, false, "low-old low-new"},
		{"too large for the queue", QueueLimits{Jobs: 100, Bytes: 90}, Job{Priority: 9, Payload: make([]byte, 91)}, true, ""},
		{"no queue", QueueLimits{}, Job{Priority: 9}, true, ""},
	} {
		t.Run(test.what, func(t *testing.T) {
			s, now := queueStore(t, "f", "g")
			for _, job := range []struct {
				function, id string
				priority     int
				age          time.Duration
			}{
				{"f", "high", 9, time.Hour}, {"g", "usual-g", 5, time.Minute}, {"f", "usual-f", 5, time.Hour},
				{"g", "low-new", 1, 0}, {"f", "low-old", 1, time.Second},
			} {
				j := testJob(job.function, job.id)
				j.Priority, j.Due = job.priority, now.Add(-job.age)
				put(t, s, j)
			}
			running := testJob("g", "line1")
			running.OrderKey = "line"
			head, err := s.Enqueue(running, DefaultQueueLimits(), true)
			noErr(t, err)
			running.ID = "line2"
			put(t, s, running)

			test.limits.WhenFull = QueueDropOldest
			test.job.ID, test.job.Function = "wants", "g"
			_, err = s.Enqueue(test.job, test.limits, false)
			if test.refused {
				wantErr(t, "Enqueue", err, ErrQueueFull)
			} else {
				noErr(t, err)
			}
			letters, _, err := s.DeadLetters(0, 100)
			noErr(t, err)
			var dropped []string
			for _, l := range letters {
				dropped = append(dropped, l.Job.ID)
				if !strings.Contains(l.Reason, "full") {
					t.Errorf("the reason is %q", l.Reason)
				}
			}
			if got := strings.Join(dropped, " "); got != test.dropped {
				t.Errorf("dropped %q, want %q", got, test.dropped)
			}
			stats, err := s.QueueStats()
			noErr(t, err)
			if int(stats.Dropped) != len(dropped) || stats.Running != 1 {
				t.Errorf("there is %+v", stats)
			}
			checkQueue(t, s)
			noErr(t, s.Ack(head))
		})
	}
}

// Where the dead letters are full a job that is dropped is counted only, and pushes none
// of them out.
func TestDropOldestSparesTheLetters(t *testing.T) {
	s, _ := queueStore(t, "f")
	noErr(t, s.update(0, func(c *change) error {
		for i := range MaxDeadLetters {
			if err := c.bury(DeadLetter{Reason: "before", Job: testJob("f", fmt.Sprint(i))}, nil); err != nil {
				return err
			}
		}
		return nil
	}))
	limits := QueueLimits{Jobs: 1, Bytes: 1000, WhenFull: QueueDropOldest}
	for _, id := range []string{"old", "new"} {
		_, err := s.Enqueue(testJob("f", id), limits, false)
		noErr(t, err)
	}
	stats, err := s.QueueStats()
	noErr(t, err)
	if stats.Jobs != 1 || stats.Dropped != 1 || stats.DeadLetters != MaxDeadLetters || stats.DeadLetterDropped != 0 {
		t.Errorf("there is %+v", stats)
	}
}

// After the limits were lowered by far, each event makes the queue smaller until it is
// within them, and none is refused.
func TestDropOldestOfLoweredLimits(t *testing.T) {
	s, _ := queueStore(t, "f")
	const many = 3 * maxVictims
	for i := range many {
		put(t, s, testJob("f", fmt.Sprint(i)))
	}
	limits := QueueLimits{Jobs: 10, Bytes: 1 << 20, WhenFull: QueueDropOldest}
	for i, want := range []int{many - maxVictims + 1, many - 2*maxVictims + 2, 10, 10} {
		_, err := s.Enqueue(testJob("f", fmt.Sprint("new", i)), limits, false)
		noErr(t, err)
		stats, err := s.QueueStats()
		noErr(t, err)
		if stats.Jobs != want {
			t.Errorf("after %d events there are %d, want %d", i+1, stats.Jobs, want)
		}
	}
	// What so many small ones leave is no room for a large one.
	limits.Jobs, limits.Bytes = 1000, 100
	for i := range 2 * maxVictims {
		put(t, s, Job{ID: fmt.Sprint("small", i), Function: "f"})
	}
	_, err := s.Enqueue(Job{ID: "large", Function: "f", Payload: make([]byte, 100)}, limits, false)
	noErr(t, err)
	for i := range 2 * maxVictims {
		put(t, s, Job{ID: fmt.Sprint("small", i), Function: "f"})
	}
	limits.Bytes = 150
	_, err = s.Enqueue(Job{ID: "larger", Function: "f", Payload: make([]byte, 100), Priority: 0}, limits, false)
	wantErr(t, "Enqueue", err, ErrQueueFull)
}
