package awsapi

import (
	"context"
	"encoding/json"
	"fmt"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// mappingRequest has the members of CreateEventSourceMapping and of
// UpdateEventSourceMapping
// (https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html).
// A nil member keeps what the mapping has.
type mappingRequest struct {
	FunctionName                   *string
	EventSourceArn                 *string // of a new mapping only
	Enabled                        *bool
	BatchSize                      *int64
	MaximumBatchingWindowInSeconds *int64
	BisectBatchOnFunctionError     *bool
	FilterCriteria                 *filterCriteria
	FunctionResponseTypes          *[]string
	MaximumRecordAgeInSeconds      *int64
	MaximumRetryAttempts           *int64
	ParallelizationFactor          *int64
	TumblingWindowInSeconds        *int64
	StartingPosition               *string  // of a new mapping only
	StartingPositionTimestamp      *float64 // likewise, in seconds since 1970
	DestinationConfig              *destinationConfig
	Tags                           map[string]string // of a new mapping only
	refusedMapping
}

// refusedMapping are members for sources that a node has not.
type refusedMapping struct {
	KMSKeyArn                           string
	Queues, Topics                      []string
	SelfManagedEventSource              *json.RawMessage
	SelfManagedKafkaEventSourceConfig   *json.RawMessage
	AmazonManagedKafkaEventSourceConfig *json.RawMessage
	DocumentDBEventSourceConfig         *json.RawMessage
	SourceAccessConfigurations          []json.RawMessage
	ScalingConfig                       *json.RawMessage
	ProvisionedPollerConfig             *json.RawMessage
	MetricsConfig                       *json.RawMessage
	LoggingConfig                       *json.RawMessage
}

func (q *refusedMapping) refuse() error {
	switch {
	case q.KMSKeyArn != "":
		return unsupported("KMSKeyArn", "there is no KMS")
	case len(q.Queues) > 0:
		return unsupported("Queues", "there is no Amazon MQ")
	case len(q.Topics) > 0, given(q.SelfManagedEventSource), given(q.SelfManagedKafkaEventSourceConfig),
		given(q.AmazonManagedKafkaEventSourceConfig), len(q.SourceAccessConfigurations) > 0:
		return unsupported("Kafka", "the sources of a node are change feeds and MQTT topics")
	case given(q.DocumentDBEventSourceConfig):
		return unsupported("DocumentDBEventSourceConfig", "there is no DocumentDB")
	case given(q.ScalingConfig), given(q.ProvisionedPollerConfig):
		return unsupported("ScalingConfig and ProvisionedPollerConfig", "bound the function's concurrency instead")
	case given(q.MetricsConfig), given(q.LoggingConfig):
		return unsupported("MetricsConfig and LoggingConfig", "there is no CloudWatch")
	}
	return nil
}

// Where a new mapping begins to read.
const (
	startOldest = "TRIM_HORIZON"
	startLatest = persist.StartLatest
	startAt     = "AT_TIMESTAMP"
)

// start sets where a new mapping begins to read: feeds must be told, topics have
// no past.
func (q *mappingRequest) start(kind sourceKind, m *persist.EventSourceMapping) error {
	var bad violations
	if q.StartingPosition != nil {
		bad.OneOf(*q.StartingPosition, "startingPosition", startOldest, startLatest, startAt)
	}
	if err := bad.Err(); err != nil {
		return err
	}
	switch {
	case kind == topicSource && (q.StartingPosition != nil || q.StartingPositionTimestamp != nil):
		return invalid("StartingPosition is not valid for topics: they have no past.")
	case kind == topicSource:
		return nil
	case q.StartingPosition == nil:
		return invalid("1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.")
	case *q.StartingPosition == startAt:
		return invalid("Unsupported starting position for arn type: " + m.Source) // as of DynamoDB streams
	case q.StartingPositionTimestamp != nil && *q.StartingPositionTimestamp != 0:
		return invalid("StartingPositionTimestamp is only valid with the starting position AT_TIMESTAMP.")
	}
	m.Start = *q.StartingPosition
	return nil
}

// applyMapping changes m as the request asks. The error is a *fault; m is then
// half changed and of no use.
func (a *api) applyMapping(ctx context.Context, q *mappingRequest, kind sourceKind, m *persist.EventSourceMapping) error {
	if err := q.refuse(); err != nil {
		return err
	}
	if err := q.numbers(kind, m); err != nil {
		return err
	}
	if kind == topicSource && (q.BisectBatchOnFunctionError != nil && *q.BisectBatchOnFunctionError ||
		q.FunctionResponseTypes != nil && len(*q.FunctionResponseTypes) > 0) {
		return invalid("BisectBatchOnFunctionError and FunctionResponseTypes are not valid for topics, whose messages come one by one.")
	}
	set(&m.Enabled, q.Enabled)
	set(&m.BisectBatch, q.BisectBatchOnFunctionError)
	if q.FunctionResponseTypes != nil {
		var bad violations
		bad.Items(len(*q.FunctionResponseTypes), "functionResponseTypes", 0, 1)
		for _, kind := range *q.FunctionResponseTypes {
			bad.OneOf(kind, "functionResponseTypes", reportItemFailures)
		}
		if err := bad.Err(); err != nil {
			return err
		}
		m.ReportItemFailures = len(*q.FunctionResponseTypes) > 0
	}
	if q.FilterCriteria != nil {
		filters, err := q.FilterCriteria.stored(a.Patterns)
		if err != nil {
			return err
		}
		m.Filters = filters
	}
	if q.DestinationConfig == nil {
		return nil
	}
	if on := q.DestinationConfig.OnSuccess; on != nil && on.Destination != nil && *on.Destination != "" {
		return invalid("OnSuccess is not valid for event source mappings.")
	}
	m.OnFailure = ""
	if on := q.DestinationConfig.OnFailure; on != nil && on.Destination != nil && *on.Destination != "" {
		if err := a.checkDestination(ctx, *on.Destination, m.Function); err != nil {
			return err
		}
		m.OnFailure = *on.Destination
	}
	return nil
}

// numbers holds the members that are numbers to Lambda's bounds for a kind of
// source, and sets them.
func (q *mappingRequest) numbers(kind sourceKind, m *persist.EventSourceMapping) error {
	most := int64(10000)
	if kind == topicSource {
		most = 1
	}
	var bad violations
	for _, n := range []struct {
		given    *int64
		name     string
		min, max int64
		at       *int
		feeds    bool // of feeds only
	}{
		{q.BatchSize, "batchSize", 1, most, &m.BatchSize, false},
		{q.MaximumBatchingWindowInSeconds, "maximumBatchingWindowInSeconds", 0, 300, &m.BatchWindowSeconds, true},
		{q.MaximumRecordAgeInSeconds, "maximumRecordAgeInSeconds", -1, 604800, &m.MaxAgeSeconds, true},
		{q.MaximumRetryAttempts, "maximumRetryAttempts", -1, 10000, &m.MaxRetries, true},
		{q.ParallelizationFactor, "parallelizationFactor", 1, 10, &m.Parallel, true},
		{q.TumblingWindowInSeconds, "tumblingWindowInSeconds", 0, 900, &m.TumblingWindowSeconds, true},
	} {
		switch {
		case n.given == nil:
		case n.feeds && kind == topicSource:
			return invalid("Parameter " + n.name + " is not valid for topics.")
		default:
			bad.Between(*n.given, n.name, n.min, n.max)
			*n.at = int(*n.given)
		}
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if m.TumblingWindowSeconds != 0 {
		return unsupported("TumblingWindowInSeconds", "a function keeps its state in a bucket of data")
	}
	if kind == feedSource && m.MaxAgeSeconds != -1 && m.MaxAgeSeconds < 60 {
		return invalid("MaximumRecordAgeInSeconds must be -1 or 60 to 604800.")
	}
	return nil
}

// Bounds of filters
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html).
const (
	maxFilters = 5
	maxPattern = 4096
)

func (c *filterCriteria) stored(checker Patterns) ([]string, error) {
	var bad violations
	bad.Items(len(c.Filters), "filterCriteria.filters", 0, maxFilters)
	var patterns []string
	for _, f := range c.Filters {
		bad.Length(f.Pattern, "filterCriteria.filters.pattern", 0, maxPattern)
		if len(bad) > 0 {
			return nil, bad.Err()
		}
		if checker == nil {
			return nil, restjson.NotImplemented("this control plane was started without filters")
		}
		if err := checker.Check(f.Pattern); err != nil {
			return nil, invalid(fmt.Sprintf("Invalid filter pattern definition. (%s)", err))
		}
		patterns = append(patterns, f.Pattern)
	}
	return patterns, bad.Err()
}
