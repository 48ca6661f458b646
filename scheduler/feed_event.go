package scheduler

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"strconv"
	"unicode/utf8"

	"ledge/persist"
)

// source is where the changes of a feed come from, as its events name it.
type source struct {
	arn    string // of the stream
	bucket string
	region string
}

// appendRecord appends a change as AWS Lambda gets it from DynamoDB Streams
// (https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html). Images may be left
// out, where they make the event too large for what is to become of it.
func (s *source) appendRecord(b []byte, c *persist.Change, images bool) []byte {
	b = append(b, `{"eventID":"`...)
	b = s.appendEventID(b, c.Sequence)
	b = append(b, `","eventName":"`...)
	b = append(b, c.Kind...)
	b = append(b, `","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":`...)
	b = appendString(b, s.region)
	b = append(b, `,"dynamodb":{"ApproximateCreationDateTime":`...)
	b = strconv.AppendInt(b, c.Time.Unix(), 10)
	b = append(b, `,"Keys":{"key":`...)
	b = appendText(b, []byte(c.Key))
	b = append(b, '}')
	view := "KEYS_ONLY"
	if images {
		view = "NEW_AND_OLD_IMAGES"
		b = appendImage(b, "NewImage", c.Key, c.New)
		b = appendImage(b, "OldImage", c.Key, c.Old)
	}
	b = append(b, `,"SequenceNumber":"`...)
	b = strconv.AppendUint(b, c.Sequence, 10)
	b = append(b, `","SizeBytes":`...)
	b = strconv.AppendInt(b, int64(changeSize(c)), 10)
	b = append(b, `,"StreamViewType":"`...)
	b = append(b, view...)
	b = append(b, `"},"eventSourceARN":`...)
	b = appendString(b, s.arn)
	if c.Expired {
		b = append(b, `,"userIdentity":{"principalId":"`+expiryPrincipal+`","type":"Service"}`...)
	}
	return append(b, '}')
}

// expiryPrincipal says that a key was removed because its time to live was over
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html).
const expiryPrincipal = "dynamodb.amazonaws.com"

// changeSize is the bytes of keys and images.
func changeSize(c *persist.Change) int { return len(c.Key) + len(c.Old) + len(c.New) }

// appendEventID appends 32 digits that are the same each time that a change is
// delivered, and others for every other change of the node.
func (s *source) appendEventID(b []byte, sequence uint64) []byte {
	h := fnv.New128a()
	h.Write([]byte(s.bucket))
	h.Write([]byte{0})
	h.Write(strconv.AppendUint(nil, sequence, 10))
	const digits = "0123456789abcdef"
	for _, c := range h.Sum(nil) {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}

func appendImage(b []byte, name, key string, value []byte) []byte {
	if value == nil {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":{"key":`...)
	b = appendText(b, []byte(key))
	b = append(b, `,"value":`...)
	b = appendAttribute(b, value)
	return append(b, '}')
}

// appendAttribute appends a value as an attribute value of DynamoDB
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html).
func appendAttribute(b, value []byte) []byte {
	if !utf8.Valid(value) || !json.Valid(value) {
		return appendText(b, value)
	}
	w := attributeWriter{out: b, in: value}
	w.value()
	return w.out
}

// appendText appends what is not JSON: UTF-8 as S, and anything else as B.
func appendText(b, text []byte) []byte {
	if utf8.Valid(text) {
		b = append(b, `{"S":`...)
		b = appendString(b, string(text))
	} else {
		b = append(b, `{"B":"`...)
		b = base64.StdEncoding.AppendEncode(b, text)
		b = append(b, '"')
	}
	return append(b, '}')
}

// appendString appends text, which is UTF-8, as a JSON string.
func appendString(b []byte, text string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// attributeWriter rewrites JSON that is known to be valid, in one pass: numbers and
// strings keep their text, so nothing is rounded.
type attributeWriter struct{ out, in []byte }

// value rewrites the next value. It calls itself as deep as json.Valid goes, ten
// thousand times.
func (w *attributeWriter) value() {
	w.space()
	switch w.in[0] {
	case '{':
		w.out = append(w.out, `{"M":{`...)
		w.members('}', func() {
			w.out = append(w.out, w.string()...)
			w.space()
			w.in = w.in[1:] // the colon
			w.out = append(w.out, ':')
			w.value()
		})
		w.out = append(w.out, "}}"...)
	case '[':
		w.out = append(w.out, `{"L":[`...)
		w.members(']', w.value)
		w.out = append(w.out, "]}"...)
	case '"':
		w.leaf("S", w.string())
	case 't':
		w.in = w.in[len("true"):]
		w.leaf("BOOL", []byte("true"))
	case 'f':
		w.in = w.in[len("false"):]
		w.leaf("BOOL", []byte("false"))
	case 'n':
		w.in = w.in[len("null"):]
		w.leaf("NULL", []byte("true"))
	default:
		n := 0
		for n < len(w.in) && w.in[n] > ' ' && w.in[n] != ',' && w.in[n] != ']' && w.in[n] != '}' {
			n++
		}
		w.out = append(w.out, `{"N":"`...)
		w.out = append(w.out, w.in[:n]...)
		w.out = append(w.out, `"}`...)
		w.in = w.in[n:]
	}
	w.space()
}

func (w *attributeWriter) leaf(kind string, text []byte) {
	w.out = append(w.out, `{"`...)
	w.out = append(w.out, kind...)
	w.out = append(w.out, `":`...)
	w.out = append(w.out, text...)
	w.out = append(w.out, '}')
}

// members rewrites what is between the brackets, each with one call.
func (w *attributeWriter) members(end byte, each func()) {
	w.in = w.in[1:]
	w.space()
	for first := true; w.in[0] != end; first = false {
		if !first {
			w.in = w.in[1:] // the comma
			w.space()
			w.out = append(w.out, ',')
		}
		each()
		w.space()
	}
	w.in = w.in[1:]
}

// string takes a string with its quotes.
func (w *attributeWriter) string() (text []byte) {
	n := 1
	for w.in[n] != '"' {
		if w.in[n] == '\\' {
			n++
		}
		n++
	}
	text, w.in = w.in[:n+1], w.in[n+1:]
	return text
}

func (w *attributeWriter) space() {
	for len(w.in) > 0 && w.in[0] <= ' ' {
		w.in = w.in[1:]
	}
}
