package scheduler

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"unicode/utf8"

	"ledge/persist"
	"ledge/scheduler/pattern"
)

// Patterns checks filter patterns for the control plane.
type Patterns struct{}

// Check says what is wrong with a filter pattern, with the member that it is wrong in.
func (Patterns) Check(text string) error {
	_, err := pattern.Parse(text)
	return err
}

// filter says which changes a feed wants; the zero value wants all.
type filter []*pattern.Pattern

func parseFilter(texts []string) (filter, error) {
	var f filter
	for i, text := range texts {
		p, err := pattern.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("filter %d: %w", i+1, err)
		}
		f = append(f, p)
	}
	return f, nil
}

// wants reports whether one of the patterns matches the record of a change. It sees
// the values of the record that appendRecord writes, without writing it: most changes
// may be unwanted.
func (f filter) wants(s *source, c *persist.Change) bool {
	if len(f) == 0 {
		return true
	}
	record := s.record(c)
	for _, p := range f {
		if p.Match(record) {
			return true
		}
	}
	return false
}

type members = map[string]any

func (s *source) record(c *persist.Change) members {
	key := members{"key": textAttribute([]byte(c.Key))}
	stream := members{
		"ApproximateCreationDateTime": json.Number(strconv.FormatInt(c.Time.Unix(), 10)),
		"Keys":                        key,
		"SequenceNumber":              strconv.FormatUint(c.Sequence, 10),
		"SizeBytes":                   json.Number(strconv.Itoa(changeSize(c))),
		"StreamViewType":              "NEW_AND_OLD_IMAGES",
	}
	for name, value := range map[string][]byte{"NewImage": c.New, "OldImage": c.Old} {
		if value != nil {
			stream[name] = members{"key": key["key"], "value": attribute(value)}
		}
	}
	record := members{
		"eventID": string(s.appendEventID(nil, c.Sequence)), "eventName": c.Kind, "eventVersion": "1.1",
		"eventSource": "aws:dynamodb", "awsRegion": s.region, "dynamodb": stream, "eventSourceARN": s.arn,
	}
	if c.Expired {
		record["userIdentity"] = members{"principalId": expiryPrincipal, "type": "Service"}
	}
	return record
}

// attribute is the attribute value that appendAttribute writes.
func attribute(value []byte) any {
	if utf8.Valid(value) && json.Valid(value) {
		decoder := json.NewDecoder(bytes.NewReader(value))
		decoder.UseNumber()
		var decoded any
		if decoder.Decode(&decoded) == nil { // it is valid
			return typed(decoded)
		}
	}
	return textAttribute(value)
}

func textAttribute(text []byte) any {
	if utf8.Valid(text) {
		return members{"S": string(text)}
	}
	return members{"B": base64.StdEncoding.EncodeToString(text)}
}

// typed names the type of each value, as DynamoDB does.
func typed(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = typed(member)
		}
		return members{"M": v}
	case []any:
		for i, element := range v {
			v[i] = typed(element)
		}
		return members{"L": v}
	case json.Number:
		return members{"N": pattern.Numeral(v)}
	case bool:
		return members{"BOOL": v}
	case nil:
		return members{"NULL": true}
	}
	return members{"S": value}
}

// laneOf says which of a feed's lanes has a key. It is stored with the lanes' places,
// so it must stay what it is.
func laneOf(key string, lanes int) int {
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32() % uint32(lanes))
}
