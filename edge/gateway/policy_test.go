package gateway

import (
	"regexp"
	"strings"
	"testing"
)

func TestWildcard(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"*", "", true}, {"*", "a/b", true}, {"**", "a", true},
		{"a*", "a", true}, {"a*", "ba", false}, {"*a", "bca", true}, {"*a", "ab", false}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"a*b*c", "aXbYbZc", true}, {"a*b*c", "acb", false}, {"?", "", false}, {"*?", "a", true}, {"A", "a", false},
		{"arn:*/GET/pets/*", "arn:x/GET/pets/1/2", true}, {"arn:*/GET/pets/*", "arn:x/POST/pets/1", false},
		{"arn:*/GET/pets/*", "arn:x/GET/pets", false},
	} {
		if got := wildcard(test.pattern, []byte(test.text)); got != test.want {
			t.Errorf("%q and %q: got %v", test.pattern, test.text, got)
		}
	}
}

// FuzzWildcard compares with regular expressions.
func FuzzWildcard(f *testing.F) {
	f.Add("a*b?c", "aXbYc")
	f.Add("*a*a*", "baab")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 50 || len(text) > 200 || strings.ContainsFunc(pattern+text, func(r rune) bool { return r > '~' }) {
			return // regular expressions count in characters
		}
		var re strings.Builder
		for _, c := range pattern {
			switch c {
			case '*':
				re.WriteString(`.*`)
			case '?':
				re.WriteString(`.`)
			default:
				re.WriteString(regexp.QuoteMeta(string(c)))
			}
		}
		want := regexp.MustCompile(`(?s)\A(?:` + re.String() + `)\z`).MatchString(text)
		if got := wildcard(pattern, []byte(text)); got != want {
			t.Fatalf("%q and %q: got %v", pattern, text, got)
		}
	})
}

func TestPolicy(t *testing.T) {
	const arn = "arn:aws:execute-api:us-east-1:000000000000:api1/prod/GET/pets/1"
	one := func(effect, action, resource string) string {
		return `{"Effect":"` + effect + `","Action":` + action + `,"Resource":` + resource + `}`
	}
	for _, test := range []struct {
		statements string
		want       decision
	}{
		{"[" + one("Allow", `"execute-api:Invoke"`, `"`+arn+`"`) + "]", allowed},
		{one("Allow", `"execute-api:Invoke"`, `"*"`), allowed},
		{one("Allow", `"EXECUTE-API:invoke"`, `"*"`), allowed},
		{one("Allow", `"execute-api:*"`, `["x","arn:aws:execute-api:*:*:api1/*/GET/*"]`), allowed},
		{one("Allow", `["s3:Get","*"]`, `"*"`), allowed},
		{one("Allow", `"s3:*"`, `"*"`), deniedImplicitly},
		{one("Allow", `"execute-api:ManageConnections"`, `"*"`), deniedImplicitly},
		{one("Allow", `"execute-api:Invoke"`, `"arn:aws:execute-api:*:*:api1/prod/get/*"`), deniedImplicitly},
		{one("Allow", `"execute-api:Invoke"`, `"arn:aws:execute-api:us-east-1:000000000000:api1/prod/GET/pets/?"`), allowed},
		{"[" + one("Allow", `"*"`, `"*"`) + "," + one("Deny", `"*"`, `"*pets*"`) + "]", deniedExplicitly},
		{"[" + one("Deny", `"*"`, `"*pets*"`) + "," + one("Allow", `"*"`, `"*"`) + "]", deniedExplicitly},
		{"[" + one("Deny", `"*"`, `"*cats*"`) + "," + one("Allow", `"*"`, `"*"`) + "]", allowed},
		{"[" + one("Deny", `"s3:*"`, `"*"`) + "," + one("Allow", `"*"`, `"*"`) + "]", allowed},
	} {
		p, err := parsePolicy([]byte(`{"Statement":` + test.statements + `}`))
		if err != nil {
			t.Errorf("%s: %v", test.statements, err)
		} else if got := p.decide([]byte(arn)); got != test.want {
			t.Errorf("%s: got %d, want %d", test.statements, got, test.want)
		}
	}
	for why, statements := range map[string]string{
		"0 statements":     `[]`,
		"read the statem":  `"x"`,
		"its Effect is":    one("allow", `"*"`, `"*"`),
		"is missing":       `{"Effect":"Allow","Action":"*"}`,
		"or its Resource":  `{"Effect":"Allow","Resource":"*"}`,
		"NotAction":        `{"Effect":"Allow","Action":"*","NotAction":"x","Resource":"*"}`,
		"NotResource":      `{"Effect":"Allow","Action":"*","NotResource":"x"}`,
		"Condition":        `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}`,
		"Principal, which": `{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}`,
		"101 statements":   "[" + strings.Repeat(one("Deny", `"*"`, `"*"`)+",", 100) + one("Deny", `"*"`, `"*"`) + "]",
		"more than 500":    one("Deny", `"*"`, `[`+strings.Repeat(`"*",`, 500)+`"*"]`),
		"cannot unmarshal": one("Deny", `7`, `"*"`),
	} {
		if _, err := parsePolicy([]byte(`{"Statement":` + statements + `}`)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.80s: got %v, want %q", statements, err, why)
		}
	}
}

// TestHeadARN: a HEAD request is no way around a policy that denies GET.
func TestHeadARN(t *testing.T) {
	s := newServer(t, Config{Invoker: replies("")})
	for route, want := range map[string]string{"GET": "GET", "HEAD": "HEAD", "ANY": "HEAD"} {
		ctx := newCtx(t, "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n")
		src := source{header: &ctx.Request.Header, short: []byte("/a"),
			target: &target{route: Route{Method: route}, stage: &stage{name: "p", api: &api{id: "web1"}}}}
		if got := string(s.appendARN(nil, &src)); !strings.HasSuffix(got, ":web1/p/"+want+"/a") {
			t.Errorf("HEAD of a route for %s is %s", route, got)
		}
	}
}

// TestMethodARN: a policy is not evaded by spelling a path otherwise.
func TestMethodARN(t *testing.T) {
	s := newServer(t, Config{Invoker: replies("")})
	for path, want := range map[string]string{
		"/":                    "/",
		"/admin":               "/admin",
		"/%61dmin/x":           "/admin/x",
		"/public%2F..%2fadmin": "/public%2F..%2fadmin",
		"/a%252Fb%2":           "/a%2Fb%2",
		"/a//b/":               "/a//b/",
	} {
		ctx := newCtx(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		src := source{header: &ctx.Request.Header, short: []byte(path), target: &target{stage: &stage{name: "$default", api: &api{id: "web1"}}}}
		if got := string(s.appendARN(nil, &src)); got != "arn:aws:execute-api:us-east-1:000000000000:web1/$default/GET"+want {
			t.Errorf("%s: got %s", path, got)
		}
	}
}
