package pattern

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// matchJSON is Match for an event in JSON. What is no JSON matches nothing.
func matchJSON(p *Pattern, event string) bool {
	decoder := json.NewDecoder(strings.NewReader(event))
	decoder.UseNumber()
	var value any
	return decoder.Decode(&value) == nil && p.Match(value)
}

// TestOperators is the table of
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html,
// each operator with what it matches and what it does not.
func TestOperators(t *testing.T) {
	for _, test := range []struct {
		name, pattern string
		matches, not  []string
	}{
		{"exact", `{"detail":{"state":["running","stopped"]},"source":["aws.ec2"]}`,
			[]string{`{"source":"aws.ec2","detail":{"state":"running","more":1}}`},
			[]string{`{"source":"aws.ec2","detail":{"state":"pending"}}`, `{"source":"aws.ec2"}`, `{"source":["x"],"detail":{"state":"running"}}`, `{"source":"aws.ec2","detail":"state"}`}},
		{"array of the event", `{"a":["x","y"]}`, []string{`{"a":["z","y"]}`, `{"a":[["x"]]}`}, []string{`{"a":[]}`, `{"a":["z"]}`, `{"a":{"x":1}}`}},
		{"null", `{"a":[null]}`, []string{`{"a":null}`, `{"a":[1,null]}`}, []string{`{}`, `{"a":""}`, `{"a":0}`}},
		{"empty", `{"a":[""]}`, []string{`{"a":""}`}, []string{`{}`, `{"a":null}`, `{"a":" "}`, `{"a":[]}`}},
		{"numbers", `{"a":[300]}`, []string{`{"a":300}`, `{"a":300.0}`, `{"a":3.0e2}`, `{"a":3E+2}`}, []string{`{"a":"300"}`, `{"a":301}`, `{"a":3}`}},
		{"large numbers", `{"a":[9007199254740993]}`, []string{`{"a":9007199254740993}`}, []string{`{"a":9007199254740992}`}},
		{"true", `{"a":[true]}`, []string{`{"a":true}`}, []string{`{"a":false}`, `{"a":"true"}`, `{}`}},
		{"prefix", `{"time":[{"prefix":"2017-10-02"}]}`, []string{`{"time":"2017-10-02T18:43:48Z"}`, `{"time":"2017-10-02"}`}, []string{`{"time":"2017-10-03"}`, `{}`, `{"time":20171002}`}},
		{"prefix of any case", `{"service":{"name":[{"prefix":{"equals-ignore-case":"EventB"}}]}}`,
			[]string{`{"service":{"name":"EVENTBRIDGE"}}`, `{"service":{"name":"eventb"}}`}, []string{`{"service":{"name":"event"}}`, `{"service":{"name":""}}`}},
		{"suffix", `{"file":[{"suffix":".png"}]}`, []string{`{"file":"a.png"}`, `{"file":".png"}`}, []string{`{"file":"a.PNG"}`, `{"file":"png"}`}},
		{"suffix of any case", `{"file":[{"suffix":{"equals-ignore-case":".Ång"}}]}`, []string{`{"file":"a.ÅNG"}`, `{"file":"a.ång"}`}, []string{`{"file":"a.png"}`, `{"file":"g"}`}},
		{"equals-ignore-case", `{"a":[{"equals-ignore-case":"alice"}]}`, []string{`{"a":"ALICE"}`}, []string{`{"a":"alices"}`, `{"a":1}`}},
		{"wildcard", `{"a":[{"wildcard":"dir/*/file*.png"}]}`, []string{`{"a":"dir/x/file1.png"}`, `{"a":"dir/x/y/file.png"}`, `{"a":"dir//file.png"}`},
			[]string{`{"a":"dir/file.png"}`, `{"a":"dir/x/file.jpg"}`, `{"a":7}`}},
		{"wildcard that overlaps", `{"a":[{"wildcard":"ab*ba"}]}`, []string{`{"a":"abba"}`, `{"a":"abxba"}`}, []string{`{"a":"aba"}`}},
		{"wildcard alone", `{"a":[{"wildcard":"*"}]}`, []string{`{"a":""}`, `{"a":"x"}`}, []string{`{}`, `{"a":1}`}},
		{"wildcard without one", `{"a":[{"wildcard":"x"}]}`, []string{`{"a":"x"}`}, []string{`{"a":"xx"}`}},
		{"wildcard with escapes", `{"a":[{"wildcard":"a\\*b\\\\*c"}]}`, []string{`{"a":"a*b\\c"}`, `{"a":"a*b\\xc"}`}, []string{`{"a":"axb\\c"}`}},
		{"wildcard three times", `{"a":[{"wildcard":"*a*a*"}]}`, []string{`{"a":"aa"}`, `{"a":"xaxax"}`}, []string{`{"a":"a"}`}},
		{"numeric", `{"a":[{"numeric":[">",0,"<=",5]}]}`, []string{`{"a":5}`, `{"a":0.1}`, `{"a":1e-300}`}, []string{`{"a":0}`, `{"a":5.0000000000000000001}`, `{"a":-1}`, `{"a":"3"}`, `{}`}},
		{"numeric equal", `{"a":[{"numeric":["=",301.80]}]}`, []string{`{"a":301.8}`}, []string{`{"a":301.81}`}},
		{"numeric less", `{"a":[{"numeric":["<",-10]}]}`, []string{`{"a":-10.5}`, `{"a":-11}`, `{"a":-1e9}`}, []string{`{"a":-10}`, `{"a":-9}`, `{"a":0}`, `{"a":1e9}`}},
		{"numeric at least", `{"a":[{"numeric":[">=",10]}]}`, []string{`{"a":10}`, `{"a":1e1}`, `{"a":100}`}, []string{`{"a":9.999}`}},
		{"cidr", `{"ip":[{"cidr":"10.0.0.0/24"}]}`, []string{`{"ip":"10.0.0.255"}`, `{"ip":"::ffff:10.0.0.1"}`}, []string{`{"ip":"10.0.1.0"}`, `{"ip":"10.0.0"}`, `{"ip":10}`}},
		{"cidr of version 6", `{"ip":[{"cidr":"2001:db8::/32"}]}`, []string{`{"ip":"2001:db8:1::1"}`}, []string{`{"ip":"2001:db9::"}`, `{"ip":"10.0.0.1"}`}},
		{"exists", `{"d":{"c":[{"exists":true}]}}`, []string{`{"d":{"c":1}}`, `{"d":{"c":null}}`, `{"d":{"c":["x"]}}`}, []string{`{"d":{}}`, `{}`, `{"d":{"c":{"x":1}}}`, `{"d":{"c":[]}}`}},
		{"exists not", `{"d":{"c":[{"exists":false}]}}`, []string{`{"d":{}}`, `{}`, `{"d":1}`, `{"d":{"c":{"x":1}}}`}, []string{`{"d":{"c":1}}`, `{"d":{"c":null}}`}},
		{"missing or of a value", `{"c":["x",{"exists":false}]}`, []string{`{}`, `{"c":"x"}`}, []string{`{"c":"y"}`}},
		{"anything-but", `{"a":[{"anything-but":"x"}]}`, []string{`{"a":"y"}`, `{"a":1}`, `{"a":["x","y"]}`}, []string{`{"a":"x"}`, `{}`}},
		{"anything-but numbers", `{"a":[{"anything-but":[100,200]}]}`, []string{`{"a":300}`, `{"a":"100"}`}, []string{`{"a":100}`, `{"a":2e2}`}},
		{"anything-but a number", `{"a":[{"anything-but":123}]}`, []string{`{"a":124}`}, []string{`{"a":123}`}},
		{"anything-but texts", `{"a":[{"anything-but":["x","y"]}]}`, []string{`{"a":"z"}`}, []string{`{"a":"y"}`}},
		{"anything-but prefix", `{"a":[{"anything-but":{"prefix":"init"}}]}`, []string{`{"a":"x"}`}, []string{`{"a":"initialised"}`, `{}`}},
		{"anything-but suffixes", `{"a":[{"anything-but":{"suffix":[".txt",".rtf"]}}]}`, []string{`{"a":"a.png"}`}, []string{`{"a":"a.txt"}`, `{"a":"a.rtf"}`}},
		{"anything-but of any case", `{"a":[{"anything-but":{"equals-ignore-case":["Init","Off"]}}]}`, []string{`{"a":"on"}`}, []string{`{"a":"OFF"}`}},
		{"anything-but wildcard", `{"a":[{"anything-but":{"wildcard":"*/lib/*"}}]}`, []string{`{"a":"/bin/x"}`}, []string{`{"a":"/usr/lib/x"}`}},
		{"or", `{"detail":{"$or":[{"c-count":[{"numeric":[">",0]}]},{"d":["x"],"e":["y"]}],"z":["1"]}}`,
			[]string{`{"detail":{"c-count":1,"z":"1"}}`, `{"detail":{"d":"x","e":"y","z":"1"}}`}, []string{`{"detail":{"d":"x","z":"1"}}`, `{"detail":{"c-count":1}}`}},
		{"or at the top", `{"$or":[{"a":[1]},{"b":{"c":[2]}}]}`, []string{`{"a":1}`, `{"b":{"c":2}}`}, []string{`{"a":2,"b":{"c":1}}`, `{}`}},
		{"or in or", `{"$or":[{"$or":[{"a":[1]},{"a":[2]}]},{"a":[3]}]}`, []string{`{"a":2}`, `{"a":3}`}, []string{`{"a":4}`}},
		{"objects in an array", `{"a":{"b":[1],"c":[2]}}`, []string{`{"a":[{"b":1,"c":2}]}`, `{"a":[{"b":9},[{"b":1,"c":2}]]}`}, []string{`{"a":[{"b":1},{"c":2}]}`, `{"a":[]}`}},
		{"everything", `{}`, []string{`{}`, `{"a":1}`}, []string{`x`}},
		{"an event that is no object", `{"a":[1]}`, nil, []string{`1`, `null`, `"a"`}},
	} {
		p, err := Parse(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for _, event := range test.matches {
			if !matchJSON(p, event) {
				t.Errorf("%s: %s does not match %s", test.name, test.pattern, event)
			}
		}
		for _, event := range test.not {
			if matchJSON(p, event) {
				t.Errorf("%s: %s matches %s", test.name, test.pattern, event)
			}
		}
	}
}

// TestNumeral: a number of DynamoDB's is text to AWS, and here both.
func TestNumeral(t *testing.T) {
	event := map[string]any{"N": Numeral("20.50")}
	for pattern, want := range map[string]bool{
		`{"N":["20.50"]}`: true, `{"N":["20.5"]}`: false, `{"N":[20.5]}`: true, `{"N":[{"numeric":[">",20]}]}`: true,
		`{"N":[{"numeric":["<",20]}]}`: false, `{"N":[{"prefix":"20"}]}`: true, `{"N":[{"anything-but":[20.5]}]}`: false, `{"N":[{"exists":true}]}`: true,
	} {
		p, err := Parse(pattern)
		if err != nil || p.Match(event) != want {
			t.Errorf("%s: %v, %v", pattern, !want, err)
		}
	}
}

func TestBadPatterns(t *testing.T) {
	for pattern, want := range map[string]string{
		``:                                    "ends too early",
		`[`:                                   "must be a JSON object, not an array",
		`null`:                                "must be a JSON object, not null",
		`"x"`:                                 `must be a JSON object, not "x"`,
		`{"a":`:                               "a: the JSON ends too early",
		`{"a":["b"]} x`:                       "more text",
		`{"a" 1}`:                             "not JSON",
		`{"a":"b"}`:                           `a: it must be an object or an array, not "b"; write ["b"]`,
		`{"a":{"b":1}}`:                       "a.b: it must be an object or an array, not 1",
		`{"a":null}`:                          "a: it must be an object or an array, not null",
		`{"a":[]}`:                            "a: an empty array matches nothing",
		`{"a":{}}`:                            "a: an empty object matches nothing",
		`{"a":["x"],"a":["y"]}`:               "a: it is there twice",
		`{"a":[["x"]]}`:                       "an array cannot be in an array",
		`{"a":[{}]}`:                          "a: an empty object is no operator",
		`{"a":[{"starts":"x"}]}`:              "a.starts: there is no such operator; there are prefix",
		`{"a":[{"prefix":"x","suffix":"y"}]}`: `"suffix" is a second operator`,
		`{"a":[{"prefix":1}]}`:                "a.prefix: it must be a string, not 1",
		`{"a":[{"prefix":["x"]}]}`:            "a.prefix: it must be a string, not an array",
		`{"a":[{"prefix":{"x":"y"}}]}`:        "equals-ignore-case",
		`{"a":[{"suffix":{"equals-ignore-case":1}}]}`:                     "must be a string, not 1",
		`{"a":[{"equals-ignore-case":{"prefix":"x"}}]}`:                   "must be a string, not an object",
		`{"a":[{"wildcard":"a**b"}]}`:                                     "two * in a row",
		`{"a":[{"wildcard":"a\\b"}]}`:                                     `\ must be followed by`,
		`{"a":[{"wildcard":"a\\"}]}`:                                      `\ must be followed by`,
		`{"a":[{"exists":"true"}]}`:                                       "must be true or false",
		`{"a":[{"cidr":"10.0.0.0"}]}`:                                     "is not a network",
		`{"a":[{"cidr":10}]}`:                                             "must be a string",
		`{"a":[{"numeric":5}]}`:                                           "array of an operator and a number",
		`{"a":[{"numeric":[]}]}`:                                          "array of an operator and a number",
		`{"a":[{"numeric":[">"]}]}`:                                       "> must be followed by a number",
		`{"a":[{"numeric":[">","5"]}]}`:                                   "> must be followed by a number",
		`{"a":[{"numeric":["!=",5]}]}`:                                    `"!=" is not one of`,
		`{"a":[{"numeric":[">",5,"<",5]}]}`:                               "lower bound must be less",
		`{"a":[{"numeric":[">",5,">",6]}]}`:                               "a lower and an upper one",
		`{"a":[{"numeric":["=",5,"<",6]}]}`:                               "a lower and an upper one",
		`{"a":[{"numeric":[">",1,"<",2,"<",3]}]}`:                         "two of that",
		`{"a":[{"numeric":[">",1e99999999999]}]}`:                         "exponent",
		`{"a":[1e99999999]}`:                                              "exponent",
		`{"a":[{"anything-but":null}]}`:                                   "not null",
		`{"a":[{"anything-but":[]}]}`:                                     "an empty array excludes nothing",
		`{"a":[{"anything-but":[null]}]}`:                                 "strings or numbers",
		`{"a":[{"anything-but":{}}]}`:                                     "an empty object excludes nothing",
		`{"a":[{"anything-but":{"numeric":["=",1]}}]}`:                    "there is no such operator",
		`{"a":[{"anything-but":{"prefix":[]}}]}`:                          "an empty array excludes nothing",
		`{"a":[{"anything-but":{"prefix":[1]}}]}`:                         "array of strings",
		`{"$or":{"a":["x"]}}`:                                             "$or: $or must be an array",
		`{"$or":[{"a":["x"]}]}`:                                           "two patterns or more",
		`{"$or":["x","y"]}`:                                               `and "x" is none`,
		"{\"a\":[\"\xff\"]}":                                              "not UTF-8",
		`{"a":["` + strings.Repeat("x", maxBytes) + `"]}`:                 "at most 4096",
		strings.Repeat(`{"a":`, 100) + `["x"]` + strings.Repeat("}", 100): "nested more than 32 deep",
	} {
		_, err := Parse(pattern)
		var bad *Error
		if err == nil || !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", pattern, err, want)
		}
	}
}

// TestWildcardTime: many stars against a long text that almost matches end at once.
func TestWildcardTime(t *testing.T) {
	p, err := Parse(`{"a":[{"wildcard":"` + strings.Repeat("*a", 1500) + `*b"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if p.Match(map[string]any{"a": strings.Repeat("a", 1<<20)}) {
		t.Error("it matches without a b")
	}
}

// FuzzPattern looks for patterns and events that panic, and for patterns that are not
// the same as either of two of them.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{
		`{"a":["x",{"prefix":"y"},{"numeric":[">",0,"<=",5]}]}`, `{"$or":[{"a":[{"wildcard":"a*b"}]},{"b":[{"exists":false}]}]}`,
		`{"a":{"b":[{"anything-but":{"suffix":["x"]}},null,true,1e5,{"cidr":"::/0"}]}}`, `{"a":[{"prefix":{"equals-ignore-case":"ß"}}]}`,
	} {
		f.Add(seed, `{"a":["xyz",{"b":[1,null,"SS"]}],"b":1.5e3}`)
	}
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := Parse(pattern)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if !json.Valid([]byte(pattern)) {
			t.Errorf("%q was parsed and is not JSON", pattern)
		}
		either, err := Parse(`{"$or":[` + pattern + "," + pattern + `]}`)
		if err != nil { // too long or too deep, or empty
			return
		}
		if matchJSON(p, event) != matchJSON(either, event) {
			t.Errorf("%s and %s: it matches %v, and with $or it does not agree", pattern, event, matchJSON(p, event))
		}
	})
}

// FuzzDecimal compares with floats where those are exact.
func FuzzDecimal(f *testing.F) {
	for _, seed := range []string{"0", "-0", "1", "10", "0.1", "-1.5e3", "1e-2", "00"} {
		f.Add(seed, "1.0")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := parseDecimal(a)
		y, errY := parseDecimal(b)
		if errX != nil || errY != nil {
			return
		}
		if x.compare(y) != -y.compare(x) || x.compare(x) != 0 {
			t.Errorf("%s and %s: %d and %d", a, b, x.compare(y), y.compare(x))
		}
		var u, v float64
		if json.Unmarshal([]byte(a), &u) != nil || json.Unmarshal([]byte(b), &v) != nil {
			return
		}
		if u < v && x.compare(y) >= 0 || u > v && x.compare(y) <= 0 {
			t.Errorf("%s and %s: %d", a, b, x.compare(y))
		}
	})
}

// TestManyAlternatives: how long a list in a pattern is costs nothing for each value of
// an event. Work that was done for each pair of them would show as allocations.
func TestManyAlternatives(t *testing.T) {
	decoder := json.NewDecoder(strings.NewReader(`{"a":[` + strings.Repeat(`2,"x",`, 500) + `3]}`))
	decoder.UseNumber()
	var event any
	if err := decoder.Decode(&event); err != nil {
		t.Fatal(err)
	}
	allocations := func(alternatives string) float64 {
		p, err := Parse(`{"a":[` + alternatives + `]}`)
		if err != nil {
			t.Fatal(err)
		}
		return testing.AllocsPerRun(5, func() {
			if p.Match(event) {
				t.Errorf("%.20s matches", alternatives)
			}
		})
	}
	for _, one := range []string{`1`, `"y"`, `{"numeric":["<",0]}`} {
		few, many := allocations(one), allocations(one+strings.Repeat(","+one, 4000/len(one)/2))
		if many > few {
			t.Errorf("%s: %v allocations, and %v for many of it", one, few, many)
		}
	}
}
