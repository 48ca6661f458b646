package schedules

import (
	"encoding/json"
	"regexp"
	"strings"

	"ledge/persist"
)

// maxInput is the most bytes of Input: AWS's quota of a target's payload, 256 KB
// (https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html).
const maxInput = 256 << 10

// Defaults of RetryPolicy, shown where a schedule has none of its own.
const (
	defaultEventAge = 86400 // seconds
	defaultRetries  = 185
)

// target is Target in requests and replies
// (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html).
type target struct {
	Arn              string
	DeadLetterConfig *deadLetter  `json:",omitempty"`
	Input            *string      `json:",omitempty"`
	RetryPolicy      *retryPolicy `json:",omitempty"`
	RoleArn          string       `json:",omitempty"`

	// Of other services' targets: refused.
	EcsParameters               json.RawMessage `json:",omitempty"`
	EventBridgeParameters       json.RawMessage `json:",omitempty"`
	KinesisParameters           json.RawMessage `json:",omitempty"`
	SageMakerPipelineParameters json.RawMessage `json:",omitempty"`
	SqsParameters               json.RawMessage `json:",omitempty"`
}

type deadLetter struct {
	Arn string `json:",omitempty"`
}

type retryPolicy struct {
	MaximumEventAgeInSeconds *int `json:",omitempty"`
	MaximumRetryAttempts     *int `json:",omitempty"`
}

// check holds a target to the service model.
func (t *target) check(bad *violations) {
	bad.Required(t.Arn != "", "target.arn")
	bad.optional(t.Arn, "target.arn", 1, 1600, nil)
	bad.optional(t.RoleArn, "target.roleArn", 1, 1600, rolePattern)
	if t.Input != nil {
		bad.text(*t.Input, "target.input", 1, maxInput, nil)
	}
	if t.DeadLetterConfig != nil {
		bad.optional(t.DeadLetterConfig.Arn, "target.deadLetterConfig.arn", 1, 1600, nil)
	}
	if p := t.RetryPolicy; p != nil {
		bad.between(p.MaximumEventAgeInSeconds, "target.retryPolicy.maximumEventAgeInSeconds", 60, 86400)
		bad.between(p.MaximumRetryAttempts, "target.retryPolicy.maximumRetryAttempts", 0, 185)
	}
}

// stored returns the target as it is kept, or refuses what is no function.
func (t *target) stored() (persist.ScheduleTarget, error) {
	for _, other := range []struct {
		member string
		given  json.RawMessage
	}{
		{"EcsParameters", t.EcsParameters}, {"EventBridgeParameters", t.EventBridgeParameters},
		{"KinesisParameters", t.KinesisParameters}, {"SageMakerPipelineParameters", t.SageMakerPipelineParameters},
		{"SqsParameters", t.SqsParameters},
	} {
		if len(other.given) > 0 && string(other.given) != "null" {
			return persist.ScheduleTarget{}, notImplemented("Target.%s is not supported by this node: a target is one of its functions", other.member)
		}
	}
	function, qualifier, err := functionOf("Target.Arn", t.Arn)
	if err != nil {
		return persist.ScheduleTarget{}, err
	}
	kept := persist.ScheduleTarget{ARN: t.Arn, Function: function, Qualifier: qualifier, RoleARN: t.RoleArn}
	if t.Input != nil {
		if len(*t.Input) > maxInput {
			return persist.ScheduleTarget{}, invalid("Target.Input has %d bytes, at most %d are allowed.", len(*t.Input), maxInput)
		}
		if !json.Valid([]byte(*t.Input)) {
			return persist.ScheduleTarget{}, invalid("Target.Input must be well-formed JSON for an AWS Lambda target.")
		}
		kept.Input = *t.Input
	}
	if p := t.RetryPolicy; p != nil {
		if p.MaximumEventAgeInSeconds != nil {
			kept.MaxAgeSeconds = *p.MaximumEventAgeInSeconds
		}
		kept.MaxRetries = p.MaximumRetryAttempts
	}
	if t.DeadLetterConfig != nil && t.DeadLetterConfig.Arn != "" {
		if _, _, err := functionOf("Target.DeadLetterConfig.Arn", t.DeadLetterConfig.Arn); err != nil {
			return persist.ScheduleTarget{}, err
		}
		kept.DeadLetterARN = t.DeadLetterConfig.Arn
	}
	return kept, nil
}

// targetOf shows a target.
func targetOf(kept persist.ScheduleTarget) *target {
	age, retries := defaultEventAge, defaultRetries
	if kept.MaxAgeSeconds > 0 {
		age = kept.MaxAgeSeconds
	}
	if kept.MaxRetries != nil {
		retries = *kept.MaxRetries
	}
	t := &target{
		Arn: kept.ARN, RoleArn: kept.RoleARN,
		RetryPolicy: &retryPolicy{MaximumEventAgeInSeconds: &age, MaximumRetryAttempts: &retries},
	}
	if kept.Input != "" {
		t.Input = &kept.Input
	}
	if kept.DeadLetterARN != "" {
		t.DeadLetterConfig = &deadLetter{Arn: kept.DeadLetterARN}
	}
	return t
}

// functionARN is the ARN of a function, with or without a qualifier
// (https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html).
var functionARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:([a-zA-Z0-9-_]{1,64})(?::(\$LATEST|[a-zA-Z0-9-_]{1,128}))?$`)

// functionOf returns the function that an ARN names.
func functionOf(member, arn string) (name, qualifier string, err error) {
	if found := functionARN.FindStringSubmatch(arn); found != nil {
		return found[1], found[2], nil
	}
	parts := strings.SplitN(arn, ":", 6)
	switch {
	case len(parts) < 6 || parts[0] != "arn" || parts[2] == "lambda":
		return "", "", invalid("%s: the provided ARN %.200s is not in correct format.", member, arn)
	case parts[2] == serviceName:
		return "", "", notImplemented("%s: universal targets such as %.200s are not supported by this node: a target is one of its functions", member, arn)
	}
	return "", "", notImplemented("%s: this node has no %.50s; give the ARN of one of its functions", member, parts[2])
}
