package awsapi

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/sigv4"
	"ledge/persist"
)

func TestItems(t *testing.T) {
	n := newNode(t)
	n.refused(404, codeNotFound, "no bucket orders", "GET", "/v1/kv/orders", nil)
	n.refused(404, codeNotFound, "no bucket orders", "GET", "/v1/kv/orders/", nil)
	n.refused(404, codeNotFound, `no key \"a\"`, "GET", "/v1/kv/orders/a", nil)

	r := n.want(201, "PUT", "/v1/kv/orders/a", "\x00\xff")
	if r.Header.Get("ETag") != `"1"` || len(r.body) != 0 {
		t.Errorf("put: ETag %s, body %q", r.Header.Get("ETag"), r.body)
	}
	r = n.want(200, "GET", "/v1/kv/orders/a", nil)
	if h := r.Header; string(r.body) != "\x00\xff" || h.Get("ETag") != `"1"` || h.Get("Last-Modified") == "" || h.Get(expiresHeader) != "" ||
		h.Get("Content-Type") != "application/octet-stream" || h.Get("Cache-Control") != "no-cache" {
		t.Errorf("got %q with %v", r.body, h)
	}
	if r := n.want(200, "HEAD", "/v1/kv/orders/a", nil); r.ContentLength != 2 || len(r.body) != 0 {
		t.Errorf("HEAD: %d bytes, body %q", r.ContentLength, r.body)
	}
	n.want(304, "GET", "/v1/kv/orders/a", nil, "If-None-Match", `"7", W/"1"`)
	n.want(200, "GET", "/v1/kv/orders/a", nil, "If-None-Match", `"7"`)

	// An empty value is a value.
	n.want(204, "PUT", "/v1/kv/orders/a?ttl=90", "")
	r = n.want(200, "GET", "/v1/kv/orders/a", nil)
	if len(r.body) != 0 || r.Header.Get(expiresHeader) == "" {
		t.Errorf("got %q with %v", r.body, r.Header)
	}
	for _, ttl := range []string{"", "x", "0", "-1s", "1000000h"} {
		n.refused(400, codeInvalid, "ttl", "PUT", "/v1/kv/orders/a?ttl="+ttl, "v")
	}

	n.want(200, "POST", "/v1/kv/orders/n?increment=40", nil)
	if r := n.want(200, "POST", "/v1/kv/orders/n?increment=2", nil); string(r.body) != "42" {
		t.Errorf("incremented to %q", r.body)
	}
	n.refused(400, codeInvalid, "whole number", "POST", "/v1/kv/orders/n", nil)
	n.refused(400, codeInvalid, "whole number", "POST", "/v1/kv/orders/n?increment=1.5", nil)
	n.refused(400, codeInvalid, "cannot be incremented", "POST", "/v1/kv/orders/a?increment=1", nil)

	n.want(204, "DELETE", "/v1/kv/orders/a", nil)
	n.refused(404, codeNotFound, "no key", "DELETE", "/v1/kv/orders/a", nil)

	n.want(201, "PUT", "/v1/kv/orders/big", bytes.Repeat([]byte("x"), persist.MaxValueBytes))
	n.refused(413, codeEntityTooLarge, "PutItem", "PUT", "/v1/kv/orders/big", bytes.Repeat([]byte("x"), persist.MaxValueBytes+1))
	n.refused(413, codeTooLarge, "key", "PUT", "/v1/kv/orders/"+strings.Repeat("k", persist.MaxKeyBytes+1), "")
	for _, bad := range []string{"-x", "a%20b", "a%2Fb", "function.", strings.Repeat("b", 64)} {
		n.refused(400, codeInvalid, "", "PUT", "/v1/kv/"+bad+"/k", "v")
	}
	n.refused(404, codeNotFound, "no function nobody", "PUT", "/v1/kv/function.nobody/k", "v")
	n.create("hello")
	n.want(201, "PUT", "/v1/kv/function.hello/k", "v")
}

func TestItemPreconditions(t *testing.T) {
	n := newNode(t)
	n.want(201, "PUT", "/v1/kv/b/there", "1", "If-None-Match", "*")
	for _, test := range []struct {
		key, header, value string
		status             int
	}{
		{"there", "If-None-Match", "*", 412},
		{"there", "If-None-Match", `"1"`, 400},
		{"there", "If-Match", `"2"`, 412},
		{"there", "If-Match", `W/"1"`, 412},
		{"there", "If-Match", `"0"`, 412},
		{"there", "If-Match", `"01"`, 412},
		{"there", "If-Match", `"x"`, 412},
		{"there", "If-Match", `1`, 400},
		{"there", "If-Match", ``, 400},
		{"there", "If-None-Match", ``, 400},
		{"there", "If-Match", `"1", "2"`, 400},
		{"there", "If-Unmodified-Since", "Thu, 01 Jan 2026 00:00:00 GMT", 400},
		{"absent", "If-Match", "*", 412},
		{"absent", "If-Match", `"0"`, 412}, // it would be the store's "is absent"
		{"absent", "If-Match", `"1"`, 412},
	} {
		n.unchanged(func() { n.want(test.status, "PUT", "/v1/kv/b/"+test.key, "2", test.header, test.value) })
		n.want(test.status, "DELETE", "/v1/kv/b/"+test.key, nil, test.header, test.value)
		n.want(test.status, "POST", "/v1/kv/b/"+test.key+"?increment=1", nil, test.header, test.value)
	}
	n.want(400, "PUT", "/v1/kv/b/there", "2", "If-Match", "*", "If-None-Match", "*")
	if r := n.want(200, "GET", "/v1/kv/b/there", nil); string(r.body) != "1" || r.Header.Get("ETag") != `"1"` {
		t.Errorf("what was refused changed the key to %q %s", r.body, r.Header.Get("ETag"))
	}
	r := n.want(204, "PUT", "/v1/kv/b/there", "2", "If-Match", `"1"`)
	r = n.want(200, "POST", "/v1/kv/b/there?increment=3", nil, "If-Match", r.Header.Get("ETag"))
	if string(r.body) != "5" {
		t.Errorf("incremented to %s", r.body)
	}
	n.refused(412, codePrecondition, `key \"there\" of bucket b has sequence 3 and not 1`, "PUT", "/v1/kv/b/there", "2", "If-Match", `"1"`)
	n.want(204, "DELETE", "/v1/kv/b/there", nil, "If-Match", "*")
}

// oddKeys are keys that paths, JSON and people could change, by how a path says
// them.
var oddKeys = map[string]string{
	"a//b": "a//b", "/": "%2F", "a%2Fb": "a%252Fb", "a/b": "a%2Fb", "//": "//", "a/": "a/", "/a": "/a",
	".": ".", "..": "..", "../../version": "../../version", "a/../b": "a/../b", "a/./b": "a/./b", "...": "...",
	" ": "%20", "+": "+", "a b": "a%20b", "é": "%C3%A9", "\x00": "%00", "\xff\xfe": "%FF%FE", "%": "%25", "?": "%3F", "#": "%23",
	"a?b=c": "a%3Fb=c", "{key}": "%7Bkey%7D", "a\r\nb": "a%0D%0Ab", `"`: "%22", "..%2F": "..%252F", "$": "$", ":increment": ":increment",
}

// escapeKey writes a key as one segment of a path, every byte of it percent-encoded.
func escapeKey(key string) string {
	var b strings.Builder
	for i := range len(key) {
		fmt.Fprintf(&b, "%%%02X", key[i])
	}
	return b.String()
}

// TestOddKeys: a key arrives as it is, however much of it is percent-encoded.
func TestOddKeys(t *testing.T) {
	n := newNode(t)
	// http.Client would clean some of these paths, as curl does without --path-as-is.
	do := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", strings.NewReader(body))
		r.RequestURI = path
		address, err := url.ParseRequestURI(path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		r.URL = address
		w := httptest.NewRecorder()
		n.handler.ServeHTTP(w, r)
		return w
	}
	for key, path := range oddKeys {
		if w := do("PUT", "/v1/kv/b/"+path, key); w.Code != 201 {
			t.Fatalf("PUT %q as %s: %d %s", key, path, w.Code, w.Body)
		}
	}
	for key, path := range oddKeys {
		for _, as := range []string{path, escapeKey(key)} {
			if w := do("GET", "/v1/kv/b/"+as, ""); w.Code != 200 || w.Body.String() != key {
				t.Errorf("GET %q as %s: %d %q", key, as, w.Code, w.Body)
			}
		}
	}
	var list struct{ Items []item }
	n.want(200, "GET", "/v1/kv/b/", nil).into(t, &list)
	var got, want []string
	for _, i := range list.Items {
		got = append(got, i.Key+string(i.KeyBase64))
	}
	for key := range oddKeys {
		want = append(want, key)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("listed %q\nwant %q", got, want)
	}
	for key, path := range oddKeys {
		if w := do("DELETE", "/v1/kv/b/"+path, ""); w.Code != 204 {
			t.Errorf("DELETE %q as %s: %d %s", key, path, w.Code, w.Body)
		}
	}

	// What has lost its bucket or its key must not become another one's.
	n.want(201, "PUT", "/v1/kv/k/v", "1")
	for _, path := range []string{"/v1/kv//k", "/v1/kv/./k", "/v1/kv/../k", "/v1/kv/k/", "/v1/kv//", "/v1/kv//k/"} {
		for _, method := range []string{"DELETE", "PUT"} {
			if w := do(method, path, "{}"); w.Code/100 == 2 || w.Code/100 == 3 {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Header().Get("Location"))
			}
		}
	}
	n.want(200, "GET", "/v1/kv/k/v", nil)
}

func TestListItems(t *testing.T) {
	n := newNode(t)
	for i := range 5 {
		n.want(201, "PUT", fmt.Sprintf("/v1/kv/b/k%d", i), fmt.Sprint("v", i))
	}
	n.want(201, "PUT", "/v1/kv/b/%FF", "\xfe")
	for query, want := range map[string]string{
		"":                          `k0 k1 k2 k3 k4 base64:/w==`,
		"prefix=k&limit=2":          `k0 k1 more`,
		"prefix=k&limit=2&after=k1": `k2 k3 more`,
		"prefix=k&limit=2&after=k3": `k4`,
		"from=k1&to=k3&values=1":    `k1=v1 k2=v2`,
		"reverse=1&limit=2":         `base64:/w== k4 more`,
		"after=%FF&reverse=true":    `k4 k3 k2 k1 k0`,
		"prefix=%FF&values=true":    `base64:/w===base64:/g==`,
		"prefix=none":               ``,
	} {
		var list struct {
			Items []map[string]any
			More  bool
		}
		n.want(200, "GET", "/v1/kv/b/?"+query, nil).into(t, &list)
		var got []string
		text := func(i map[string]any, name string) string {
			if encoded, ok := i[name+"Base64"]; ok {
				return fmt.Sprint("base64:", encoded)
			}
			return fmt.Sprint(i[name])
		}
		for _, i := range list.Items {
			word := text(i, "Key")
			if strings.Contains(query, "values") {
				word += "=" + text(i, "Value")
			} else if i["Value"] != nil || i["ValueBase64"] != nil {
				t.Errorf("%s: a value that nobody asked for: %v", query, i)
			}
			got = append(got, word)
		}
		if list.More {
			got = append(got, "more")
		}
		if list.Items == nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	for _, bad := range []string{"limit=0", "limit=x", "limit=10001", "values=yes", "reverse=2"} {
		n.refused(400, codeInvalid, strings.Split(bad, "=")[0], "GET", "/v1/kv/b/?"+bad, nil)
	}
}

func TestBuckets(t *testing.T) {
	n := newNode(t)
	if r := n.want(200, "GET", "/v1/kv", nil); string(r.body) != `{"Buckets":[]}` {
		t.Errorf("at first there are %s", r.body)
	}
	var b dataBucket
	n.want(200, "PUT", "/v1/kv/b", object{"MaxBytes": 1 << 20, "Stream": true}).into(t, &b)
	if b.Name != "b" || b.MaxBytes != 1<<20 || !b.Stream || b.MaxKeys != persist.DefaultBucketKeys || b.WhenFull != "reject" || b.Created.IsZero() {
		t.Errorf("made %+v", b)
	}
	n.want(200, "PUT", "/v1/kv/b", object{"MaxKeys": 1, "WhenFull": "drop-oldest"}).into(t, &b)
	if b.MaxBytes != 1<<20 || !b.Stream || b.MaxKeys != 1 || b.WhenFull != "drop-oldest" {
		t.Errorf("changed to %+v", b)
	}
	n.want(201, "PUT", "/v1/kv/b/k", "v")
	n.refused(400, codeLimitExceeded, "bucket b is full", "PUT", "/v1/kv/b/l", "v")
	n.want(200, "GET", "/v1/kv/b", nil).into(t, &b)
	if b.Keys != 1 || b.Bytes == 0 || b.Sequence != 1 || b.StreamNewest != 1 {
		t.Errorf("with a key it is %+v", b)
	}
	n.want(200, "PUT", "/v1/kv/s", object{"Stream": true, "StreamBytes": 100})
	n.refused(400, codeLimitExceeded, "stream of bucket s", "PUT", "/v1/kv/s/k", strings.Repeat("v", 100))
	n.want(204, "DELETE", "/v1/kv/s", nil)
	n.refused(400, codeInvalid, "", "PUT", "/v1/kv/b", object{"WhenFull": "explode"})
	n.refused(400, codeContent, "MaxKeys", "PUT", "/v1/kv/b", object{"MaxKeys": "many"})
	n.refused(400, codeInvalid, "", "PUT", "/v1/kv/-b", object{})
	n.refused(404, codeNotFound, "function nobody", "PUT", "/v1/kv/function.nobody", object{})
	n.create("hello")
	n.want(200, "PUT", "/v1/kv/function.hello", object{})
	var list struct{ Buckets []dataBucket }
	n.want(200, "GET", "/v1/kv/", nil).into(t, &list)
	if len(list.Buckets) != 2 || list.Buckets[0].Name != "b" || list.Buckets[1].Function != "hello" {
		t.Errorf("there are %+v", list.Buckets)
	}
	n.want(204, "DELETE", "/v1/kv/b", nil)
	n.refused(404, codeNotFound, "no bucket b", "DELETE", "/v1/kv/b", nil)
	n.refused(405, "MethodNotAllowedException", "", "PATCH", "/v1/kv/b", nil)
	n.refused(405, "MethodNotAllowedException", "of /v1/kv/b/the/k;", "PATCH", "/v1/kv/b/the/k", nil) // and not of what the mux sees

	n.api.Data = nil
	n.refused(501, "NotImplementedException", "without data", "GET", "/v1/kv", nil)
}

func TestTransact(t *testing.T) {
	n := newNode(t)
	n.want(201, "PUT", "/v1/kv/a/there", "1")
	writes := func(all ...object) object { return object{"Writes": all} }
	var done struct{ Written []dataWritten }
	n.want(200, "POST", "/v1/kv", writes(
		object{"Bucket": "a", "Key": "there", "Increment": 4, "IfValue": "1"},
		object{"Bucket": "b", "Key": "text", "Value": "", "IfAbsent": true},
		object{"Bucket": "b", "KeyBase64": []byte("\xff"), "ValueBase64": []byte("\xfe"), "TTL": "1h"},
		object{"Bucket": "b", "Key": "none", "Check": true, "IfSequence": 0},
	)).into(t, &done)
	if w := done.Written; len(w) != 4 || w[0].Value != "5" || !w[0].Existed || w[1].Existed || w[2].Sequence != 2 {
		t.Fatalf("written %+v", w)
	}
	if r := n.want(200, "GET", "/v1/kv/b/%FF", nil); string(r.body) != "\xfe" || r.Header.Get(expiresHeader) == "" {
		t.Errorf("stored %q, expires %s", r.body, r.Header.Get(expiresHeader))
	}
	if r := n.want(200, "GET", "/v1/kv/b/text", nil); len(r.body) != 0 {
		t.Errorf("stored %q", r.body)
	}
	put := object{"Bucket": "a", "Key": "new", "Value": "v"}
	for _, test := range []struct {
		status int
		says   string
		body   object
	}{
		{412, "there", writes(put, object{"Bucket": "a", "Key": "there", "Delete": true, "IfAbsent": true})},
		{412, "absent", writes(put, object{"Bucket": "a", "Key": "absent", "Check": true, "IfPresent": true})},
		{400, "not 0", writes()},
		{400, "not 101", writes(slices.Repeat([]object{put}, 101)...)},
		{400, "Writes[1]", writes(put, object{"Bucket": "-", "Key": "k", "Value": "v"})},
		{400, "exactly one", writes(put, object{"Bucket": "a", "Key": "k"})},
		{400, "exactly one", writes(put, object{"Bucket": "a", "Key": "k", "Value": "v", "Delete": true})},
		{400, "KeyBase64", writes(put, object{"Bucket": "a", "Key": "k", "KeyBase64": []byte("k"), "Value": "v"})},
		{400, "several preconditions", writes(put, object{"Bucket": "a", "Key": "k", "Value": "v", "IfAbsent": true, "IfPresent": true})},
		{400, "needs a precondition", writes(put, object{"Bucket": "a", "Key": "k", "Check": true})},
		{400, "TTL", writes(put, object{"Bucket": "a", "Key": "k", "Delete": true, "TTL": "5"})},
		{400, "ttl", writes(put, object{"Bucket": "a", "Key": "k", "Value": "v", "TTL": "soon"})},
		{400, "empty", writes(put, object{"Bucket": "a", "Value": "v"})},
		{400, "same key", writes(put, put)},
		{400, "IfAbsnt", writes(put, object{"Bucket": "a", "Key": "k", "Value": "v", "IfAbsnt": true})},
		{400, "IfSequence", writes(put, object{"Bucket": "a", "Key": "k", "Value": "v", "IfSequence": "1"})},
		{400, "base64", object{"Writes": []object{{"Bucket": "a", "Key": "k", "ValueBase64": "!"}}}},
	} {
		code := codeInvalid
		if test.status == 412 {
			code = codePrecondition
		} else if test.says == "base64" || test.says == "IfAbsnt" || test.says == "IfSequence" {
			code = codeContent
		}
		n.refused(test.status, code, test.says, "POST", "/v1/kv", test.body)
	}
	n.want(404, "GET", "/v1/kv/a/new", nil)
}

// TestBucketSettingsAtOnce: each of two changes of other settings is there in the end.
func TestBucketSettingsAtOnce(t *testing.T) {
	n := newNode(t)
	for i := range 20 {
		var both sync.WaitGroup
		for _, change := range []object{{"MaxKeys": 1 + i}, {"MaxBytes": 1 + i}} {
			both.Go(func() {
				if r := n.call("PUT", "/v1/kv/b", change); r.StatusCode != http.StatusOK {
					t.Errorf("%v: %d %s", change, r.StatusCode, r.body)
				}
			})
		}
		both.Wait()
		var b dataBucket
		n.want(200, "GET", "/v1/kv/b", nil).into(t, &b)
		if b.MaxKeys != 1+i || b.MaxBytes != int64(1+i) {
			t.Fatalf("after both changes it is %+v", b)
		}
	}
}

// TestDataPermissions: a key that is for some functions reaches their buckets and
// no other, alone and in transactions.
func TestDataPermissions(t *testing.T) {
	g := newGuarded(t)
	g.deploy("hello")
	g.deploy("other")
	some := g.issue(identity.Order{Name: "some", Access: identity.Deploy, Functions: []string{"hello"}})
	reader := g.issue(identity.Order{Name: "reader", Access: identity.Read})
	transaction := func(buckets ...string) string {
		var writes []string
		for _, b := range buckets {
			writes = append(writes, `{"Bucket":"`+b+`","Key":"t","Value":"v"}`)
		}
		return `{"Writes":[` + strings.Join(writes, ",") + `]}`
	}
	for _, test := range []struct {
		who          sigv4.Credentials
		method, path string
		body         string
		status       int
	}{
		{some, "PUT", "/v1/kv/function.hello/k", "v", 201},
		{some, "GET", "/v1/kv/function.hello/k", "", 200},
		{some, "GET", "/v1/kv/function.hello/", "", 200},
		{some, "GET", "/v1/kv/function.hello", "", 200},
		{some, "POST", "/v1/kv", transaction("function.hello"), 200},
		{some, "POST", "/v1/kv", transaction("function.hello", "function.other"), 403},
		{some, "POST", "/v1/kv", transaction("function.hello", "shared"), 403},
		{some, "POST", "/v1/kv", transaction("function.hello", "function."), 403},
		{some, "PUT", "/v1/kv/function.other/k", "v", 403},
		{some, "GET", "/v1/kv/function.other/k", "", 403},
		{some, "GET", "/v1/kv/function.other/", "", 403},
		{some, "DELETE", "/v1/kv/function.other", "", 403},
		{some, "PUT", "/v1/kv/shared/k", "v", 403},
		{some, "GET", "/v1/kv/shared/k", "", 403},
		{some, "GET", "/v1/kv", "", 403},
		{reader, "GET", "/v1/kv/function.hello/k", "", 200},
		{reader, "GET", "/v1/kv", "", 200},
		{reader, "PUT", "/v1/kv/function.hello/k", "v", 403},
		{reader, "POST", "/v1/kv/function.hello/n?increment=1", "", 403},
		{reader, "POST", "/v1/kv", transaction("function.hello"), 403},
		{reader, "DELETE", "/v1/kv/function.hello/k", "", 403},
		{g.root, "PUT", "/v1/kv/shared/k", "v", 201},
		{g.root, "POST", "/v1/kv", transaction("function.hello", "shared", "function.other"), 200},
		// Escaped keys are covered by the signature, and the same keys otherwise not.
		{g.root, "PUT", "/v1/kv/shared/" + escapeKey("a/../b//c"), "v", 201},
		{g.root, "PUT", "/v1/kv/shared/a/../b//c", "v", 400},
		{g.root, "PUT", "/v1/kv/function.other/../shared/k", "v", 400},
		{some, "PUT", "/v1/kv/function.other/../function.hello/k", "v", 403},
	} {
		if r := g.send(test.who, "ledge", test.method, test.path, test.body); r.StatusCode != test.status {
			t.Errorf("%s %s: %d %s, want %d", test.method, test.path, r.StatusCode, r.body, test.status)
		}
	}
}

func TestDataIsAudited(t *testing.T) {
	g := newGuarded(t)
	g.send(g.root, "ledge", "PUT", "/v1/kv/shared/a%FF", "v")
	g.send(g.root, "ledge", "POST", "/v1/kv", `{"Writes":[{"Bucket":"b","Key":"k","Value":"v"}]}`)
	records, _, err := g.store.ReadAudit(persist.AuditQuery{Limit: 10, OldestFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, r.Operation+" "+r.Resource)
	}
	if want := []string{`PutItem bucket shared key "a\xff"`, "TransactWriteItems 1 keys of b"}; !slices.Equal(got, want) {
		t.Errorf("on record are %q, want %q", got, want)
	}
}

// FuzzWithKey: whatever a path says, the key that arrives is what stands behind
// the bucket's name, and the mux does not send the client elsewhere.
func FuzzWithKey(f *testing.F) {
	for key, path := range oddKeys {
		f.Add("/v1/kv/b/" + path)
		f.Add("/v1/kv/" + key)
	}
	f.Add("/v1/kv/b%2Fc/k")
	f.Add("http://h/v1/kv/b/../k")
	f.Fuzz(func(t *testing.T, path string) {
		address, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		rest, isData := strings.CutPrefix(address.EscapedPath(), dataPath)
		bucket, escaped, found := strings.Cut(rest, "/")
		if !isData || !found || escaped == "" {
			return
		}
		want, err := url.PathUnescape(escaped)
		if err != nil {
			t.Fatal(err) // url has read it
		}
		mux := http.NewServeMux()
		served := false
		mux.HandleFunc("/v1/kv/{bucket}/{key...}", func(_ http.ResponseWriter, r *http.Request) {
			served = true
			if got := keyOf(r); got != want {
				t.Errorf("the key of %q is %q, want %q", path, got, want)
			}
		})
		r := &http.Request{Method: "GET", URL: address, RequestURI: path, Host: "h"}
		seen, ok := withKey(r)
		if named := bucket != "" && bucket != "." && bucket != ".."; named != ok {
			t.Fatalf("withKey(%q) is %v", path, ok)
		}
		if !ok {
			return
		}
		mux.ServeHTTP(httptest.NewRecorder(), seen)
		if !served {
			t.Errorf("%q was not served", path)
		}
	})
}

// FuzzEntityTags: what is read of a header are quoted texts that stand in it.
func FuzzEntityTags(f *testing.F) {
	for _, header := range []string{`*`, `"1"`, `W/"1", "2"`, `"`, `"1" "2"`, `"1",`, ``, ` "a" ,"b"`} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		tags, any, ok := entityTags(header)
		if any && len(tags) > 0 || !ok && (any || len(tags) > 0) || ok && !any && len(tags) == 0 {
			t.Fatalf("%q: %q %v %v", header, tags, any, ok)
		}
		for _, tag := range tags {
			bare := strings.TrimPrefix(tag, "W/")
			if len(bare) < 2 || bare[0] != '"' || strings.IndexByte(bare[1:], '"') != len(bare)-2 || !strings.Contains(header, tag) {
				t.Errorf("%q has the tag %q", header, tag)
			}
		}
	})
}
