package edge_test

import (
	"encoding/json"
	"net/http"
	goruntime "runtime"
	"strings"
	"testing"
)

// reply decodes what a request of the control plane is answered with.
func (a *appliance) reply(status int, method, path string, request any) (v struct {
	FunctionUrl, Status string
}) {
	a.t.Helper()
	r := a.call(method, path, request)
	text := body(a.t, r)
	if r.StatusCode != status {
		a.t.Fatalf("%s %s: %d %s", method, path, r.StatusCode, text)
	}
	if text == "" {
		return v
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		a.t.Fatal(err)
	}
	return v
}

// What is configured for a function is so in the real engine and at the real
// gateway, also after the node is started again.
func TestConfiguredFunctions(t *testing.T) {
	dir := t.TempDir()
	const (
		reserved    = "/2017-10-31/functions/f/concurrency"
		provisioned = "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=live"
		urls        = "/2021-10-31/functions/f/url"
	)
	get := func(a *appliance, address, path string) (int, string) {
		t.Helper()
		id, _, _ := strings.Cut(strings.TrimPrefix(address, "http://"), ".")
		r, err := http.Get(a.public + "/_aws/lambda-url/" + id + path)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, body(t, r)
	}
	ready := func(a *appliance) {
		t.Helper()
		for { // the engine makes them in the background
			switch status := a.reply(http.StatusOK, "GET", provisioned, "").Status; status {
			case "READY":
				return
			case "FAILED":
				t.Fatal("the provisioned instances were not made")
			}
			goruntime.Gosched()
		}
	}
	var open, signed string
	t.Run("configured", func(t *testing.T) {
		a := openAppliance(t, dir)
		a.deployed("f", "python3.13", "app.run", map[string]string{"app.py": "def run(event, context):\n    return event['rawPath']\n"}, object{"Publish": true})
		a.reply(http.StatusCreated, "POST", "/2015-03-31/functions/f/aliases", object{"Name": "live", "FunctionVersion": "1"})
		open = a.reply(http.StatusCreated, "POST", urls, object{"AuthType": "NONE"}).FunctionUrl
		signed = a.reply(http.StatusCreated, "POST", urls+"?Qualifier=live", object{"AuthType": "AWS_IAM"}).FunctionUrl
		a.reply(http.StatusAccepted, "PUT", provisioned, object{"ProvisionedConcurrentExecutions": 2})
		ready(a)
		if status, text := get(a, open, "/x/y"); status != http.StatusOK || !strings.Contains(text, "/x/y") {
			t.Errorf("the URL answers %d %s", status, text)
		}
		if status, text := get(a, signed, "/"); status != http.StatusForbidden {
			t.Errorf("the URL that wants a signature answers %d %s", status, text)
		}
	})
	t.Run("started again", func(t *testing.T) {
		a := openAppliance(t, dir)
		ready(a)
		if status, text := get(a, open, "/z"); status != http.StatusOK || !strings.Contains(text, "/z") {
			t.Errorf("the URL answers %d %s", status, text)
		}
		a.reply(http.StatusOK, "PUT", reserved, object{"ReservedConcurrentExecutions": 0})
		for _, path := range []string{"f", "f:live"} {
			if r := a.call("POST", "/2015-03-31/functions/"+path+"/invocations", "{}"); r.StatusCode != http.StatusTooManyRequests {
				t.Errorf("%s without concurrency: %d %s", path, r.StatusCode, body(t, r))
			}
		}
	})
	t.Run("and again", func(t *testing.T) {
		a := openAppliance(t, dir)
		if r := a.call("POST", "/2015-03-31/functions/f/invocations", "{}"); r.StatusCode != http.StatusTooManyRequests {
			t.Errorf("without concurrency: %d %s", r.StatusCode, body(t, r))
		}
		a.reply(http.StatusNoContent, "DELETE", reserved, "")
		if status, _ := get(a, open, "/"); status != http.StatusOK {
			t.Errorf("with concurrency again the URL answers %d", status)
		}
		a.reply(http.StatusNoContent, "DELETE", "/2015-03-31/functions/f", "")
		if status, _ := get(a, open, "/"); status == http.StatusOK {
			t.Errorf("the URL of a function that is gone answers %d", status)
		}
	})
}
