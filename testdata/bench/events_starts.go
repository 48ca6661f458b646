package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"ledge/persist"
)

// startsWithEvents measures the binary on a store with a long queue and on one with
// many schedules. Of its memory it tells what is its own from the pages of files: those
// of the store that it has read are among them, and the kernel may drop them.
func (b *bench) startsWithEvents() error {
	var empty, emptyOwn, emptyFiles float64
	module := filepath.Join(b.functions, "echo.wasm")
	for _, c := range []struct {
		name            string
		jobs, schedules int
	}{
		{"an empty store", 0, 0},
		{"1 000 000 queued events", 1_000_000, 0},
		{"100 000 schedules", 0, 100_000},
	} {
		data := filepath.Join(b.dir, fmt.Sprintf("start-%d-%d", c.jobs, c.schedules))
		node, _, err := b.node(data)
		if err != nil {
			return err
		}
		if err := errors.Join(b.command(data, "deploy", "f", module), b.stop(node)); err != nil {
			return err
		}
		if err := b.fill(data, c.jobs, c.schedules); err != nil {
			return err
		}
		var starts, own, files []float64
		for range b.rounds {
			began := time.Now()
			node, _, err := b.node(data)
			if err != nil {
				return err
			}
			starts = append(starts, time.Since(began).Seconds()*1e3)
			time.Sleep(2 * time.Second) // for what it reads once it serves
			anonymous, err := statusMiB(node.Process.Pid, "RssAnon")
			if err != nil {
				return errors.Join(err, b.stop(node))
			}
			mapped, err := statusMiB(node.Process.Pid, "RssFile")
			if err := errors.Join(err, b.stop(node)); err != nil {
				return err
			}
			own, files = append(own, anonymous), append(files, mapped)
		}
		if c.jobs+c.schedules == 0 {
			empty, emptyOwn, emptyFiles = median(starts), median(own), median(files)
			continue
		}
		b.row("| start with %s until the first reply | %.0f ms | %.0f ms with an empty store | %.2f | |", c.name, median(starts), empty, median(starts)/empty)
		b.row("| its own memory with them, 2 s later | %.1f MiB | %.1f MiB with an empty store | %.2f | |", median(own), emptyOwn, median(own)/emptyOwn)
		b.row("| and of files, the store's and the binary's, which the kernel may drop | %.1f MiB | %.1f MiB with an empty store | | |", median(files), emptyFiles)
	}
	return nil
}

// fill writes events that are due tomorrow, and schedules, all for the function f.
func (b *bench) fill(data string, jobs, schedules int) error {
	store, err := persist.Open(data, persist.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	var next atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, 256)
	due := time.Now().Add(20 * time.Hour)
	for range cap(failed) {
		all.Go(func() {
			for i := next.Add(1); i <= int64(jobs+schedules); i = next.Add(1) {
				var err error
				if id := fmt.Sprintf("n%07d", i); i <= int64(jobs) {
					_, err = store.Enqueue(persist.Job{ID: id, Function: "f", Payload: []byte(id), Due: due}, plentiful, false)
				} else {
					_, err = store.CreateSchedule(persist.Schedule{Group: "default", Name: id, Expression: "cron(0 3 1 1 ? 2099)",
						State: persist.ScheduleEnabled, Target: persist.ScheduleTarget{Function: "f", Input: `{"n":1}`}})
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return fmt.Errorf("fill %s: %w", data, err)
	default:
		return nil
	}
}
