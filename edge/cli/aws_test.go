package cli

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestPublish(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"POST /2015-03-31/functions/hello/versions": reply(201, `{"FunctionName":"hello","Version":"4"}`),
		"POST /2015-03-31/functions/gone/versions":  failure(404, awsNotFound, "no"),
	})
	n.run("publish", "hello", "--description", "d").want(t, 0, "published hello:4\n", "")
	if got := n.only("POST /2015-03-31/functions/hello/versions").Body; got != `{"Description":"d"}` {
		t.Errorf("sent %s", got)
	}
	n.run("publish", "gone").want(t, 1, "", "ledge: function gone not found\n  see what is there: ledge ls\n")
	if o := n.run("publish", "hello:3"); o.exit != 2 {
		t.Errorf("exit %d", o.exit)
	}
}

const (
	aliasesOfHello = "/2015-03-31/functions/hello/aliases"
	twoAliases     = `{"Aliases":[{"Name":"live","FunctionVersion":"3","RoutingConfig":{"AdditionalVersionWeights":{"4":0.1}}},{"Name":"old","FunctionVersion":"3","Description":"d"}]}`
)

func TestAliases(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET " + aliasesOfHello + "/live":          reply(200, `{"Name":"live"}`),
		"GET " + aliasesOfHello + "/new":           failure(404, awsNotFound, "Alias not found"),
		"GET /2015-03-31/functions/gone/aliases/x": failure(404, awsNotFound, "no"),
		"PUT " + aliasesOfHello + "/live":          reply(200, `{"Name":"live","FunctionVersion":"3","RoutingConfig":{"AdditionalVersionWeights":{"4":0.1}}}`),
		"POST " + aliasesOfHello:                   reply(201, `{"Name":"new","FunctionVersion":"2"}`),
		"POST /2015-03-31/functions/gone/aliases":  failure(404, awsNotFound, "Function not found."),
		"GET " + aliasesOfHello + "?MaxItems=50":   reply(200, twoAliases),
		"DELETE " + aliasesOfHello + "/live":       reply(204, ""),
		"GET " + aliasesOfHello + "/old":           reply(200, `{"Name":"old"}`),
		"DELETE " + aliasesOfHello + "/old":        reply(204, ""),
	})
	n.run("alias", "set", "hello", "live", "3", "--weight", "4=0.1").want(t, 0, "moved hello:live: version 3, and 4=0.1\n", "")
	if got := n.only("PUT " + aliasesOfHello + "/live").Body; got != `{"FunctionVersion":"3","RoutingConfig":{"AdditionalVersionWeights":{"4":0.1}}}` {
		t.Errorf("sent %s", got)
	}
	n.run("alias", "set", "hello", "new", "2", "--description", "").want(t, 0, "made hello:new: version 2\n", "")
	if got := n.only("POST " + aliasesOfHello).Body; got != `{"Description":"","FunctionVersion":"2","Name":"new","RoutingConfig":{"AdditionalVersionWeights":{}}}` {
		t.Errorf("sent %s", got)
	}
	n.run("alias", "set", "gone", "x", "1").want(t, 1, "", "ledge: Function not found\n  see its versions: ledge ls gone\n")
	n.run("alias", "ls", "hello").want(t, 0, "ALIAS  VERSION  WEIGHTS  DESCRIPTION\nlive   3        4=0.1    -\nold    3        -        d\n", "")
	n.run("alias", "rm", "hello", "live", "old").want(t, 0, "removed hello:live\nremoved hello:old\n", "")
	n.run("alias", "rm", "hello", "new").want(t, 1, "", "ledge: there is no alias hello:new\n  see which there are: ledge alias ls hello\n")
	for _, bad := range [][]string{{"12", "1"}, {"$LATEST", "1"}, {"live", "x"}, {"live", "1x"}} {
		if o := n.run("alias", "set", "hello", bad[0], bad[1]); o.exit != 2 || !strings.Contains(o.stderr, "a version") {
			t.Errorf("alias set %q: exit %d: %s", bad, o.exit, o.stderr)
		}
	}
	for _, bad := range []string{"4", "=0.1", "x=0.1", "4=2", "4=-1", "4=NaN"} {
		if o := n.run("alias", "set", "hello", "live", "3", "--weight", bad); o.exit != 2 {
			t.Errorf("--weight %s: exit %d", bad, o.exit)
		}
	}
	commandLine{args: []string{"__complete", "--data", n.data, "alias", "rm", "hello", "live", ""}}.run(t).want(t, 0, "old\n:4\n", "*")
	commandLine{args: []string{"__complete", "--data", n.data, "alias", "set", "hello", ""}}.run(t).want(t, 0, "live\nold\n:4\n", "*")
}

func TestListVersions(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /2015-03-31/functions/hello/versions?MaxItems=50": reply(200, `{"Versions":[{"Version":"$LATEST","Runtime":"wasi","CodeSize":2048},{"Version":"3","Runtime":"wasi","CodeSize":1024,"Description":"d"},{"Version":"4"}]}`),
		"GET " + aliasesOfHello + "?MaxItems=50":               reply(200, twoAliases),
		"GET /2015-03-31/functions/gone/versions?MaxItems=50":  failure(404, awsNotFound, "no"),
	})
	n.run("ls", "hello").want(t, 0, ""+
		"VERSION  RUNTIME  CODE    MODIFIED  ALIASES     DESCRIPTION\n"+
		"$LATEST  wasi     2.0 KB  -         -           -\n"+
		"3        wasi     1.0 KB  -         live, old   d\n"+
		"4        -        0 B     -         live (0.1)  -\n", "")
	if o := n.run("ls", "hello", "--json"); o.exit != 0 || !strings.Contains(o.stdout, `"Aliases": [`) {
		t.Errorf("exit %d: %s", o.exit, o.stdout)
	}
	n.run("ls", "gone").want(t, 1, "", "ledge: function gone not found\n  see what is there: ledge ls\n")
}

func TestInvokeAsync(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"POST /2015-03-31/functions/hello/invocations": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amzn-Requestid", "0123")
			reply(202, "")(w, r)
		},
		"POST /2015-03-31/functions/strict/invocations": failure(400, awsBadContent, "Could not parse"),
	})
	n.run("invoke", "hello", "--async", "--payload", "{}").want(t, 0, "queued as 0123; see what comes of it: ledge logs hello\n", "")
	if got := n.only("POST /2015-03-31/functions/hello/invocations"); got.Header.Get("X-Amz-Invocation-Type") != "Event" || got.Body != "{}" {
		t.Errorf("sent %v %s", got.Header, got.Body)
	}
	if o := n.run("invoke", "hello", "--async", "--json"); !strings.Contains(o.stdout, `"RequestID": "0123"`) {
		t.Errorf("%s", o.stdout)
	}
	n.run("invoke", "strict", "--async", "--payload", "Ada").want(t, 1, "", "ledge: Could not parse\n  an event is JSON, in quotes for the shell: --payload '{\"name\":\"Ada\"}'\n")
	n.run("invoke", "strict", "--payload", "Ada").want(t, 1, "", "ledge: Could not parse\n  an event is JSON, in quotes for the shell: --payload '{\"name\":\"Ada\"}'\n")
	if o := n.run("invoke", "hello", "--async", "--tail"); o.exit != 2 {
		t.Errorf("exit %d", o.exit)
	}
}

func TestFunctionURLs(t *testing.T) {
	const where = "/2021-10-31/functions/hello/url"
	n := newNode(t, map[string]http.HandlerFunc{
		"POST " + where:                          reply(201, `{"FunctionUrl":"http://abc.lambda-url.us-east-1.localhost:8080/"}`),
		"POST " + where + "?Qualifier=live":      failure(409, awsConflict, "exists."),
		"DELETE " + where:                        reply(204, ""),
		"DELETE " + where + "?Qualifier=x":       failure(404, awsNotFound, "no"),
		"GET " + where + "s?MaxItems=50":         reply(200, `{"FunctionUrlConfigs":[{"FunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:hello:live","AuthType":"AWS_IAM","FunctionUrl":"http://u/"}]}`),
		"GET /2015-03-31/functions/?MaxItems=50": reply(200, `{"Functions":[`+helloConfig+`]}`),
		"GET /v1/version":                        reply(200, `{"HTTP":":8181"}`),
	})
	n.run("url", "create", "hello").want(t, 0, "http://abc.lambda-url.us-east-1.localhost:8080/\n\n  curl http://localhost:8181/_aws/lambda-url/abc/\n", "")
	if got := n.only("POST " + where).Body; got != `{"AuthType":"NONE"}` {
		t.Errorf("sent %s", got)
	}
	n.run("url", "create", "hello", "--iam").want(t, 0, "http://abc.lambda-url.us-east-1.localhost:8080/\n\n"+
		"  curl --aws-sigv4 aws:amz:us-east-1:lambda --user \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\" http://localhost:8181/_aws/lambda-url/abc/\n", "")
	if got := n.calls()[2].Body; got != `{"AuthType":"AWS_IAM"}` {
		t.Errorf("sent %s", got)
	}
	n.run("url", "create", "hello:live").want(t, 1, "", "ledge: exists\n  see it with: ledge url ls hello; remove it with: ledge url rm hello:live\n")
	if o := n.run("url", "create", "hello:3"); o.exit != 2 || !strings.Contains(o.stderr, "ledge alias set hello live 3") {
		t.Errorf("exit %d: %s", o.exit, o.stderr)
	}
	n.run("url", "ls").want(t, 0, "FUNCTION    CALLERS     URL        OR\nhello:live  with a key  http://u/  http://localhost:8181/_aws/lambda-url/u/\n", "")
	n.run("url", "rm", "hello").want(t, 0, "removed the URL of hello\n", "")
	n.run("url", "rm", "hello:x").want(t, 1, "", "ledge: hello:x has no URL\n  see which there are: ledge url ls\n")
}

func TestKeySets(t *testing.T) {
	const where = "/v1/jwks?issuer=https%3A%2F%2Flogin.example"
	n := newNode(t, map[string]http.HandlerFunc{
		"PUT " + where:    reply(200, ""),
		"DELETE " + where: reply(204, ""),
		"GET /v1/jwks":    reply(200, `{"KeySets":[{"Issuer":"https://login.example","Keys":[{},{}]}]}`),
	})
	file := filepath.Join(t.TempDir(), "jwks.json")
	writeFile(t, file, `{"keys":[{"kty":"RSA"}]}`)
	n.run("api", "jwks", "put", "https://login.example", file).want(t, 0, "the node has the keys of https://login.example\n", "")
	if got := n.only("PUT " + where).Body; got != `{"keys":[{"kty":"RSA"}]}` {
		t.Errorf("sent %s", got)
	}
	n.run("api", "jwks", "ls").want(t, 0, "ISSUER                 KEYS\nhttps://login.example  2\n", "")
	n.run("api", "jwks", "rm", "https://login.example").want(t, 0, "removed the keys of https://login.example\n", "")
	for _, text := range []string{"", "{}", `{"keys":[]}`, "<html>", strings.Repeat(" ", maxKeySet+1)} {
		writeFile(t, file, text)
		if o := n.run("api", "jwks", "put", "https://login.example", file); o.exit != 1 || !strings.Contains(o.stderr, file) {
			t.Errorf("%.20q: exit %d: %s", text, o.exit, o.stderr)
		}
	}
	commandLine{args: []string{"__complete", "--data", n.data, "api", "jwks", "rm", ""}}.run(t).want(t, 0, "https://login.example\n:4\n", "*")
}

func TestAPIs(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/apis": reply(200, `{"Apis":[
			{"ApiId":"a1","Name":"my api","Kind":"REST","Stages":[{"Name":"prod","Url":"http://a1.execute-api.localhost/prod/","PathUrl":"http://gw/_aws/execute-api/a1/prod/","Root":true}]},
			{"ApiId":"b2","Name":"new","Kind":"HTTP","Stages":[]},
			{"ApiId":"c3","Name":"quick","Kind":"HTTP","Stages":[{"Name":"$default","PathUrl":"http://gw/_aws/execute-api/c3/"}]}]}`),
		"GET /v1/version": reply(200, `{"HTTP":":80"}`),
		"GET /v1/root":    failure(404, "NotFoundException", "no API answers at the node's root"),
		"DELETE /v1/root": reply(204, ""),
		"PUT /v1/root": func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength == int64(len(`{"ApiId":"zz"}`)) {
				failure(404, "NotFoundException", "Invalid API identifier specified 000000000000:zz")(w, r)
				return
			}
			reply(200, `{"ApiId":"a1","Stage":"prod"}`)(w, r)
		},
	})
	n.run("api", "ls").want(t, 0, ""+
		"API  KIND  NAME    STAGE     ADDRESS\n"+
		"a1   REST  my api  prod      http://gw/_aws/execute-api/a1/prod/, and the node's root\n"+
		"b2   HTTP  new     -         not deployed\n"+
		"c3   HTTP  quick   $default  http://gw/_aws/execute-api/c3/\n", "")
	n.run("api", "root").want(t, 0, "no API answers at the node's root\n", "")
	n.run("api", "root", "--json").want(t, 0, "{}\n", "")
	n.run("api", "root", "a1/prod").want(t, 0, "a1/prod answers at http://localhost/\n", "")
	if got := n.only("PUT /v1/root").Body; got != `{"ApiId":"a1","Stage":"prod"}` {
		t.Errorf("sent %s", got)
	}
	n.run("api", "root", "zz").want(t, 1, "", "ledge: Invalid API identifier specified 000000000000:zz\n  see which APIs and stages there are: ledge api ls\n")
	n.run("api", "root", "--off").want(t, 0, "no API answers at the node's root\n", "")
	n.run("api", "root", "--off", "--json").want(t, 0, "{}\n", "")
	for _, bad := range [][]string{{"a1", "b2"}, {"a1", "--off"}} {
		if o := n.run(append([]string{"api", "root"}, bad...)...); o.exit != 2 {
			t.Errorf("%q: exit %d", bad, o.exit)
		}
	}
	commandLine{args: []string{"__complete", "--data", n.data, "api", "root", ""}}.run(t).want(t, 0, "a1/prod\nc3\n:4\n", "*")
}
