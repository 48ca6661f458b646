package awsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"ledge/edge"
	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/restjson"
	"ledge/edge/awsapi/sigv4"
	"ledge/engine"
	"ledge/persist"
)

// guarded is a control plane on a network, with keys.
type guarded struct {
	*testing.T
	api    *api
	url    string
	keys   *identity.Keyring
	store  *persist.Store
	root   sigv4.Credentials
	now    time.Time
	served string // operations that the test's service served
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	dir := t.TempDir()
	store, err := persist.Open(dir, persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	code, err := persist.OpenCode(dir, persist.CodeLimits{})
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{T: t, store: store, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	clock := func() time.Time { return g.now }
	g.keys, _, err = identity.Open(identity.Config{Store: store, DeviceSecret: bytes.Repeat([]byte("k"), 32), Dir: dir, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.keys.Close)
	g.root = g.issue(identity.Order{Name: "admin", Access: identity.Admin})
	fake := &fakeEngine{invoke: func(_ context.Context, _ *engine.Invocation, res *engine.Result) error {
		res.Payload = append(res.Payload[:0], "{}"...)
		return nil
	}}
	g.api = newAPI(Config{
		Reconciler: edge.New(edge.Config{Engine: fake, Store: store, Code: code, Gateway: fakeGateway{}}),
		Store:      store,
		Invoker:    fake,
		Keys:       g.keys,
		Audit:      store,
		Data:       store.Data(),
		Now:        clock,
		Services: []restjson.Operation{
			{Service: "test", Name: "Fail", Method: "POST", Path: "/test/fail", Access: restjson.Deploy, Serve: func(http.ResponseWriter, *http.Request) error {
				return fmt.Errorf("broken")
			}},
			{Service: "test", Name: "Panic", Method: "POST", Path: "/test/panic", Access: restjson.Deploy, Serve: func(http.ResponseWriter, *http.Request) error {
				panic(http.ErrAbortHandler) // the one that net/http does not log
			}},
			{Service: "test", Name: "Missing", Method: "GET", Path: "/test/missing", Access: restjson.Read, Note: "there is no such thing here"},
			g.tagged("test", "/tags/{resource}", "resource"),
			g.tagged("other", "/tags/{arn}", "arn"),
		},
	})
	server := httptest.NewUnstartedServer(g.api.handler(g.api.identify))
	server.Config.ConnContext = ConnContext()
	server.Start()
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// tagged is an operation of a service at a path that services share.
func (g *guarded) tagged(service, path, param string) restjson.Operation {
	return restjson.Operation{Service: service, Name: "ListTags", Method: "GET", Path: path, Access: restjson.Read,
		Matches: func(r *http.Request) bool { return strings.HasPrefix(r.PathValue(param), "arn:aws:"+service+":") },
		Serve: func(w http.ResponseWriter, r *http.Request) error {
			g.served = service + " " + r.PathValue(param)
			return restjson.WriteJSON(w, http.StatusOK, struct{}{})
		}}
}

func (g *guarded) issue(o identity.Order) sigv4.Credentials {
	g.Helper()
	o.Secret = true
	issued, err := g.keys.Create(o)
	if err != nil {
		g.Fatal(err)
	}
	return sigv4.Credentials{KeyID: issued.ID, Secret: issued.SecretAccessKey}
}

// send sends a request that is signed with c, or not where c is zero.
func (g *guarded) send(c sigv4.Credentials, service, method, path, body string) reply {
	g.Helper()
	r, err := http.NewRequest(method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.Fatal(err)
	}
	if service == "sts" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.KeyID != "" {
		if err := sigv4.Sign(r, sigv4.HashPayload([]byte(body)), c, "us-east-1", service, g.now); err != nil {
			g.Fatal(err)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		g.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.Fatal(err)
	}
	return reply{resp, text}
}

// deploy creates a function.
func (g *guarded) deploy(name string) {
	g.Helper()
	body := fmt.Sprintf(`{"FunctionName":%q,"Runtime":"provided.al2023","Handler":"x","Role":"arn:aws:iam::000000000000:role/r","Code":{"ZipFile":"AGFzbQEAAAA="}}`, name)
	if r := g.send(g.root, "lambda", "POST", functions, body); r.StatusCode != http.StatusCreated {
		g.Fatalf("create %s: %d %s", name, r.StatusCode, r.body)
	}
}

var pathParameter = regexp.MustCompile(`\{[^}]*\}`)

// aboutHello is a request for op that is about the function hello, wherever the
// operation looks for its name.
func aboutHello(op restjson.Operation) (path, body string) {
	path = pathParameter.ReplaceAllStringFunc(op.Path, func(p string) string {
		switch p {
		case "{name}":
			return "hello"
		case "{bucket}":
			return persist.OwnBucket("hello")
		case "{arn}", "{resource}", "{ResourceArn}", "{resource_arn}", "{ARN}":
			return "arn:aws:" + op.Service + ":us-east-1:000000000000:function:hello"
		}
		return "x"
	})
	if op.Name == "DeleteRoute" {
		path += "?route=GET%20/hello"
	}
	return path, `{"FunctionName":"hello","Function":"hello","Route":"GET /hello","Name":"hello","Writes":[{"Bucket":"function.hello"}]}`
}

// TestEveryOperationAsksWhoIsThere: no operation is served without credentials,
// beyond what a key may do, or for a function that a key is not for.
func TestEveryOperationAsksWhoIsThere(t *testing.T) {
	g := newGuarded(t)
	g.deploy("hello")
	keys := map[restjson.Access]sigv4.Credentials{
		restjson.Read:   g.issue(identity.Order{Name: "reader", Access: identity.Read}),
		restjson.Invoke: g.issue(identity.Order{Name: "invoker", Access: identity.Invoke}),
		restjson.Deploy: g.issue(identity.Order{Name: "deployer", Access: identity.Deploy}),
	}
	mayAlso := map[restjson.Access][]restjson.Access{restjson.Deploy: {restjson.Read, restjson.Invoke}}
	other := g.issue(identity.Order{Name: "other", Access: identity.Deploy, Functions: []string{"other"}})
	denied := func(r reply, codes ...string) bool {
		for _, code := range codes {
			if r.Header.Get("x-amzn-ErrorType") == code || bytes.Contains(r.body, []byte("<Code>"+code)) {
				return r.StatusCode == http.StatusForbidden
			}
		}
		return false
	}
	if len(g.api.operations) < 60 {
		t.Fatalf("only %d operations", len(g.api.operations))
	}
	for _, op := range g.api.operations {
		t.Run(op.Service+" "+op.Name, func(t *testing.T) {
			path, body := aboutHello(op)
			if r := g.send(sigv4.Credentials{}, op.Service, op.Method, path, body); !denied(r, "MissingAuthenticationTokenException", "MissingAuthenticationToken") {
				t.Errorf("nobody: %d %.200s", r.StatusCode, r.body)
			}
			if op.Access == 0 {
				return
			}
			for has, key := range keys {
				allowed := op.Access == has
				for _, also := range mayAlso[has] {
					allowed = allowed || op.Access == also
				}
				if !allowed {
					if r := g.send(key, op.Service, op.Method, path, body); !denied(r, restjson.CodeDenied) {
						t.Errorf("%s key: %d %.200s", has, r.StatusCode, r.body)
					}
				}
			}
			if r := g.send(other, op.Service, op.Method, path, body); !denied(r, restjson.CodeDenied) {
				t.Errorf("key for another function: %d %.200s", r.StatusCode, r.body)
			}
		})
	}
	if _, err := g.store.GetFunction("hello", ""); err != nil {
		t.Errorf("a request that was refused has changed something: %v", err)
	}
}

// TestKeyForOneFunction: a restricted key does with its function what it may.
func TestKeyForOneFunction(t *testing.T) {
	g := newGuarded(t)
	g.deploy("hello")
	g.deploy("other")
	for _, route := range []string{"GET /other", "$default"} {
		if r := g.send(g.root, "ledge", "PUT", "/v1/routes", `{"Route":"`+route+`","Function":"other"}`); r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", route, r.StatusCode, r.body)
		}
	}
	mine := g.issue(identity.Order{Name: "mine", Access: identity.Deploy, Functions: []string{"hel*"}})
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", functions + "/hello", "", 200},
		{"GET", functions + "/arn:aws:lambda:us-east-1:000000000000:function:hello", "", 200},
		{"POST", functions + "/hello/invocations", "{}", 200},
		{"PUT", "/v1/routes", `{"Route":"GET /hello","Function":"hello"}`, 200},
		{"PUT", functions + "/hello/configuration", `{"Timeout":9}`, 200},
		{"GET", functions + "/other", "", 403},
		{"PUT", "/v1/routes", `{"Route":"GET /other","Function":"hello"}`, 409},
		{"PUT", "/v1/routes", `{"Route":"GET /other","Function":"hello","Replace":true}`, 403},
		{"PUT", "/v1/routes", `{"Route":"$default","Function":"hello","Replace":true}`, 403},
		{"PUT", "/v1/routes", `{"Route":"GET /hello","Function":"hello","Payload":"raw","Replace":true}`, 200},
		{"POST", functions + "/other/invocations", "{}", 403},
		{"GET", functions, "", 403},
		{"GET", "/v1/keys", "", 403},
	} {
		if r := g.send(mine, "lambda", test.method, test.path, test.body); r.StatusCode != test.status {
			t.Errorf("%s %s: %d %s", test.method, test.path, r.StatusCode, r.body)
		}
	}
}

// TestAudit: every change leaves a record with its outcome, and reading none.
func TestAudit(t *testing.T) {
	g := newGuarded(t)
	g.deploy("hello")
	g.send(g.root, "lambda", "GET", functions+"/hello", "")
	g.send(g.root, "lambda", "POST", functions+"/hello/invocations", "{}")
	g.send(g.root, "test", "POST", "/test/fail", "")
	g.send(g.root, "lambda", "DELETE", functions+"/nobody", "")
	g.send(g.root, "ledge", "POST", "/v1/keys", `{"Name":"laptop","Access":"read"}`)
	g.send(sigv4.Credentials{}, "lambda", "DELETE", functions+"/hello", "")
	var reply struct {
		Records []auditRecord
		More    bool
	}
	r := g.send(g.root, "ledge", "GET", "/v1/audit?limit=4", "")
	if err := json.Unmarshal(r.body, &reply); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rec := range reply.Records {
		if rec.Caller != g.root.KeyID || rec.KeyName != "admin" || rec.Peer == "" || rec.RequestID == "" || !rec.At.Equal(g.now) || !rec.Done.Equal(g.now) {
			t.Errorf("record %+v", rec)
		}
		if rec.Operation == "CreateKey" {
			rec.Resource = rec.Resource[:4]
		}
		got = append(got, fmt.Sprintf("%s:%s %s %s %d", rec.Service, rec.Operation, rec.Resource, rec.Outcome, rec.Status))
	}
	want := []string{
		"lambda:CreateFunction hello succeeded 200",
		"test:Fail  failed 500",
		"lambda:DeleteFunction nobody failed 404",
		"ledge:CreateKey LDGE succeeded 200",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || reply.More {
		t.Errorf("records %q, more %t; want %q", got, reply.More, want)
	}
	for _, bad := range []string{"limit=0", "limit=1001", "after=x"} {
		if r := g.send(g.root, "ledge", "GET", "/v1/audit?"+bad, ""); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, r.StatusCode)
		}
	}
}

// TestAuditOfPanic: a change that ended in a panic has an outcome, too.
func TestAuditOfPanic(t *testing.T) {
	g := newGuarded(t)
	r, err := http.NewRequest("POST", g.url+"/test/panic", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sigv4.Sign(r, sigv4.EmptyPayload, g.root, "us-east-1", "test", g.now); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(r); err == nil {
		resp.Body.Close()
		t.Errorf("status %d", resp.StatusCode)
	}
	records, _, err := g.store.ReadAudit(persist.AuditQuery{})
	if err != nil || len(records) != 1 || records[0].Outcome != "failed" || records[0].Status != 500 || !strings.Contains(records[0].Error, "panic") {
		t.Errorf("%+v, %v", records, err)
	}
}

// TestRefusedLeavesNothing: what a key may not do takes no room from those that
// may, neither in the audit log nor for signatures and bodies.
func TestRefusedLeavesNothing(t *testing.T) {
	g := newGuarded(t)
	g.api.rooms = rooms{uploads: make(chan struct{})} // none is free
	reader := g.issue(identity.Order{Name: "reader", Access: identity.Read})
	body := `{"FunctionName":"hello","Description":"` + strings.Repeat("x", largeBody) + `"}`
	for _, credentials := range []sigv4.Credentials{reader, {}, {KeyID: "LDGEAAAAAAAAAAAAAAAA", Secret: "x"}} {
		if r := g.send(credentials, "lambda", "POST", functions, body); r.StatusCode != http.StatusForbidden {
			t.Errorf("%+v: %d %s", credentials, r.StatusCode, r.body)
		}
	}
	if r := g.send(reader, "lambda", "POST", "/2015-03-31/event-source-mappings", "{}"); r.StatusCode != http.StatusForbidden {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if records, _, err := g.store.ReadAudit(persist.AuditQuery{}); err != nil || len(records) > 0 {
		t.Errorf("the audit log has %+v, %v", records, err)
	}
	if r := g.send(g.root, "lambda", "POST", functions, body); r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" {
		t.Errorf("who may, without room: %d %s", r.StatusCode, r.body)
	}
}

// TestAuditFirst: what cannot be put on record does not happen.
func TestAuditFirst(t *testing.T) {
	g := newGuarded(t)
	g.deploy("hello")
	g.api.Audit = brokenAudit{}
	if r := g.send(g.root, "lambda", "DELETE", functions+"/hello", ""); r.StatusCode != http.StatusInternalServerError {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if r := g.send(g.root, "lambda", "GET", functions+"/hello", ""); r.StatusCode != http.StatusOK {
		t.Errorf("the function is gone: %d %s", r.StatusCode, r.body)
	}
}

type brokenAudit struct{ AuditLog }

func (brokenAudit) BeginAudit(persist.AuditRecord) (uint64, error) { return 0, io.ErrUnexpectedEOF }

// TestCodeLink: the link to a function's code works without a key, for that
// code, for ten minutes.
func TestCodeLink(t *testing.T) {
	g := newGuarded(t)
	g.deploy("hello")
	g.deploy("other")
	var got struct{ Code struct{ Location string } }
	if err := json.Unmarshal(g.send(g.root, "lambda", "GET", functions+"/hello", "").body, &got); err != nil {
		t.Fatal(err)
	}
	link, ok := strings.CutPrefix(got.Code.Location, g.url)
	if !ok {
		t.Fatalf("the link %q is not to %s", got.Code.Location, g.url)
	}
	if r := g.send(sigv4.Credentials{}, "", "GET", link, ""); r.StatusCode != http.StatusOK || !bytes.HasPrefix(r.body, []byte("PK")) {
		t.Errorf("%d %.100q", r.StatusCode, r.body)
	}
	for name, bad := range map[string]string{
		"another function":  strings.Replace(link, "/hello/", "/other/", 1),
		"more time":         strings.Replace(link, linkExpires+"=1", linkExpires+"=2", 1),
		"another parameter": link + "&Qualifier=1",
		"no signature":      link[:strings.Index(link, linkSignature)],
	} {
		if r := g.send(sigv4.Credentials{}, "", "GET", bad, ""); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d %.100q", name, r.StatusCode, r.body)
		}
	}
	g.now = g.now.Add(linkLife + time.Second)
	if r := g.send(sigv4.Credentials{}, "", "GET", link, ""); r.StatusCode != http.StatusForbidden || !bytes.Contains(r.body, []byte("expired")) {
		t.Errorf("afterwards: %d %.100q", r.StatusCode, r.body)
	}
}

func TestCallerIdentity(t *testing.T) {
	g := newGuarded(t)
	reader := g.issue(identity.Order{Name: "ada", Access: identity.Read})
	r := g.send(reader, "sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15")
	for _, want := range []string{"<Arn>arn:aws:iam::000000000000:user/ada</Arn>", "<Account>000000000000</Account>", "<GetCallerIdentityResponse xmlns="} {
		if !strings.Contains(string(r.body), want) {
			t.Errorf("%d %s lacks %s", r.StatusCode, r.body, want)
		}
	}
	r = g.send(reader, "sts", "POST", "/", "Action=AssumeRole")
	if r.StatusCode != http.StatusNotImplemented || !strings.Contains(string(r.body), "<Code>NotImplementedException</Code>") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// TestSharedPaths: services that have the same path get their own requests, and
// what is refused is refused by its name.
func TestSharedPaths(t *testing.T) {
	g := newGuarded(t)
	for _, service := range []string{"test", "other"} {
		r := g.send(g.root, service, "GET", "/tags/arn:aws:"+service+":::%2Fa%2Fb", "")
		if want := service + " arn:aws:" + service + ":::/a/b"; r.StatusCode != http.StatusOK || g.served != want {
			t.Errorf("%d %s, served %q, want %q", r.StatusCode, r.body, g.served, want)
		}
	}
	if r := g.send(g.root, "test", "GET", "/tags/arn:aws:nobody:::x", ""); r.StatusCode != http.StatusNotFound {
		t.Errorf("a resource of no service: %d %s", r.StatusCode, r.body)
	}
	r := g.send(g.root, "test", "GET", "/test/missing/", "")
	if r.StatusCode != http.StatusNotImplemented || !strings.Contains(string(r.body), "Missing is not implemented by this node: there is no such thing here") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	// Tools ask services that the node has not, such as IAM and S3, at the same endpoint.
	for _, c := range []struct{ service, method, path, body string }{
		{"iam", "POST", "/", "Action=GetRole&RoleName=x"}, {"s3", "GET", "/", ""}, {"s3", "PUT", "/bucket/key", "x"}, {"ecs", "GET", "/2014-11-13/x", ""},
	} {
		r := g.send(g.root, c.service, c.method, c.path, c.body)
		if says := string(r.body); r.StatusCode != http.StatusNotImplemented || !strings.Contains(says, c.service) || !strings.Contains(says, "is no service of this node, which has ") {
			t.Errorf("%+v: %d %s", c, r.StatusCode, r.body)
		}
	}
	if r := g.send(g.root, "apigateway", "GET", functions, ""); r.StatusCode != http.StatusForbidden {
		t.Errorf("signed for another service: %d %s", r.StatusCode, r.body)
	}
}
