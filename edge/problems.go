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
		list = append(list, "the queue of events cannot be read: "+err.Error())
	} else if queue.DeadLetters > 0 {
		list = append(list, fmt.Sprintf("%d events were given up and had no destination; see them with: ledge failed ls", queue.DeadLetters))
	}
	feeds, err := store.Feeds()
	if err != nil {
		list = append(list, "the change feeds cannot be read: "+err.Error())
	}
	for _, f := range feeds {
		if f.Lost > 0 {
			list = append(list, fmt.Sprintf("change feed %s lost %d changes that it had not delivered when they were trimmed", f.Mapping, f.Lost))
		}
	}
	if err := logs.Err(); err != nil {
		list = append(list, "logs are not written: "+err.Error())
	}
	return list
}
