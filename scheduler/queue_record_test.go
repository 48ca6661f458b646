package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ledge/engine"
	"ledge/persist"
)

func TestQueueDestinations(t *testing.T) {
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:"
	large := `"` + strings.Repeat("x", 900<<10) + `"`
	for _, test := range []struct {
		what    string
		config  persist.AsyncConfig
		event   string
		reply   string
		err     error
		want    string // invocation record with ID and TIME in place of what differs
		target  string
		letters []string
	}{
		{
			what:   "success",
			config: persist.AsyncConfig{OnSuccess: arn + "g:live"},
			event:  `{"a": "<1>"}`, reply: `[2]`, target: "g:live",
			want: `{"version":"1.0","timestamp":"TIME","requestContext":{"requestId":"ID","functionArn":"arn:aws:lambda:local:000000000000:function:f:$LATEST","condition":"Success","approximateInvokeCount":1},"requestPayload":{"a":"<1>"},"responseContext":{"statusCode":200,"executedVersion":"3"},"responsePayload":[2]}`,
		},
		{
			what:   "failure",
			config: persist.AsyncConfig{OnFailure: arn + "g"},
			event:  `not JSON`, err: valueError(), target: "g:",
			want: `{"version":"1.0","timestamp":"TIME","requestContext":{"requestId":"ID","functionArn":"arn:aws:lambda:local:000000000000:function:f:$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3},"requestPayload":"not JSON","responseContext":{"statusCode":200,"executedVersion":"3","functionError":"Unhandled"},"responsePayload":{"errorType":"ValueError","errorMessage":"no"}}`,
		},
		{
			what:   "too old",
			config: persist.AsyncConfig{OnFailure: arn + "g", MaxAgeSeconds: 60},
			err:    engine.ErrThrottled, target: "g:",
			want: `{"version":"1.0","timestamp":"TIME","requestContext":{"requestId":"ID","functionArn":"arn:aws:lambda:local:000000000000:function:f:$LATEST","condition":"EventAgeExceeded","approximateInvokeCount":N},"requestPayload":null}`,
		},
		{
			what:   "too large a reply",
			config: persist.AsyncConfig{OnSuccess: arn + "g"},
			event:  large, reply: large, target: "g:",
			want: `{"version":"1.0","timestamp":"TIME","requestContext":{"requestId":"ID","functionArn":"arn:aws:lambda:local:000000000000:function:f:$LATEST","condition":"Success","approximateInvokeCount":1},"requestPayload":` + large + `,"responseContext":{"statusCode":200,"executedVersion":"3"},"responsePayload":null}`,
		},
		{
			what:    "nobody there",
			config:  persist.AsyncConfig{OnSuccess: arn + "nobody"},
			event:   "1",
			letters: []string{"f 1: the function succeeded, and there is no destination " + arn + "nobody; "},
		},
		{
			what:    "no name of a function",
			config:  persist.AsyncConfig{OnSuccess: arn + strings.Repeat("x", 300)},
			event:   "1",
			letters: []string{"f 1: the function succeeded, and the destination cannot be told: INVALID; "},
		},
		{
			what:    "no function",
			config:  persist.AsyncConfig{OnFailure: "arn:aws:sqs:local:000000000000:queue"},
			event:   "1",
			err:     valueError(),
			letters: []string{"f 1: the function failed 3 times, and the destination arn:aws:sqs:local:000000000000:queue is no function of this node; ValueError: no"},
		},
	} {
		t.Run(test.what, func(t *testing.T) {
			var record, target string
			inBubble(t, QueueConfig{}, func(_ context.Context, inv *engine.Invocation, res *engine.Result) error {
				if inv.Function == "g" {
					record, target = string(inv.Payload), inv.Function+":"+inv.Qualifier
					return nil
				}
				res.Payload = []byte(test.reply)
				return errors.Unwrap(fmt.Errorf("%w", test.err))
			}, func(t *queueTest) {
				test.config.Function = "f"
				if _, err := t.store.PutAsyncConfig(test.config); err != nil {
					t.Fatal(err)
				}
				t.send("f", test.event)
				time.Sleep(time.Hour)
				letters := t.letters()
				for i := range letters {
					letters[i] = strings.Replace(letters[i], "f: ValueError", "ValueError", 1)
					if before, after, ok := strings.Cut(letters[i], "settle job"); ok {
						letters[i] = before + "INVALID" + after[strings.LastIndex(after, "; "):]
					}
				}
				if !slices.Equal(letters, test.letters) {
					t.Errorf("dead letters %q, want %q", letters, test.letters)
				}
				if test.want == "" {
					return
				}
				var parts struct {
					Timestamp      time.Time
					RequestContext struct {
						RequestID              string
						ApproximateInvokeCount int
					}
				}
				if err := json.Unmarshal([]byte(record), &parts); err != nil {
					t.Fatalf("record %.300q: %v", record, err)
				}
				got := strings.Replace(record, parts.RequestContext.RequestID, "ID", 1)
				got = strings.Replace(got, parts.Timestamp.Format("2006-01-02T15:04:05.000Z"), "TIME", 1)
				if strings.Contains(test.want, ":N}") {
					got = strings.Replace(got, fmt.Sprintf(":%d}", parts.RequestContext.ApproximateInvokeCount), ":N}", 1)
				}
				if got != test.want || target != test.target {
					t.Errorf("%s got\n%.2000s\nwant\n%.2000s", target, got, test.want)
				}
			})
		})
	}
}

// A destination that leads back does not go round for ever.
func TestQueueStopsLoops(t *testing.T) {
	inBubble(t, QueueConfig{}, succeed, func(t *queueTest) {
		_, err := t.store.PutAsyncConfig(persist.AsyncConfig{Function: "f", OnSuccess: "arn:aws:lambda:local:000000000000:function:f"})
		if err != nil {
			t.Fatal(err)
		}
		t.send("f", "1")
		time.Sleep(time.Minute)
		letters := t.letters()
		if runs := len(t.engine.ran()); runs != maxDepth+1 || len(letters) != 1 || !strings.Contains(letters[0], "it may be a loop") {
			t.Errorf("it ran %d times; dead letters %.500q", runs, letters)
		}
	})
}

func TestFunctionOfARN(t *testing.T) {
	for _, test := range []struct {
		arn, function, qualifier string
		ok                       bool
	}{
		{"arn:aws:lambda:eu-west-1:123456789012:function:f", "f", "", true},
		{"arn:aws-cn:lambda:local:000000000000:function:f:live", "f", "live", true},
		{"arn:aws:lambda:local:000000000000:function:f:$LATEST", "f", "$LATEST", true},
		{"arn:aws:lambda:local:000000000000:function:f:", "", "", false},
		{"arn:aws:lambda:local:000000000000:function:", "", "", false},
		{"arn:aws:lambda:local:000000000000:layer:f", "", "", false},
		{"arn:aws:sqs:local:000000000000:function:f", "", "", false},
		{"arn:aws:lambda:local:000000000000:function:f:1:2", "", "", false},
		{"f", "", "", false},
		{"", "", "", false},
	} {
		function, qualifier, ok := functionOfARN(test.arn)
		if function != test.function || qualifier != test.qualifier || ok != test.ok {
			t.Errorf("%q: got %q, %q, %t", test.arn, function, qualifier, ok)
		}
	}
}

func TestRequestID(t *testing.T) {
	id := engine.NewRequestID()
	if got := requestID(id.String()); got != id {
		t.Errorf("read %s as %s", id, got)
	}
	for _, text := range []string{"", "x", "00", strings.Repeat("zz", 16)} {
		if got := requestID(text); got != (engine.RequestID{}) {
			t.Errorf("read %q as %s", text, got)
		}
	}
}
