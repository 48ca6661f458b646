package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// The context object tells what was invoked, by which name, and what the caller says of
// itself, each Invocation its own:
// https://docs.aws.amazon.com/lambda/latest/dg/python-context.html,
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html
func TestDetails(t *testing.T) {
	const (
		arn    = `"arn:aws:lambda:eu-north-1:000000000000:function:f`
		caller = `{"client":{"app_title":"Tür","installation_id":"7"},"custom":{"a":[1,"\n"]},"env":{"locale":"fi"},"services":1}`
	)
	type row struct{ qualifier, client, arn, python, javaScript string }
	rows := []row{
		{"", "", arn + `"`, `null`, `null`},
		{"live", "", arn + `:live"`, `null`, `null`},
		{"", "", arn + `"`, `null`, `null`},
		{"", caller, arn + `"`, `["T\u00fcr", "7", null, {"a": [1, "\n"]}, {"locale": "fi"}]`, caller},
		{"1", "", arn + `:1"`, `null`, `null`},
		{"1", caller, arn + `:1"`, `["T\u00fcr", "7", null, {"a": [1, "\n"]}, {"locale": "fi"}]`, caller},
		{"$LATEST", "", arn + `:$LATEST"`, `null`, `null`},
		{"live", ` {"client":{}, "custom":null}`, arn + `:live"`, `[null, null, null, null, null]`, `{"client":{},"custom":null}`},
		{"live", `{}`, arn + `:live"`, `"no client"`, `{}`},
		{"", "", arn + `"`, `null`, `null`},
	}
	eachLanguage(t, pair{
		`def handler(event, context):
    c = context.client_context
    if c is not None:
        repr(c)
        c = [c.client.app_title, c.client.installation_id, c.client.app_package_name, c.custom, c.env] if c.client else 'no client'
    return [context.invoked_function_arn, c]
`,
		"export const handler = async (event, context) => [context.invokedFunctionArn, context.clientContext ?? null];",
	}, func(t *testing.T, f Function) {
		cfg := testConfig(t)
		cfg.Region = "eu-north-1"
		r := open(t, cfg)
		for _, f.Isolation = range bothIsolations {
			for _, f.Version = range []string{Latest, "1"} {
				deploy(t, r, f)
			}
			if err := r.SetAlias("f", "live", "1", nil); err != nil {
				t.Fatal(err)
			}
			for i, row := range rows {
				inv := Invocation{Function: "f", Qualifier: row.qualifier, Payload: []byte("{}")}
				if row.client != "" {
					inv.ClientContext = []byte(row.client)
				}
				want := "[" + row.arn + "," + row.javaScript + "]"
				if f.Runtime == RuntimePython {
					want = "[" + row.arn + ", " + strings.ReplaceAll(row.python, `\u00fc`, "ü") + "]"
				}
				var res Result
				if err := r.Invoke(context.Background(), &inv, &res); err != nil || string(res.Payload) != want {
					t.Errorf("%s, row %d: got %s, %v\nwant %s", f.Isolation, i, res.Payload, err, want)
				}
			}
		}
	})
}

// What is no client context is refused before anything runs.
func TestClientContext(t *testing.T) {
	r := open(t, testConfig(t))
	deploy(t, r, function(t, "f", echoModule))
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"object", `{"custom":{}}`, nil},
		{"largest", `{"a":"` + strings.Repeat("x", MaxClientContext-8) + `"}`, nil},
		{"too large", `{"a":"` + strings.Repeat("x", MaxClientContext-7) + `"}`, ErrClientContext},
		{"empty", ``, ErrClientContext},
		{"null", `null`, ErrClientContext},
		{"array", `[]`, ErrClientContext},
		{"text", `"x"`, ErrClientContext},
		{"cut off", `{"custom":`, ErrClientContext},
		{"more behind", `{} {}`, ErrClientContext},
		{"no UTF-8", "{\"a\":\"\xff\"}", ErrClientContext},
	} {
		t.Run(test.name, func(t *testing.T) {
			var res Result
			err := r.Invoke(context.Background(), &Invocation{Function: "f", Payload: []byte("e"), ClientContext: []byte(test.text)}, &res)
			if !errors.Is(err, test.want) || (err == nil) != (string(res.Payload) == "e") {
				t.Errorf("%q, %v", res.Payload, err)
			}
		})
	}
}

// An Invocation by an alias costs the host no allocation either.
func TestDetailsAllocateNothing(t *testing.T) {
	r := open(t, testConfig(t))
	f := pythonFunction(t, "def handler(event, context):\n    return context.invoked_function_arn[-5:]\n")
	f.Version = "1"
	deploy(t, r, f)
	if err := r.SetAlias("f", "live", "1", nil); err != nil {
		t.Fatal(err)
	}
	inv := Invocation{Function: "f", Qualifier: "live", Payload: []byte("{}")}
	var res Result
	n := testing.AllocsPerRun(200, func() {
		inv.RequestID = RequestID{}
		if err := r.Invoke(context.Background(), &inv, &res); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 || string(res.Payload) != `":live"` {
		t.Errorf("%v allocations, reply %q", n, res.Payload)
	}
}

func TestSources(t *testing.T) {
	seen := map[string]Source{}
	for s, want := range map[Source]string{SourceAPI: "api", SourceHTTP: "http", SourceFunction: "function", SourceAsync: "async",
		SourceCron: "cron", SourceChange: "change", SourceMQTT: "mqtt", SourceMQTT + 1: "unknown"} {
		if got := s.String(); got != want {
			t.Errorf("source %d is %q, want %q", s, got, want)
		}
		if other, twice := seen[s.String()]; twice {
			t.Errorf("%d and %d have the same name", s, other)
		}
		seen[s.String()] = s
	}
}
