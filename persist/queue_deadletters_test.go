package persist

import (
	"fmt"
	"testing"
)

func TestOldDeadLettersMakeRoom(t *testing.T) {
	for what, test := range map[string]struct{ letters, size, kept int }{
		"number": {MaxDeadLetters + 3, 1, MaxDeadLetters},
		"bytes":  {34, MaxJobPayload, 32},
	} {
		t.Run(what, func(t *testing.T) {
			s, _ := queueStore(t, "f")
			// Not one commit each: the disk is not what is tested.
			for from := 0; from < test.letters; from += 100 {
				noErr(t, s.update(0, func(c *change) error {
					for i := from; i < min(from+100, test.letters); i++ {
						if err := c.bury(DeadLetter{Reason: fmt.Sprint(i)}, make([]byte, test.size)); err != nil {
							return err
						}
					}
					return nil
				}))
			}
			stats, err := s.QueueStats()
			noErr(t, err)
			if stats.DeadLetters != test.kept || stats.DeadLetterDropped != uint64(test.letters-test.kept) || stats.DeadLetterBytes != int64(test.kept*test.size) {
				t.Errorf("got %+v", stats)
			}
			first, more, err := s.DeadLetters(0, 1)
			noErr(t, err)
			if len(first) != 1 || !more || first[0].Reason != fmt.Sprint(test.letters-test.kept) {
				t.Errorf("the first is %+v, more %t", first, more)
			}
		})
	}
}

// A letter that is damaged is listed with the others and can be removed.
func TestDamagedDeadLetter(t *testing.T) {
	s, _ := queueStore(t, "f")
	for _, id := range []string{"bad", "good"} {
		job, err := s.Enqueue(testJob("f", id), DefaultQueueLimits(), true)
		noErr(t, err)
		noErr(t, s.Bury(job, "a reason"))
	}
	noErr(t, s.update(0, func(c *change) error {
		c.wrote = true
		return lettersOf(c.tx).letters.Put(sequenceKey(1), []byte("{"))
	}))
	letters, more, err := s.DeadLetters(0, 9)
	if err != nil || more || len(letters) != 2 || letters[0].Sequence != 1 || letters[1].Job.ID != "good" {
		t.Errorf("listed %+v, %t, %v", letters, more, err)
	}
	letter, err := s.GetDeadLetter(1)
	if err != nil || letter.Reason == "a reason" || string(letter.Job.Payload) != "event bad" {
		t.Errorf("got %+v, %v", letter, err)
	}
	noErr(t, s.DeleteDeadLetter(1))
}
