package awsapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"ledge/persist"
)

const (
	mappingsPath = "/2015-03-31/event-source-mappings"
	feed         = "arn:aws:dynamodb:eu-north-1:000000000000:table/orders/stream/LATEST"
	topic        = "arn:aws:iot:eu-north-1:000000000000:topicfilter/sensors/+/alarm"
)

func TestEventSourceMappings(t *testing.T) {
	n := newNode(t)
	running := map[string]bool{}
	var changed []string
	n.api.FeedStatus = func(mapping string) (bool, uint64) { return running[mapping], 0 }
	n.api.FeedChanged = func(mapping string) { changed = append(changed, mapping) }
	n.create("hello")
	n.create("other")
	made := n.want(http.StatusAccepted, "POST", mappingsPath, object{
		"FunctionName": "hello", "EventSourceArn": feed, "StartingPosition": "TRIM_HORIZON", "BatchSize": 10, "MaximumBatchingWindowInSeconds": 5,
		"BisectBatchOnFunctionError": true, "FunctionResponseTypes": []string{"ReportBatchItemFailures"}, "MaximumRetryAttempts": 0, "MaximumRecordAgeInSeconds": 60,
		"FilterCriteria":    object{"Filters": []object{{"Pattern": `{"eventName":["INSERT"]}`}}},
		"DestinationConfig": object{"OnFailure": object{"Destination": "arn:aws:lambda:eu-north-1:000000000000:function:other"}},
	})
	id := made.text(t, "UUID")
	for member, want := range map[string]string{
		"State": "Creating", "EventSourceArn": feed, "FunctionArn": "arn:aws:lambda:eu-north-1:000000000000:function:hello",
		"EventSourceMappingArn": "arn:aws:lambda:eu-north-1:000000000000:event-source-mapping:" + id,
		"BatchSize":             "10", "MaximumBatchingWindowInSeconds": "5", "BisectBatchOnFunctionError": "true", "FunctionResponseTypes": "[ReportBatchItemFailures]",
		"MaximumRetryAttempts": "0", "MaximumRecordAgeInSeconds": "60", "ParallelizationFactor": "1", "StartingPosition": "TRIM_HORIZON",
		"DestinationConfig.OnFailure.Destination": "arn:aws:lambda:eu-north-1:000000000000:function:other",
	} {
		if got := made.text(t, member); got != want {
			t.Errorf("%s is %s, want %s", member, got, want)
		}
	}
	// It is shown as what it is.
	if r := n.want(http.StatusOK, "GET", mappingsPath+"/"+id, nil); r.text(t, "State") != "Enabling" || !strings.Contains(r.text(t, "StateTransitionReason"), "change feeds") ||
		r.text(t, "LastProcessingResult") != "No records processed" {
		t.Errorf("stored %s", r.body)
	}
	running[id] = true
	if err := n.store.SettleFeed(persist.FeedStep{Mapping: id, Lanes: 1, Result: "PROBLEM: Function call failed: no"}); err != nil {
		t.Fatal(err)
	}
	if r := n.want(http.StatusOK, "GET", mappingsPath+"/"+id, nil); r.text(t, "State") != "Enabled" || r.text(t, "StateTransitionReason") != "User action" ||
		r.text(t, "LastProcessingResult") != "PROBLEM: Function call failed: no" {
		t.Errorf("running %s", r.body)
	}
	if r := n.want(http.StatusAccepted, "PUT", mappingsPath+"/"+id, object{"BatchSize": 11}); r.text(t, "State") != "Updating" {
		t.Errorf("updated %s", r.body)
	}
	if r := n.want(http.StatusAccepted, "PUT", mappingsPath+"/"+id, object{"Enabled": false, "BatchSize": 20}); r.text(t, "State") != "Disabling" || r.text(t, "BatchSize") != "20" || r.text(t, "MaximumRecordAgeInSeconds") != "60" {
		t.Errorf("disabled %s", r.body)
	}
	if r := n.want(http.StatusOK, "GET", mappingsPath+"/"+id, nil); r.text(t, "State") != "Disabling" {
		t.Errorf("its last batch runs: %s", r.body)
	}
	delete(running, id)
	if r := n.want(http.StatusOK, "GET", mappingsPath+"/"+id, nil); r.text(t, "State") != "Disabled" {
		t.Errorf("disabled %s", r.body)
	}
	if r := n.want(http.StatusAccepted, "PUT", mappingsPath+"/"+id, object{"Enabled": true, "FunctionName": "hello:$LATEST", "FilterCriteria": object{}, "DestinationConfig": object{}}); r.text(t, "State") != "Enabling" ||
		r.text(t, "FilterCriteria") != "<nil>" || r.text(t, "DestinationConfig") != "<nil>" {
		t.Errorf("enabled %s", r.body)
	}
	topics := n.want(http.StatusAccepted, "POST", mappingsPath, object{"FunctionName": "other", "EventSourceArn": topic})
	if topics.text(t, "BatchSize") != "1" || topics.text(t, "MaximumRetryAttempts") != "<nil>" {
		t.Errorf("topic %s", topics.body)
	}
	if r := n.want(http.StatusOK, "GET", mappingsPath+"/"+topics.text(t, "UUID"), nil); !strings.Contains(r.text(t, "StateTransitionReason"), "MQTT broker") {
		t.Errorf("topic %s", r.body)
	}
	for query, want := range map[string]int{
		"": 2, "FunctionName=other": 1, "FunctionName=hello": 0, "FunctionName=hello:$LATEST": 1, "EventSourceArn=" + url.QueryEscape(topic): 1,
		"EventSourceArn=" + url.QueryEscape(topic) + "&FunctionName=hello": 0,
	} {
		var page struct{ EventSourceMappings []mappingConfiguration }
		if n.want(http.StatusOK, "GET", mappingsPath+"/?"+query, nil).into(t, &page); len(page.EventSourceMappings) != want {
			t.Errorf("%q lists %d, want %d", query, len(page.EventSourceMappings), want)
		}
	}
	seen, marker := map[string]bool{}, ""
	for range 2 {
		var page struct {
			EventSourceMappings []mappingConfiguration
			NextMarker          string
		}
		n.want(http.StatusOK, "GET", mappingsPath+"?MaxItems=1&Marker="+marker, nil).into(t, &page)
		marker = page.NextMarker
		for _, m := range page.EventSourceMappings {
			seen[m.UUID] = true
		}
	}
	if len(seen) != 2 || marker != "" {
		t.Errorf("pages have %v, then %q", seen, marker)
	}
	if r := n.want(http.StatusAccepted, "DELETE", mappingsPath+"/"+id, nil); r.text(t, "State") != "Deleting" || r.text(t, "UUID") != id {
		t.Errorf("deleted %s", r.body)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		n.refused(404, codeNotFound, "The resource you requested does not exist.", method, mappingsPath+"/"+id, nil)
	}
	if want := []string{id, id, id, id, topics.text(t, "UUID"), id}; !slices.Equal(slices.Sorted(slices.Values(changed)), slices.Sorted(slices.Values(want))) {
		t.Errorf("told of %v, want %v", changed, want)
	}
	changed = nil
	// A function takes its mappings with it.
	n.want(http.StatusNoContent, "DELETE", functions+"/other", nil)
	n.refused(404, codeNotFound, "does not exist", "GET", mappingsPath+"/"+topics.text(t, "UUID"), nil)
	if len(changed) != 1 || changed[0] != topics.text(t, "UUID") {
		t.Errorf("told of %v", changed)
	}
}

// TestBadMappings is the table of what a mapping may not be.
func TestBadMappings(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	feeding := n.want(http.StatusAccepted, "POST", mappingsPath, object{"FunctionName": "hello", "EventSourceArn": feed, "StartingPosition": "LATEST"}).text(t, "UUID")
	listening := n.want(http.StatusAccepted, "POST", mappingsPath, object{"FunctionName": "hello", "EventSourceArn": topic}).text(t, "UUID")
	n.refused(409, codeConflict, "already exists", "POST", mappingsPath, object{"FunctionName": "hello", "EventSourceArn": topic})
	for _, test := range []struct {
		name string
		body object
		code string
		says string
	}{
		{"no function", object{"EventSourceArn": feed}, codeValidation, "Value null at 'functionName'"},
		{"no source", object{"FunctionName": "hello"}, codeInvalid, "Unrecognized event source"},
		{"SQS", object{"FunctionName": "hello", "EventSourceArn": "arn:aws:sqs:eu-north-1:000000000000:q"}, codeInvalid, "Unrecognized event source, arn:aws:sqs:eu-north-1:000000000000:q is of sqs; the sources of this node are change feeds"},
		{"Kinesis", object{"FunctionName": "hello", "EventSourceArn": "arn:aws:kinesis:eu-north-1:000000000000:stream/s"}, codeInvalid, "is of kinesis"},
		{"table without stream", object{"FunctionName": "hello", "EventSourceArn": "arn:aws:dynamodb:eu-north-1:000000000000:table/orders"}, codeInvalid, "table/BUCKET/stream/LABEL"},
		{"no bucket", object{"FunctionName": "hello", "EventSourceArn": "arn:aws:dynamodb:eu-north-1:000000000000:table/-x/stream/LATEST"}, codeInvalid, "the bucket name"},
		{"bucket of another", object{"FunctionName": "hello", "EventSourceArn": "arn:aws:dynamodb:eu-north-1:000000000000:table/function.nobody/stream/LATEST", "StartingPosition": "LATEST"}, codeInvalid, "own, which no other sees"},
		{"no ARN", object{"FunctionName": "hello", "EventSourceArn": "orders"}, codeInvalid, "Unrecognized event source"},
		{"bad filter", object{"FunctionName": "hello", "EventSourceArn": "arn:aws:iot:eu-north-1:000000000000:topicfilter/a/#/b"}, codeInvalid, "topic filter"},
		{"Kafka", object{"FunctionName": "hello", "EventSourceArn": feed, "StartingPosition": "LATEST", "Topics": []string{"t"}}, codeInvalid, "Kafka"},
		{"feed without start", object{"FunctionName": "hello", "EventSourceArn": feed}, codeInvalid, "'startingPosition'"},
		{"feed from a time", object{"FunctionName": "hello", "EventSourceArn": feed, "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1}, codeInvalid, "Unsupported starting position"},
		{"unknown start", object{"FunctionName": "hello", "EventSourceArn": feed, "StartingPosition": "SOON"}, codeValidation, "startingPosition"},
		{"topic with a start", object{"FunctionName": "hello", "EventSourceArn": topic, "StartingPosition": "LATEST"}, codeInvalid, "they have no past"},
		{"tags", object{"FunctionName": "hello", "EventSourceArn": feed, "StartingPosition": "LATEST", "Tags": object{"aws:a": "b"}}, codeInvalid, "reserved"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n.t = t
			n.refused(400, test.code, test.says, "POST", mappingsPath, test.body)
		})
	}
	n.t = t
	n.refused(404, codeNotFound, "Function not found", "POST", mappingsPath, object{"FunctionName": "nobody", "EventSourceArn": topic})
	for _, test := range []struct {
		name, id string
		body     object
		code     string
		says     string
	}{
		{"batch of none", feeding, object{"BatchSize": 0}, codeValidation, "Value '0' at 'batchSize' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"huge batch", feeding, object{"BatchSize": 10001}, codeValidation, "batchSize"},
		{"batch of messages", listening, object{"BatchSize": 2}, codeValidation, "Member must have value less than or equal to 1"},
		{"long window", feeding, object{"MaximumBatchingWindowInSeconds": 301}, codeValidation, "maximumBatchingWindowInSeconds"},
		{"many retries", feeding, object{"MaximumRetryAttempts": 10001}, codeValidation, "maximumRetryAttempts"},
		{"retries of messages", listening, object{"MaximumRetryAttempts": 1}, codeInvalid, "maximumRetryAttempts is not valid for topics"},
		{"young records", feeding, object{"MaximumRecordAgeInSeconds": 59}, codeInvalid, "-1 or 60"},
		{"parallel", feeding, object{"ParallelizationFactor": 11}, codeValidation, "parallelizationFactor"},
		{"tumbling", feeding, object{"TumblingWindowInSeconds": 901}, codeValidation, "tumblingWindowInSeconds"},
		{"tumbling windows", feeding, object{"TumblingWindowInSeconds": 30}, codeInvalid, "TumblingWindowInSeconds is not supported"},
		{"bisected messages", listening, object{"BisectBatchOnFunctionError": true}, codeInvalid, "not valid for topics"},
		{"response type", feeding, object{"FunctionResponseTypes": []string{"All"}}, codeValidation, "functionResponseTypes"},
		{"pattern", feeding, object{"FilterCriteria": object{"Filters": []object{{"Pattern": "["}}}}, codeInvalid, "Invalid filter pattern definition."},
		{"null pattern", feeding, object{"FilterCriteria": object{"Filters": []object{{"Pattern": "null"}}}}, codeInvalid, "Invalid filter pattern definition."},
		{"many filters", feeding, object{"FilterCriteria": object{"Filters": make([]object, 6)}}, codeValidation, "filterCriteria.filters"},
		{"long pattern", feeding, object{"FilterCriteria": object{"Filters": []object{{"Pattern": strings.Repeat(" ", 4097)}}}}, codeValidation, "filterCriteria.filters.pattern"},
		{"on success", feeding, object{"DestinationConfig": object{"OnSuccess": object{"Destination": "arn"}}}, codeInvalid, "OnSuccess"},
		{"destination", feeding, object{"DestinationConfig": object{"OnFailure": object{"Destination": "arn:aws:sqs:eu-north-1:000000000000:q"}}}, codeInvalid, "not the ARN of a function"},
		{"scaling", feeding, object{"ScalingConfig": object{"MaximumConcurrency": 2}}, codeInvalid, "ScalingConfig"},
		{"metrics", feeding, object{"MetricsConfig": object{}}, codeInvalid, "CloudWatch"},
		{"KMS", feeding, object{"KMSKeyArn": "arn"}, codeInvalid, "KMS"},
		{"MQ", feeding, object{"Queues": []string{"q"}}, codeInvalid, "MQ"},
		{"DocumentDB", feeding, object{"DocumentDBEventSourceConfig": object{}}, codeInvalid, "DocumentDB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n.t = t
			before := string(n.want(http.StatusOK, "GET", mappingsPath+"/"+test.id, nil).body)
			n.refused(400, test.code, test.says, "PUT", mappingsPath+"/"+test.id, test.body)
			if after := string(n.want(http.StatusOK, "GET", mappingsPath+"/"+test.id, nil).body); after != before {
				t.Errorf("it changed from %s to %s", before, after)
			}
		})
	}
	n.t = t
	n.refused(404, codeNotFound, "Function not found", "PUT", mappingsPath+"/"+feeding, object{"FunctionName": "nobody"})
}
