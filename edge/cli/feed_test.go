package cli

import (
	"net/http"
	"strings"
	"testing"
)

const (
	oneFeed  = "0b8a7c1e-6a35-4d77-90cb-0eab67c7b59a"
	twoFeed  = "1b8a7c1e-6a35-4d77-90cb-0eab67c7b59a"
	lostFeed = "9b8a7c1e-6a35-4d77-90cb-0eab67c7b59a"

	someFeeds = `{"Feeds":[
		{"UUID":"` + oneFeed + `","Function":"hello","Qualifier":"live","Bucket":"orders","State":"Enabled","LagRecords":0,"Delivered":7,"GivenUp":0,"LastResult":"OK","Lanes":[{"Passed":7}]},
		{"UUID":"` + twoFeed + `","Function":"other","Bucket":"function.other","State":"Enabling","LagRecords":12,"LagSeconds":90.4,"Delivered":1,"GivenUp":2,"Lost":3,"Failures":4,"LastError":"boom\u001b","LastResult":"PROBLEM: Function call failed: boom","Lanes":[]}]}`
)

func TestFeeds(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/feeds": reply(200, someFeeds),
		"GET " + pathMappings + "/" + oneFeed: reply(200, `{"UUID":"`+oneFeed+`","State":"Enabled","EventSourceArn":"arn:aws:dynamodb:r:0:table/orders/stream/LATEST",
			"FunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:hello:live","LastProcessingResult":"OK","StartingPosition":"LATEST","BatchSize":100,"MaximumRetryAttempts":-1}`),
		"GET " + pathMappings + "/" + twoFeed: reply(200, `{"UUID":"`+twoFeed+`","State":"Enabling","StateTransitionReason":"Waiting","FunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:other",
			"StartingPosition":"TRIM_HORIZON","BatchSize":5,"MaximumBatchingWindowInSeconds":7,"ParallelizationFactor":3,"MaximumRetryAttempts":0,"MaximumRecordAgeInSeconds":60,"BisectBatchOnFunctionError":true,
			"FunctionResponseTypes":["ReportBatchItemFailures"],"FilterCriteria":{"Filters":[{"Pattern":"{\"eventName\":[\"INSERT\"]}"}]},
			"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:lambda:us-east-1:000000000000:function:rescue"}}}`),
		"GET " + pathMappings + "/" + lostFeed:    failure(404, awsNotFound, "The resource you requested does not exist."),
		"PUT " + pathMappings + "/" + oneFeed:     reply(202, `{}`),
		"PUT " + pathMappings + "/" + lostFeed:    failure(404, awsNotFound, "The resource you requested does not exist."),
		"DELETE " + pathMappings + "/" + oneFeed:  reply(202, `{}`),
		"DELETE " + pathMappings + "/" + lostFeed: failure(404, awsNotFound, "The resource you requested does not exist."),
	})
	n.run("feed", "ls").want(t, 0, ""+
		"FEED                                  BUCKET          FUNCTION    STATE     WAITING    DELIVERED  GIVEN UP  LAST RESULT\n"+
		oneFeed+"  orders          hello:live  Enabled   none       7          0         OK\n"+
		twoFeed+"  function.other  other       Enabling  12, 1m30s  1          2         PROBLEM: Function call failed: boom\n", "")
	if o := n.run("feed", "ls", "--json"); o.exit != 0 || !strings.Contains(o.stdout, `"LagSeconds": 90.4`) {
		t.Errorf("exit %d: %s", o.exit, o.stdout)
	}
	n.run("feed", "get", oneFeed).want(t, 0, ""+
		"Feed:         "+oneFeed+"\n"+
		"Source:       arn:aws:dynamodb:r:0:table/orders/stream/LATEST\n"+
		"Function:     hello:live\n"+
		"State:        Enabled\n"+
		"Last result:  OK\n"+
		"Start:        newest\n"+
		"Batch:        up to 100 changes\n"+
		"On error:     retries for a day\n"+
		"Waiting:      none\n"+
		"Delivered:    7\n"+
		"Given up:     0\n", "")
	n.run("feed", "get", twoFeed).want(t, 0, ""+
		"Feed:         "+twoFeed+"\n"+
		"Function:     other\n"+
		"State:        Enabling\n"+
		"Why:          Waiting\n"+
		"Start:        oldest\n"+
		"Batch:        up to 5 changes, or those of 7 s, 3 at a time\n"+
		"On error:     0 retries, changes up to 1m0s old, smaller batches, what the function reports as failed, then to rescue\n"+
		"Filter:       {\"eventName\":[\"INSERT\"]}\n"+
		"Waiting:      12, 1m30s\n"+
		"Delivered:    1\n"+
		"Given up:     2\n"+
		"Lost:         3\n"+
		"Failing:      4 times in a row: boom\\x1b\n", "")
	const missing = "ledge: there is no feed " + lostFeed + "\n  see which there are: ledge feed ls\n"
	n.run("feed", "get", lostFeed).want(t, 1, "", missing)
	n.run("feed", "pause", oneFeed, lostFeed).want(t, 1, "paused "+oneFeed+"\n", missing)
	if got := n.only("PUT " + pathMappings + "/" + oneFeed).Body; got != `{"Enabled":false}` {
		t.Errorf("sent %s", got)
	}
	n.run("feed", "resume", oneFeed).want(t, 0, "resumed "+oneFeed+"\n", "")
	if calls := n.calls(); calls[len(calls)-1].Body != `{"Enabled":true}` {
		t.Errorf("sent %v", calls[len(calls)-1])
	}
	n.run("feed", "rm", oneFeed, lostFeed).want(t, 1, "removed "+oneFeed+"\n", missing)
	for _, command := range []string{"get", "pause", "resume", "rm"} {
		for _, bad := range []string{"x", "../../v1/keys", ""} {
			if o := n.run("feed", command, bad); o.exit != 2 {
				t.Errorf("%s %q: exit %d: %s", command, bad, o.exit, o.stderr)
			}
		}
	}
	commandLine{args: []string{"__complete", "--data", n.data, "feed", "rm", ""}}.run(t).want(t, 0, oneFeed+"\n"+twoFeed+"\n:4\n", "*")
}

func TestNoFeeds(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{"GET /v1/feeds": reply(200, `{"Feeds":[]}`)})
	n.run("feed", "ls").want(t, 0, "", "no feeds; make one with: ledge feed add FUNCTION BUCKET\n")
}

// TestFeedGetRestricted: a key that may not see all feeds sees the one it may.
func TestFeedGetRestricted(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET " + pathMappings + "/" + oneFeed: reply(200, `{"UUID":"`+oneFeed+`","State":"Enabled","BatchSize":1}`),
		"GET /v1/feeds":                       failure(403, "AccessDeniedException", "no"),
	})
	if o := n.run("feed", "get", oneFeed); o.exit != 0 || !strings.Contains(o.stdout, "Enabled") {
		t.Errorf("exit %d: %s%s", o.exit, o.stdout, o.stderr)
	}
}

func TestFeedAdd(t *testing.T) {
	const source = `"EventSourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/LATEST"`
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"hello", "orders"}, `{"FunctionName":"hello",` + source + `,"StartingPosition":"LATEST"}`},
		{[]string{"hello:live", "orders/new/", "--start", "oldest", "--batch", "10", "--window", "1m", "--retries", "-1", "--max-age", "2h", "--bisect", "--partial", "--parallel", "4", "--on-failure", "rescue"},
			`{"FunctionName":"hello:live",` + source + `,"StartingPosition":"TRIM_HORIZON","BatchSize":10,"MaximumBatchingWindowInSeconds":60,"MaximumRetryAttempts":-1,"MaximumRecordAgeInSeconds":7200,` +
				`"ParallelizationFactor":4,"BisectBatchOnFunctionError":true,"FunctionResponseTypes":["ReportBatchItemFailures"],` +
				`"FilterCriteria":{"Filters":[{"Pattern":"{\"dynamodb\":{\"Keys\":{\"key\":{\"S\":[{\"prefix\":\"new/\"}]}}}}"}]},` +
				`"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:lambda:us-east-1:000000000000:function:rescue"}}}`},
		{[]string{"hello", "orders", "--retries", "0", "--filter", `{"eventName":["INSERT"]}`, "--filter", `not JSON`},
			`{"FunctionName":"hello",` + source + `,"StartingPosition":"LATEST","MaximumRetryAttempts":0,"FilterCriteria":{"Filters":[{"Pattern":"{\"eventName\":[\"INSERT\"]}"},{"Pattern":"not JSON"}]}}`},
		{[]string{"hello", "orders/a&b", "--filter", `{"eventName":["INSERT"],"dynamodb":{"NewImage":{"value":{"N":[{"numeric":[">",9007199254740993]}]}}}}`},
			`{"FunctionName":"hello",` + source + `,"StartingPosition":"LATEST","FilterCriteria":{"Filters":[{"Pattern":"{\"dynamodb\":{\"Keys\":{\"key\":{\"S\":[{\"prefix\":\"a\u0026b\"}]}},` +
				`\"NewImage\":{\"value\":{\"N\":[{\"numeric\":[\"\u003e\",9007199254740993]}]}}},\"eventName\":[\"INSERT\"]}"}]}}`},
	} {
		n := newNode(t, map[string]http.HandlerFunc{"POST " + pathMappings: reply(202, `{"UUID":"`+oneFeed+`"}`)})
		n.run(append([]string{"feed", "add"}, test.args...)...).want(t, 0, "added feed "+oneFeed+"\n", "")
		if got := n.only("POST " + pathMappings).Body; got != test.want {
			t.Errorf("%q sent\n%s\nwant\n%s", test.args, got, test.want)
		}
	}
	n := newNode(t, map[string]http.HandlerFunc{"POST " + pathMappings: failure(409, awsConflict, "exists.")})
	n.run("feed", "add", "hello", "orders").want(t, 1, "", "ledge: exists\n  see it with: ledge feed ls; a bucket feeds a function once, with up to five filters\n")
	for flag, why := range map[string]string{
		"--batch=x":                    `--batch: "x" is not a whole number`,
		"--batch=99999999999999999999": `--batch: "99999999999999999999" is too large or too small a number`,
		"--bisect=perhaps":             `--bisect: "perhaps" is neither true nor false`,
		"--batch=0":                    "--batch: 0 is not from 1 to 10000",
		"--parallel=11":                "--parallel: 11 is not from 1 to 10",
		"--retries=-2":                 "--retries: -2 is not from -1 to 10000",
		"--window=10m":                 "--window: 10m is not from 0s to 5m",
		"--max-age=5s":                 "--max-age: 5s is not from 1m to 168h",
	} {
		if o := n.run("feed", "add", "hello", "orders", flag); o.exit != 2 || !strings.HasPrefix(o.stderr, "ledge: "+why+"\n") {
			t.Errorf("%s: exit %d: %s", flag, o.exit, o.stderr)
		}
	}
	if o := n.run("queue", "batch", "hello", "5", "--window", "soon"); o.exit != 2 || !strings.HasPrefix(o.stderr, `ledge: --window: "soon" is not a duration; `) {
		t.Errorf("exit %d: %s", o.exit, o.stderr)
	}
	n = newNode(t, map[string]http.HandlerFunc{"POST " + pathMappings: failure(404, awsNotFound, "Function not found")})
	n.run("feed", "add", "gone", "orders").want(t, 1, "", "ledge: function gone not found\n  see what is there: ledge ls\n")
	for _, bad := range [][]string{
		{"hello"}, {"hello", ""}, {"hello", "/x"}, {"hello", "-x"}, {"../x", "orders"}, {"hello", "orders", "--start", "now"}, {"hello", "orders", "--window", "1.5s"},
		{"hello", "orders", "--batch", "0"}, {"hello", "orders", "--batch", "10001"}, {"hello", "orders", "--batch", "x"}, {"hello", "orders", "--parallel", "11"},
		{"hello", "orders", "--retries", "-2"}, {"hello", "orders", "--window", "10m"}, {"hello", "orders", "--max-age", "5s"}, {"hello", "orders", "--max-age", "169h"},
		{"hello", "orders", "--max-age", "old"}, {"hello", "orders", "--on-failure", "a b"}, {"hello", "orders/x", "--filter", "["}, {"hello", "orders/x", "--filter", "null"},
		{"hello", "orders/x", "--filter", `{"dynamodb":1}`}, {"hello", "orders/x", "--filter", `{"dynamodb":{"Keys":{"key":{"S":["y"]}}}}`},
	} {
		if o := n.run(append([]string{"feed", "add"}, bad...)...); o.exit != 2 {
			t.Errorf("%q: exit %d: %s", bad, o.exit, o.stderr)
		}
	}
}
