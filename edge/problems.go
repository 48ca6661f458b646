package edge

import (
	"fmt"

	"ledge/persist"
)

// Problems are what an operator should know of a node's data, a sentence each.
func Problems(store *persist.Store, logs *persist.Logs) (list []string) {
	if what := store.Recovered(); what != "" {
		list = append(list, what)
	}
	if store.Incomplete() {
		list = append(list, "records may be missing: a damaged ledge.db.damaged-* lies in the data folder; take what you need from it and delete it")
	}
	if queue, err := store.QueueStats(); err != nil {
		list = append(list, "the queue of asynchronous invocations cannot be read: "+err.Error())
	} else if queue.DeadLetters > 0 {
		list = append(list, fmt.Sprintf("%d asynchronous invocations failed for good and had no destination; they are kept as dead letters", queue.DeadLetters))
	}
	if err := logs.Err(); err != nil {
		list = append(list, "logs are not written: "+err.Error())
	}
	return list
}
