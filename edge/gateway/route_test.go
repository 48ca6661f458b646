package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseRoute(t *testing.T) {
	for _, test := range []struct{ text, method, path string }{
		{"GET /", "GET", "/"},
		{"GET /hello/{name}", "GET", "/hello/{name}"},
		{"ANY /files/{proxy+}", "ANY", "/files/{proxy+}"},
		{"OPTIONS /a.b-c_d~e!$&'()*+,;=:@", "OPTIONS", "/a.b-c_d~e!$&'()*+,;=:@"},
		{"$default", "ANY", "$default"},
	} {
		method, path, err := ParseRoute(test.text)
		if err != nil || method != test.method || path != test.path {
			t.Errorf("ParseRoute(%q) = %q, %q, %v", test.text, method, path, err)
		}
	}
}

func TestParseRouteRefuses(t *testing.T) {
	tooMany := func(n int) string { return strings.Repeat("/a", n) }
	var params strings.Builder
	for i := range MaxParams + 1 {
		fmt.Fprintf(&params, "/{p%d}", i)
	}
	for _, test := range []struct{ text, why string }{
		{"", "not a method and a path"},
		{"/hello", "method is missing"},
		{"get /hello", "not a method"},
		{"FETCH /hello", "not a method"},
		{"GET  /hello", "does not begin with /"},
		{"GET hello", "does not begin with /"},
		{"GET $default", "takes no method"},
		{"GET /a/", "empty segment"},
		{"GET //a", "empty segment"},
		{"GET /a/../b", "dot segment"},
		{"GET /a b", "cannot stand"},
		{"GET /a%20b", "cannot stand"},
		{"GET /caf\u00e9", "cannot stand"},
		{"GET /a?b=c", "cannot stand"},
		{"GET /{a", "half a parameter"},
		{"GET /x{a}", "half a parameter"},
		{"GET /{a}{b}", "half a parameter"},
		{"GET /{}", "no usable name"},
		{"GET /{+}", "no usable name"},
		{"GET /{a b}", "parameter's name"},
		{"GET /{" + strings.Repeat("a", MaxParamName+1) + "}", "no usable name"},
		{"GET /{a}/{a}", "appears twice"},
		{"GET /{a}/{a+}", "appears twice"},
		{"GET /{proxy+}/a", "follow {proxy+}"},
		{"GET /" + strings.Repeat("a", MaxSegmentBytes+1), "segment has"},
		{"GET /" + strings.Repeat("a", MaxPathBytes), "path has"},
		{"GET " + tooMany(MaxSegments+1), "too many segments"},
		{"GET " + params.String(), "too many parameters"},
	} {
		_, _, err := ParseRoute(test.text)
		var wrong *RouteError
		if !errors.As(err, &wrong) || !strings.Contains(wrong.Why, test.why) || wrong.Hint == "" || wrong.Route != test.text {
			t.Errorf("ParseRoute(%q): got %v, want a hint and %q", test.text, err, test.why)
		}
	}
}

func TestNewTableNamesTheBadRoute(t *testing.T) {
	good := route(t, "GET /good")
	with := func(change func(*Route)) Route {
		r := route(t, "GET /bad")
		change(&r)
		return r
	}
	for name, test := range map[string]struct {
		routes []Route
		why    string
	}{
		"duplicate":           {[]Route{good, route(t, "GET /good")}, "same requests"},
		"duplicate by shape":  {[]Route{good, route(t, "GET /a/{x}"), route(t, "GET /a/{y}")}, "same requests"},
		"duplicate greedy":    {[]Route{good, route(t, "ANY /{a+}"), route(t, "ANY /{b+}")}, "same requests"},
		"duplicate $default":  {[]Route{route(t, "$default"), {Path: DefaultPath, Function: "f"}}, "same requests"},
		"method of $default":  {[]Route{good, {Method: "GET", Path: DefaultPath, Function: "f"}}, "takes no method"},
		"function":            {[]Route{good, with(func(r *Route) { r.Function = "a b" })}, "function name"},
		"qualifier":           {[]Route{good, with(func(r *Route) { r.Qualifier = "a b" })}, "version or an alias"},
		"payload":             {[]Route{good, with(func(r *Route) { r.Payload = 9 })}, "unknown"},
		"content type":        {[]Route{good, with(func(r *Route) { r.ContentType = "text/plain" })}, "content type"},
		"content type splits": {[]Route{good, with(func(r *Route) { r.Payload, r.ContentType = PayloadRaw, "a\r\nb: c" })}, "not a content type"},
		"CORS":                {[]Route{good, with(func(r *Route) { r.CORS = &CORS{} })}, "no origin"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewTable(test.routes)
			var wrong *RouteError
			if !errors.As(err, &wrong) || !strings.Contains(wrong.Why, test.why) {
				t.Fatalf("got %v, want %q", err, test.why)
			}
			if last := test.routes[len(test.routes)-1].Key(); wrong.Route != last {
				t.Errorf("the error names %q, want %q", wrong.Route, last)
			}
		})
	}
}

// find returns the key of the route that serves a request, and its parameters.
func find(table *Table, m, path string) (string, []string) {
	var params captured
	found := table.match(methodOf([]byte(m)), []byte(path), &params)
	if found == nil {
		return "", nil
	}
	var values []string
	for _, v := range params.values[:params.n] {
		values = append(values, string(v))
	}
	return found.key, values
}

// TestMatchAWSExample is the table of AWS's page "Create routes for HTTP APIs".
func TestMatchAWSExample(t *testing.T) {
	table := mustTable(t, route(t, "GET /pets/dog/1"), route(t, "GET /pets/dog/{id}"),
		route(t, "GET /pets/{proxy+}"), route(t, "ANY /{proxy+}"), route(t, "$default"))
	for _, test := range []struct{ method, path, want string }{
		{"GET", "/pets/dog/1", "GET /pets/dog/1"},
		{"GET", "/pets/dog/2", "GET /pets/dog/{id}"},
		{"GET", "/pets/cat/1", "GET /pets/{proxy+}"},
		{"POST", "/test/5", "ANY /{proxy+}"},
		{"GET", "/", "$default"},
	} {
		if got, _ := find(table, test.method, test.path); got != test.want {
			t.Errorf("%s %s: got %q, want %q", test.method, test.path, got, test.want)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		routes, method, path, want string
		params                     []string
	}{
		{"GET /", "GET", "/", "GET /", nil},
		{"GET /", "POST", "/", "", nil},
		{"GET /a", "GET", "/A", "", nil},
		{"ANY /a|GET /a", "GET", "/a", "GET /a", nil},
		{"ANY /a|GET /a", "POST", "/a", "ANY /a", nil},
		{"ANY /a|GET /{x}", "GET", "/a", "ANY /a", nil},
		{"GET /a/b|POST /a/{x}", "POST", "/a/b", "POST /a/{x}", []string{"b"}},
		{"GET /a/b|GET /{x}/c", "GET", "/a/c", "GET /{x}/c", []string{"a"}},
		{"GET /a/{p+}|GET /{x}/b", "GET", "/a/b", "GET /{x}/b", []string{"a"}},
		{"GET /{p+}|GET /{x}/{q+}", "GET", "/a/b/c", "GET /{x}/{q+}", []string{"a", "b/c"}},
		{"GET /{p+}|GET /{x}/{q+}", "GET", "/a", "GET /{p+}", []string{"a"}},
		{"GET /{x}/y/{p+}|POST /{q+}", "POST", "/a/y/b", "POST /{q+}", []string{"a/y/b"}},
		// methods
		{"GET /a", "HEAD", "/a", "GET /a", nil},
		{"GET /a|HEAD /a", "HEAD", "/a", "HEAD /a", nil},
		{"GET /a|ANY /a", "HEAD", "/a", "ANY /a", nil},
		{"GET /a|$default", "HEAD", "/a", "GET /a", nil},
		{"ANY /a", "PROPFIND", "/a", "ANY /a", nil},
		{"GET /a", "PROPFIND", "/a", "", nil},
		{"GET /a", "ANY", "/a", "", nil},
		{"GET /a", "get", "/a", "", nil},
		{"ANY /a|$default", "TRACE", "/a", "", nil},
		{"ANY /a|$default", "CONNECT", "/a", "", nil},
		{"$default", "OPTIONS", "*", "$default", nil},
		{"ANY /{p+}", "OPTIONS", "*", "", nil},
		// slashes
		{"GET /a", "GET", "/a/", "", nil},
		{"GET /a/{x}", "GET", "/a/", "", nil},
		{"GET /a/{x+}", "GET", "/a/", "", nil},
		{"GET /a/{x+}", "GET", "/a", "", nil},
		{"GET /a/{x+}", "GET", "/a//", "GET /a/{x+}", []string{"/"}},
		{"GET /a/{x+}", "GET", "/a/b/", "GET /a/{x+}", []string{"b/"}},
		{"GET /{x+}", "GET", "/", "", nil},
		{"GET /", "GET", "//", "", nil},
		{"GET /a/b", "GET", "/a//b", "", nil},
		{"GET /a/{x}/b", "GET", "/a//b", "", nil},
		// percent-encoding and dots
		{"GET /a/b", "GET", "/%61/b", "GET /a/b", nil},
		{"GET /a/b", "GET", "/a%2Fb", "", nil},
		{"GET /a/b", "GET", "/a%2fb", "", nil},
		{"GET /{x}", "GET", "/a%2Fb", "GET /{x}", []string{"a%2Fb"}},
		{"GET /a", "GET", "/%6", "", nil},
		{"GET /a", "GET", "/%zz", "", nil},
		{"GET /a", "GET", "/%2561", "", nil},
		{"GET /b", "GET", "/a/../b", "", nil},
		{"GET /{x}/{y}/b", "GET", "/a/../b", "GET /{x}/{y}/b", []string{"a", ".."}},
		{"GET /a", "GET", "/" + strings.Repeat("%61", 4*MaxSegmentBytes), "", nil},
		{"GET /a", "GET", "", "", nil},
	} {
		var routes []Route
		for text := range strings.SplitSeq(test.routes, "|") {
			routes = append(routes, route(t, text))
		}
		got, params := find(mustTable(t, routes...), test.method, test.path)
		if got != test.want || !slices.Equal(params, test.params) {
			t.Errorf("%s: %s %.60s: got %q %q, want %q %q", test.routes, test.method, test.path, got, params, test.want, test.params)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	table := mustTable(t, route(t, "GET /a/{x}/{y+}"), route(t, "GET /a/b"))
	path, encoded := []byte("/a/one/two/three"), []byte("/a/%62")
	var params captured
	if n := testing.AllocsPerRun(100, func() {
		table.match(methodGet, path, &params)
		table.match(methodGet, encoded, &params)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzRoutes holds a match against what it says: the route's path with the
// captured values in place is the request's path.
func FuzzRoutes(f *testing.F) {
	f.Add("GET /a/{x}\nANY /{p+}\n$default", "GET", "/a/b")
	f.Add("GET /a/{x}/c\nGET /a/b/{y+}", "HEAD", "/a/%62/c")
	f.Add("POST /\nGET /{x}", "POST", "//")
	f.Add("GET /é", "GET", "/%c3%a9")
	f.Fuzz(func(t *testing.T, text, m, path string) {
		var routes []Route
		for line := range strings.SplitSeq(text, "\n") {
			method, p, err := ParseRoute(line)
			if err != nil {
				var wrong *RouteError
				if !errors.As(err, &wrong) {
					t.Fatalf("ParseRoute(%q): %T", line, err)
				}
				continue
			}
			routes = append(routes, Route{Method: method, Path: p, Function: "f"})
		}
		table, err := NewTable(routes)
		if err != nil {
			return
		}
		if table.Len() != len(routes) {
			t.Fatalf("%d routes of %d", table.Len(), len(routes))
		}
		var params captured
		found := table.match(methodOf([]byte(m)), []byte(path), &params)
		if found == nil {
			return
		}
		if len(found.names) != params.n {
			t.Fatalf("%s: %d names, %d values", found.key, len(found.names), params.n)
		}
		if found.route.Path == DefaultPath || found.route.Path == "/" {
			return
		}
		rest, value := []byte(path), 0
		for part := range strings.SplitSeq(found.route.Path[1:], "/") {
			if strings.HasSuffix(part, "+}") {
				if !bytes.Equal(rest[1:], params.values[value]) || len(rest) < 2 {
					t.Fatalf("%s: %q captured %q", found.key, path, params.values[value])
				}
				return
			}
			var name []byte
			name, rest = cutSegment(rest)
			if strings.HasPrefix(part, "{") {
				if !bytes.Equal(name, params.values[value]) || len(name) == 0 {
					t.Fatalf("%s: %q captured %q", found.key, path, params.values[value])
				}
				value++
			} else if string(appendUnescaped(nil, name, false)) != part {
				t.Fatalf("%s matched %q", found.key, path)
			}
		}
		if len(rest) != 0 {
			t.Fatalf("%s: %q is left of %q", found.key, rest, path)
		}
	})
}
