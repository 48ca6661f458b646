package scheduler

import (
	"encoding/json"
	"reflect"
	"testing"

	"ledge/persist"
	"ledge/scheduler/pattern"
)

func TestAttribute(t *testing.T) {
	for value, want := range map[string]string{
		``:                         `{"S":""}`,
		`text`:                     `{"S":"text"}`,
		"say \"hi\"\n\\":           `{"S":"say \"hi\"\u000a\\"}`,
		`"text"`:                   `{"S":"text"}`,
		` "\u00e9\"\\" `:           `{"S":"\u00e9\"\\"}`,
		`42`:                       `{"N":"42"}`,
		`-1.50e+3`:                 `{"N":"-1.50e+3"}`,
		`9007199254740993`:         `{"N":"9007199254740993"}`,
		`true`:                     `{"BOOL":true}`,
		`false`:                    `{"BOOL":false}`,
		`null`:                     `{"NULL":true}`,
		`[]`:                       `{"L":[]}`,
		`{}`:                       `{"M":{}}`,
		"[ 1 ,\t\"a\",[ ] , { } ]": `{"L":[{"N":"1"},{"S":"a"},{"L":[]},{"M":{}}]}`,
		`{ "a" : { "b" : [ true , null ] } , "c" : 1 }`: `{"M":{"a":{"M":{"b":{"L":[{"BOOL":true},{"NULL":true}]}}},"c":{"N":"1"}}}`,
		`{"a":1`:     `{"S":"{\"a\":1"}`,
		`1 2`:        `{"S":"1 2"}`,
		"\xff\x00":   `{"B":"/wA="}`,
		"\"\xff\"":   `{"B":"Iv8i"}`,
		`{"a}":"]"}`: `{"M":{"a}":{"S":"]"}}}`,
	} {
		if got := string(appendAttribute(nil, []byte(value))); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
}

// FuzzRecord: a record is JSON whatever is in it, and what filters see of it is what
// the function gets.
func FuzzRecord(f *testing.F) {
	for _, seed := range []string{``, `x`, `{"a":[1,"b",null,true,{}]}`, "\xff", `"\ud800"`, `[[[1e5]]]`, ` 1 `} {
		f.Add("key", []byte(seed), []byte(seed), true)
	}
	s := &source{arn: "arn:aws:dynamodb:local:000000000000:table/b/stream/x", bucket: "b", region: "local"}
	f.Fuzz(func(t *testing.T, key string, value, old []byte, expired bool) {
		c := &persist.Change{Sequence: 7, Kind: persist.ChangeModify, Key: key, New: value, Old: old, Expired: expired}
		text := s.appendRecord(nil, c, true)
		var sent any
		if err := json.Unmarshal(text, &sent); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		seen, err := json.Marshal(plain(s.record(c)))
		if err != nil {
			t.Fatal(err)
		}
		var filtered any
		if err := json.Unmarshal(seen, &filtered); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(sent, filtered) {
			t.Errorf("sent\n%s\nfiltered\n%s", text, seen)
		}
	})
}

// plain makes the numerals of a record strings again.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = plain(member)
		}
	case []any:
		for i, element := range v {
			v[i] = plain(element)
		}
	case pattern.Numeral:
		return string(v)
	}
	return value
}
