package scheduler

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ledge/engine"
	"ledge/persist"
)

// Conditions of a record for a feed's destination.
const (
	conditionAttempts = "RetryAttemptsExhausted"
	conditionAge      = "RecordAgeExceeded"
)

// batchRecord is what the destination of a feed gets
// (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html), with
// the event as text, as AWS Lambda sends it to destinations that have room for it.
type batchRecord struct {
	RequestContext  requestContext   `json:"requestContext"`
	ResponseContext *responseContext `json:"responseContext,omitempty"`
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	Batch           batchInfo        `json:"DDBStreamBatchInfo"`
	Payload         string           `json:"payload,omitempty"`
}

type batchInfo struct {
	ShardID   string `json:"shardId"`
	Start     string `json:"startSequenceNumber"`
	End       string `json:"endSequenceNumber"`
	First     string `json:"approximateArrivalOfFirstRecord"`
	Last      string `json:"approximateArrivalOfLastRecord"`
	Size      int    `json:"batchSize"`
	StreamARN string `json:"streamArn"`
}

// giveUp ends changes that are not tried again, with a record to the destination or
// as dead letters. Both are in the transaction in which the lane goes past them.
func (l *feedLane) giveUp(running context.Context, changes []persist.Change, v verdict, step persist.FeedStep) error {
	attempts := max(step.To.Failures, l.state.Failures)
	step.To = l.after(changes[len(changes)-1].Sequence)
	if v.crashed {
		l.counted = false // the batch after it may be as bad
	}
	step.GivenUp = len(changes)
	step.Result = v.result()
	l.feeds.log.Warn("changes of data were given up", "mapping", l.mapping.ID, "function", l.mapping.Function, "bucket", l.source.bucket,
		"changes", len(changes), "first", changes[0].Sequence, "reason", v.reason, "error", v.problem)

	function, qualifier, isFunction := functionOfARN(l.mapping.OnFailure)
	switch {
	case v.loop || l.mapping.OnFailure == "":
	case !isFunction:
		v.reason += fmt.Sprintf(", and the destination %s is no function of this node", l.mapping.OnFailure)
	default:
		told := step
		for _, part := range l.parts(changes, func(part []persist.Change) []byte { return l.batchRecord(part, v, attempts, true) }) {
			payload := l.batchRecord(part, v, attempts, true)
			if len(payload) > persist.MaxJobPayload {
				payload = l.batchRecord(part, v, attempts, false)
			}
			told.Jobs = append(told.Jobs, persist.Job{
				ID: engine.NewRequestID().String(), Function: function, Qualifier: qualifier, Source: engine.SourceAsync.String(),
				Priority: persist.UsualPriority, Depth: part[0].Depth + 1, Payload: payload,
			})
		}
		err := l.settle(running, told)
		if err == nil {
			l.feeds.cfg.Wake()
		}
		if !undeliverable(err) {
			return err
		}
		v.reason += fmt.Sprintf(", and the destination %s cannot be told: %s", l.mapping.OnFailure, err)
	}
	for _, part := range l.parts(changes, func(part []persist.Change) []byte { return l.source.event(part, true) }) {
		step.Letters = append(step.Letters, l.letter(part, v, attempts))
	}
	return l.settle(running, step)
}

// letter is a dead letter of changes: a job that has the event which the function did
// not take, so that it can be run again.
func (l *feedLane) letter(changes []persist.Change, v verdict, attempts int) persist.FeedLetter {
	reason, event := v.reason, l.source.event(changes, true)
	if len(event) > persist.MaxJobPayload {
		reason, event = reason+"; the event has no images, it would be too large to be kept", l.source.event(changes, false)
	}
	written := changes[0].Time
	return persist.FeedLetter{Reason: reason, Job: persist.Job{
		ID: engine.NewRequestID().String(), Function: l.mapping.Function, Qualifier: l.mapping.Qualifier,
		Source: engine.SourceChange.String(), Priority: persist.UsualPriority,
		Enqueued: written, Due: written, Attempts: attempts, Failures: attempts, LastError: v.problem,
		Depth: changes[0].Depth + 1, Payload: event,
	}}
}

// parts splits changes so that what render makes of each part can be a job's payload.
// A single change that cannot is a part nevertheless.
func (l *feedLane) parts(changes []persist.Change, render func([]persist.Change) []byte) [][]persist.Change {
	if len(changes) == 1 || len(render(changes)) <= persist.MaxJobPayload {
		return [][]persist.Change{changes}
	}
	half := len(changes) / 2
	return append(l.parts(changes[:half], render), l.parts(changes[half:], render)...)
}

// batchRecord tells a destination about changes that were given up.
func (l *feedLane) batchRecord(changes []persist.Change, v verdict, attempts int, payload bool) []byte {
	const millis = "2006-01-02T15:04:05.000Z"
	first, last := changes[0], changes[len(changes)-1]
	qualifier := l.mapping.Qualifier
	if qualifier == "" {
		qualifier = persist.Latest
	}
	record := batchRecord{
		RequestContext: requestContext{
			RequestID: engine.NewRequestID().String(), Condition: v.condition, InvokeCount: attempts,
			FunctionARN: engine.FunctionARN(l.feeds.cfg.Region, l.mapping.Function, qualifier),
		},
		Version: "1.0", Timestamp: time.Now().UTC().Format(millis),
		Batch: batchInfo{
			ShardID: fmt.Sprintf("shardId-%020d-%08d", l.index, l.lanes),
			Start:   strconv.FormatUint(first.Sequence, 10), End: strconv.FormatUint(last.Sequence, 10),
			First: first.Time.UTC().Format(millis), Last: last.Time.UTC().Format(millis),
			Size: len(changes), StreamARN: l.source.arn,
		},
	}
	if v.invoked {
		record.ResponseContext = &responseContext{StatusCode: 200, ExecutedVersion: v.version}
		if v.failed {
			record.ResponseContext.FunctionError = "Unhandled"
		}
	}
	if payload {
		record.Payload = string(l.source.event(changes, true))
	}
	return encode(record)
}
