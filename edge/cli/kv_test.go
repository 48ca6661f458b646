package cli

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stored answers with a value and its headers.
func stored(value string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		_, _ = io.WriteString(w, value)
	}
}

func TestKV(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/kv/orders/2026%2F17":              stored("\x00\xff", "ETag", `"17"`, "Last-Modified", "Mon, 23 Nov 2026 10:00:00 GMT", "Ledge-Expires", "2026-11-24T10:00:00.5Z"),
		"GET /v1/kv/orders/%2E%2E%2Fa":             stored("dots", "ETag", `"1"`),
		"GET /v1/kv/function.hello/n":              stored("42"),
		"GET /v1/kv/orders/none":                   failure(404, awsNotFound, "There is no key none in bucket orders."),
		"PUT /v1/kv/orders/k":                      stored("", "ETag", `"18"`),
		"PUT /v1/kv/orders/k?ttl=1m30s":            stored("", "ETag", `"19"`),
		"PUT /v1/kv/orders/large":                  failure(413, awsBodyTooLarge, "Request must be smaller than 1048576 bytes for the PutItem operation"),
		"PUT /v1/kv/orders/long":                   failure(413, awsTooLarge, "key has 1025 bytes, at most 1024"),
		"GET /v1/kv/function.nosuch/n":             failure(404, awsNotFound, "There is no function nosuch, or its bucket has never been written to."),
		"GET /v1/kv/function.nosuch/?limit=1000":   failure(404, awsNotFound, "There is no function nosuch, or its bucket has never been written to."),
		"PUT /v1/kv/orders/taken":                  failure(412, awsPrecondition, "nothing was written: key taken is there"),
		"DELETE /v1/kv/orders/a":                   reply(204, ""),
		"DELETE /v1/kv/orders/%FF":                 reply(204, ""),
		"DELETE /v1/kv/orders/none":                failure(404, awsNotFound, "There is no key none in bucket orders."),
		"POST /v1/kv/orders/n?increment=1":         stored("8"),
		"POST /v1/kv/orders/n?increment=-3&ttl=1s": stored("5"),
		"POST /v1/kv/orders/x?increment=1":         stored("eight"),
	})
	n.run("kv", "get", "--bucket", "orders", "2026/17").want(t, 0, "\x00\xff", "")
	n.run("kv", "get", "--bucket", "orders", "../a").want(t, 0, "dots", "")
	n.run("kv", "get", "--function", "hello", "n").want(t, 0, "42", "")
	n.run("kv", "get", "--bucket", "orders", "2026/17", "--json").want(t, 0, `{
  "Key": "2026/17",
  "ValueBase64": "AP8=",
  "Sequence": 17,
  "Modified": "2026-11-23T10:00:00Z",
  "Expires": "2026-11-24T10:00:00.5Z"
}
`, "")
	const missing = "ledge: There is no key none in bucket orders\n" +
		"  see which keys there are: ledge kv list --bucket orders; and which buckets: ledge kv buckets\n"
	n.run("kv", "get", "--bucket", "orders", "none").want(t, 1, "", missing)

	const nosuch = "ledge: There is no function nosuch, or its bucket has never been written to\n  "
	n.run("kv", "get", "--function", "nosuch", "n").want(t, 1, "", nosuch+"see which keys there are: ledge kv list --function nosuch; and which functions: ledge ls\n")
	n.run("kv", "list", "--function", "nosuch").want(t, 1, "", nosuch+"a bucket comes to be with its first key; see which functions there are: ledge ls\n")
	const tooLarge = "\n  a value has at most 1 MB and a key 1024 bytes: put what is larger under several keys\n"
	n.run("kv", "put", "--bucket", "orders", "large", "v").want(t, 1, "", "ledge: the value is larger than 1 MB"+tooLarge)
	n.run("kv", "put", "--bucket", "orders", "long", "v").want(t, 1, "", "ledge: key has 1025 bytes, at most 1024"+tooLarge)

	n.run("kv", "put", "--bucket", "orders", "k", "v").want(t, 0, "stored k, sequence 18\n", "")
	n.run("kv", "put", "--bucket", "orders", "k", "v", "--ttl", "90", "--json").want(t, 0, "{\n  \"Key\": \"k\",\n  \"Sequence\": 19\n}\n", "")
	if got := n.only("PUT /v1/kv/orders/k"); got.Body != "v" || got.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("sent %+v", got)
	}
	for flags, header := range map[string]string{"--if-absent": "If-None-Match=*", "--if-sequence=7": `If-Match="7"`} {
		n.run("kv", "put", "--bucket", "orders", "taken", "v", flags).want(t, 1, "",
			"ledge: nothing was written: key taken is there\n  see what it is: ledge kv get --bucket orders --json taken\n")
		name, value, _ := strings.Cut(header, "=")
		calls := n.calls()
		if got := calls[len(calls)-1].Header.Get(name); got != value {
			t.Errorf("%s: sent %s: %s", flags, name, got)
		}
	}

	n.run("kv", "delete", "--bucket", "orders", "a", "\xff", "none").want(t, 1, "removed a\nremoved \\xff\n", missing)
	n.run("kv", "delete", "--bucket", "orders", "\xff", "--json").want(t, 0, "{\n  \"Removed\": [\n    {\n      \"KeyBase64\": \"/w==\"\n    }\n  ]\n}\n", "")
	n.run("kv", "incr", "--bucket", "orders", "n").want(t, 0, "8\n", "")
	commandLine{args: []string{"kv", "incr", "--data", n.data, "--bucket", "orders", "--ttl", "1s", "--json", "--", "n", "-3"}}.run(t).want(t, 0, "{\n  \"Value\": 5\n}\n", "")
	n.run("kv", "incr", "--bucket", "orders", "x").want(t, 1, "", "*")
}

// TestKVPutSources: a value is text, a file or standard input, whatever is in it.
func TestKVPutSources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte("\x00file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"@" + file: "\x00file", "-": "\xffstdin", "": "", "text": "text"} {
		n := newNode(t, map[string]http.HandlerFunc{"PUT /v1/kv/b/k": stored("")})
		o := commandLine{args: []string{"kv", "put", "--data", n.data, "--bucket", "b", "k", value}, stdin: "\xffstdin"}.run(t)
		if o.exit != 0 || n.only("PUT /v1/kv/b/k").Body != want {
			t.Errorf("%q: exit %d, sent %q: %s", value, o.exit, n.only("PUT /v1/kv/b/k").Body, o.stderr)
		}
	}
}

func TestKVList(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/kv/b/?limit=1000&prefix=k%2F":                 reply(200, `{"Items":[{"Key":"k/1"},{"KeyBase64":"/w=="}],"More":true}`),
		"GET /v1/kv/b/?after=%FF&limit=998&prefix=k%2F":        reply(200, `{"Items":[{"Key":"k/2\u001b"}]}`),
		"GET /v1/kv/b/?from=a&limit=2&reverse=1&to=z&values=1": reply(200, `{"Items":[{"Key":"x","Value":"1"},{"Key":"a","ValueBase64":"/w=="}],"More":true}`),
		"GET /v1/kv/b/?limit=1000":                             reply(200, `{"Items":[]}`),
		"GET /v1/kv/none/?limit=1000":                          failure(404, awsNotFound, "There is no bucket none."),
		"GET /v1/kv/loop/?limit=1000":                          reply(200, `{"Items":[{"Key":"a"}],"More":true}`),
		"GET /v1/kv/loop/?after=a&limit=999":                   reply(200, `{"Items":[{"Key":"a"}],"More":true}`),
		"GET /v1/kv/empty/?limit=1000":                         reply(200, `{"Items":[],"More":true}`),
	})
	n.run("kv", "list", "--bucket", "b", "k/").want(t, 0, "k/1\n\\xff\nk/2\\x1b\n", "")
	n.run("kv", "list", "--bucket", "b", "--from", "a", "--to", "z", "--limit", "2", "--values", "--reverse").want(t, 0,
		"KEY  VALUE\nx    1\na    (1 B, not text)\n", "there are more: --limit N, or --after a\n")
	n.run("kv", "list", "--bucket", "b").want(t, 0, "", "no such keys in b\n")
	n.run("kv", "list", "--bucket", "b", "--json").want(t, 0, "{\n  \"Items\": [],\n  \"More\": false\n}\n", "")
	n.run("kv", "list", "--bucket", "none").want(t, 1, "", "ledge: There is no bucket none\n  a bucket comes to be with its first key; see which there are: ledge kv buckets\n")
	for _, bucket := range []string{"loop", "empty"} { // a node that repeats itself
		if o := n.run("kv", "list", "--bucket", bucket); o.exit != 1 || !strings.Contains(o.stderr, "is not one") {
			t.Errorf("%s: exit %d: %s", bucket, o.exit, o.stderr)
		}
	}
}

func TestKVBuckets(t *testing.T) {
	const orders = `{"Name":"orders","MaxBytes":67108864,"MaxKeys":100000,"Stream":true,"StreamBytes":33554432,"WhenFull":"reject","Keys":2,"Bytes":3000,"Sequence":9,"StreamOldest":3,"StreamNewest":9,"StreamUsed":2048}`
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/kv":           reply(200, `{"Buckets":[{"Name":"function.hello","Function":"hello","MaxBytes":1024,"MaxKeys":5},`+orders+`]}`),
		"GET /v1/kv/orders":    reply(200, orders),
		"PUT /v1/kv/orders":    reply(200, orders),
		"GET /v1/kv/none":      failure(404, awsNotFound, "There is no bucket none."),
		"DELETE /v1/kv/orders": reply(204, ""),
	})
	n.run("kv", "buckets").want(t, 0, ""+
		"BUCKET          KEYS  SIZE    QUOTA   STREAM\n"+
		"function.hello  0     0 B     1.0 KB  off\n"+
		"orders          2     2.9 KB  64 MB   2.0 KB of 32 MB\n", "")
	const described = "" +
		"bucket:       orders\nkeys:         2 of 100000\nsize:         2.9 KB of 64 MB\nsequence:     9\n" +
		"stream:       2.0 KB of 32 MB\nwhen full:    reject\nchanges:      3 to 9\n"
	n.run("kv", "bucket", "orders").want(t, 0, described, "")
	n.run("kv", "bucket", "orders", "--quota", "64MB", "--keys", "5", "--stream", "off", "--stream-quota", "1MB", "--when-full", "drop-oldest").want(t, 0, described, "")
	if got, want := n.only("PUT /v1/kv/orders").Body, `{"MaxBytes":67108864,"MaxKeys":5,"Stream":false,"StreamBytes":1048576,"WhenFull":"drop-oldest"}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	n.run("kv", "bucket", "none").want(t, 1, "", "ledge: There is no bucket none\n  see which buckets there are: ledge kv buckets\n")
	n.run("kv", "drop", "orders", "none").want(t, 1, "removed orders\n", "ledge: there is no bucket none\n  see which there are: ledge kv buckets\n")
	commandLine{args: []string{"__complete", "--data", n.data, "kv", "get", "--bucket", ""}}.run(t).want(t, 0, "orders\n:4\n", "*")
	commandLine{args: []string{"__complete", "--data", n.data, "kv", "bucket", ""}}.run(t).want(t, 0, "function.hello\norders\n:4\n", "*")

	none := newNode(t, map[string]http.HandlerFunc{"GET /v1/kv": reply(200, `{"Buckets":[]}`)})
	none.run("kv", "buckets").want(t, 0, "", "no buckets yet; the first key makes one: ledge kv put --bucket NAME KEY VALUE\n")
}

// TestKVUsage: what cannot be meant is refused before the node is asked.
func TestKVUsage(t *testing.T) {
	n := newNode(t, nil)
	for _, args := range []string{
		"get k", "get --bucket a --function b k", "get --bucket a", "get --bucket a/b k", "get --bucket .. k", "get --function a/b k", "get --bucket a k l",
		"put --bucket a k", "put --bucket a k v --if-absent --if-sequence 3", "put --bucket a k v --ttl soon", "put --bucket a k v --ttl 0",
		"put --bucket a k v --if-sequence 0", "put --bucket a k v --if-sequence -1", "put --bucket a k v --if-sequence=", "delete --bucket a k --if-sequence 0",
		"delete --bucket a", "delete --bucket a k l --if-sequence 3", "incr --bucket a k one", "incr --bucket a k 1 2",
		"list --bucket a --limit 0", "list --bucket a --limit 100001", "list --bucket a p q", "list",
		"buckets x", "bucket", "bucket a/b", "bucket a --quota x", "bucket a --keys 0", "bucket a --stream yes", "bucket a --when-full explode", "drop", "drop a b/c",
		"nothing",
	} {
		if o := n.run(append([]string{"kv"}, strings.Fields(args)...)...); o.exit != 2 {
			t.Errorf("kv %s: exit %d: %s", args, o.exit, o.stderr)
		}
	}
	for _, key := range [][]string{{"get", ""}, {"put", "", "v"}, {"delete", "k", ""}, {"incr", ""}} {
		if o := n.run(append([]string{"kv", "--bucket", "b"}, key...)...); o.exit != 2 {
			t.Errorf("kv %q: exit %d: %s", key, o.exit, o.stderr)
		}
	}
}

func TestInvokeWithOrder(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"POST /v1/queue/hello?Qualifier=live&dedup=d&delay=90&order=o%2F1&priority=9": reply(202, `{"RequestId":"id-1"}`),
		"POST /v1/queue/hello?dedup=d": reply(202, `{"RequestId":"id-1","Duplicate":true}`),
		"POST /v1/queue/none?dedup=d":  failure(404, awsNotFound, "Function not found"),
	})
	n.run("invoke", "hello:live", "--async", "--payload", "{}", "--order-key", "o/1", "--dedup-id", "d", "--priority", "9", "--delay", "90s").want(t, 0,
		"queued as id-1; see what comes of it: ledge logs hello\n", "")
	n.run("invoke", "hello", "--async", "--dedup-id", "d").want(t, 0, "was queued before, as id-1; see what comes of it: ledge logs hello\n", "")
	n.run("invoke", "hello", "--async", "--dedup-id", "d", "--json").want(t, 0, "{\n  \"StatusCode\": 202,\n  \"RequestID\": \"id-1\",\n  \"Payload\": null,\n  \"Duplicate\": true\n}\n", "")
	n.run("invoke", "none", "--async", "--dedup-id", "d").want(t, 1, "", "*")
	for _, args := range []string{"--dedup-id d", "--async --priority 10", "--async --priority -1", "--async --delay soon", "--async --delay 1.5s", "--async --dedup-id="} {
		if o := n.run(append([]string{"invoke", "hello"}, strings.Fields(args)...)...); o.exit != 2 {
			t.Errorf("invoke %s: exit %d: %s", args, o.exit, o.stderr)
		}
	}
}
