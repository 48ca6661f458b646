package scheduler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"ledge/persist"
)

// failedItem reads the reply of a function that reports which records of a batch
// failed (ReportBatchItemFailures,
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html):
//
//	{"batchItemFailures": [{"itemIdentifier": "SEQUENCE NUMBER"}]}
//
// It returns the index of the first record that failed, or -1 where none did. As in
// AWS Lambda, no reply, null, an empty object and a list that is empty or null are
// successes, and an item without an identifier fails the whole batch, with index 0
// and why. So do, here, a reply that is no JSON object and a number that is not of
// the batch: they are mistakes of the function, and nothing may be lost for them.
func failedItem(reply []byte, changes []persist.Change) (first int, why string) {
	if len(bytes.TrimSpace(reply)) == 0 {
		return -1, ""
	}
	var response struct {
		BatchItemFailures []struct {
			ItemIdentifier *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(reply, &response); err != nil {
		return 0, "the reply is not a list of batch item failures: " + err.Error()
	}
	indexes := make(map[string]int, len(changes))
	for i := range changes {
		indexes[strconv.FormatUint(changes[i].Sequence, 10)] = i
	}
	first = -1
	for _, item := range response.BatchItemFailures {
		if item.ItemIdentifier == nil || *item.ItemIdentifier == "" {
			return 0, "a batch item failure has no itemIdentifier"
		}
		i, found := indexes[*item.ItemIdentifier]
		if !found {
			return 0, fmt.Sprintf("the batch item failure %.40q is no sequence number of the batch", *item.ItemIdentifier)
		}
		if first < 0 || i < first {
			first = i
		}
	}
	if first >= 0 {
		why = fmt.Sprintf("the function reported %d failed records, the first of them %d", len(response.BatchItemFailures), changes[first].Sequence)
	}
	return first, why
}
