package scheduler

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestChores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		start := time.Now() // fake time: midnight, 1 January 2000, UTC
		runs := map[string][]time.Duration{}
		failure := errors.New("failed")
		note := func(name string, err error) func(context.Context) error {
			return func(context.Context) error {
				runs[name] = append(runs[name], time.Since(start))
				return err
			}
		}
		failed := 0
		finished := make(chan error)
		go func() {
			finished <- RunChores(ctx, []Chore{
				{"nightly", "30 3 * * *", note("nightly", nil)},
				{"often", "@every 6h", note("often", failure)},
				{"never", "0 0 30 2 *", note("never", nil)},
			}, func(_ Chore, err error) {
				if err == failure {
					failed++
				}
			})
		}()
		time.Sleep(48*time.Hour + time.Minute)
		cancel()
		if err := <-finished; err != nil {
			t.Error(err)
		}
		if got := runs["nightly"]; len(got) != 2 || got[0].Round(time.Minute) != 210*time.Minute || got[1].Round(time.Minute) != 1650*time.Minute {
			t.Errorf("nightly ran at %v", got)
		}
		if got := runs["often"]; len(got) != 8 || failed != 8 {
			t.Errorf("often ran at %v, %d failures", got, failed)
		}
		if len(runs["never"]) != 0 {
			t.Error("30 February came")
		}
	})
}

func TestChoresWrongSpec(t *testing.T) {
	err := RunChores(context.Background(), []Chore{{Name: "x", Spec: "every day"}}, nil)
	if err == nil {
		t.Error("a wrong expression was accepted")
	}
}
