package awsapi

import (
	_ "embed"
	"net/http"
	"strings"
	"testing"

	"ledge/edge/awsapi/restjson"
)

//go:embed testdata/lambda-operations.txt
var lambdaModel string

// Every operation of the service model is declared once, where clients send it,
// and what is refused says why.
func TestLambdaOperations(t *testing.T) {
	declared := map[string]restjson.Operation{}
	for _, op := range newAPI(Config{}).lambdaOperations() {
		if _, twice := declared[op.Name]; twice {
			t.Errorf("%s is declared twice", op.Name)
		}
		declared[op.Name] = op
		if op.Serve == nil && op.Note == "" || strings.HasSuffix(op.Note, ".") || op.Access == 0 {
			t.Errorf("%s: note %q, access %s", op.Name, op.Note, op.Access)
		}
		if strings.Contains(op.Path, "{name}") != (op.Function != nil) {
			t.Errorf("%s: a key that is restricted to functions and %s", op.Name, op.Path)
		}
	}
	for line := range strings.Lines(lambdaModel) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		name, method := fields[0], fields[1]
		path, query, _ := strings.Cut(fields[2], "?")
		op, found := declared[name]
		if !found {
			t.Errorf("%s is not declared", name)
			continue
		}
		delete(declared, name)
		want, _, err := shapeOf(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := shapeOf(op.Path); err != nil || got != want || op.Method != method {
			t.Errorf("%s is %s %s, want %s %s (%v)", name, op.Method, got, method, want, err)
		}
		r, err := http.NewRequestWithContext(t.Context(), method, path+"?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if op.Matches != nil && !op.Matches(r) || query != "" && op.Matches == nil {
			t.Errorf("%s does not tell %q from others", name, fields[2])
		}
	}
	for name, op := range declared {
		if op.Service == serviceLambda {
			t.Errorf("%s is no operation of AWS Lambda", name)
		}
	}
}

// restricted is a caller who may do everything with one function.
type restricted struct{ to string }

func (restricted) ARN() string                                  { return "arn:aws:iam::000000000000:user/r" }
func (r restricted) Allows(_ restjson.Access, name string) bool { return name == r.to }

// Operations that learn from the body or from the store which function they are
// about ask whether the caller may, and nobody lends a function what he may not
// do himself.
func TestRestrictedKeys(t *testing.T) {
	n := newNode(t)
	n.create("mine")
	n.create("theirs")
	id := n.want(http.StatusAccepted, "POST", "/2015-03-31/event-source-mappings", object{"FunctionName": "theirs", "EventSourceArn": feed, "StartingPosition": "LATEST"}).text(t, "UUID")
	const arn = "arn:aws:lambda:eu-north-1:000000000000:"
	for _, test := range []struct {
		op, path string
		body     string
		values   [2]string // of the path
		denied   bool
	}{
		{"CreateFunction", "/", `{"FunctionName":"mine","Code":{"ZipFile":"AGFzbQEAAAA="},"Ledge":{"AllowInvoke":["theirs"]}}`, [2]string{}, true},
		{"UpdateFunctionConfiguration", "/", `{"Ledge":{"AllowInvoke":["*"]}}`, [2]string{"name", "mine"}, true},
		{"UpdateFunctionConfiguration", "/", `{"Ledge":{"AllowInvoke":["mine"]}}`, [2]string{"name", "mine"}, false},
		{"Deploy", "/", `{"AllowInvoke":["theirs"]}`, [2]string{"name", "mine"}, true},
		{"PutFunctionEventInvokeConfig", "/", `{"DestinationConfig":{"OnFailure":{"Destination":"` + arn + `function:theirs"}}}`, [2]string{"name", "mine"}, true},
		{"CreateEventSourceMapping", "/", `{"FunctionName":"mine","EventSourceArn":"` + topic + `","DestinationConfig":{"OnFailure":{"Destination":"` + arn + `function:theirs"}}}`, [2]string{}, true},
		{"CreateFunction", "/", `{"FunctionName":"other"}`, [2]string{}, true},
		{"CreateFunction", "/", `{"FunctionName":"mine"}`, [2]string{}, false},
		{"CreateEventSourceMapping", "/", `{"FunctionName":"theirs"}`, [2]string{}, true},
		{"UpdateEventSourceMapping", "/", `{}`, [2]string{"uuid", id}, true},
		{"GetEventSourceMapping", "/", ``, [2]string{"uuid", id}, true},
		{"GetEventSourceMapping", "/", ``, [2]string{"uuid", "unknown"}, true},
		{"DeleteEventSourceMapping", "/", ``, [2]string{"uuid", id}, true},
		{"ListEventSourceMappings", "/", ``, [2]string{}, true},
		{"ListEventSourceMappings", "/?FunctionName=theirs", ``, [2]string{}, true},
		{"ListEventSourceMappings", "/?FunctionName=mine", ``, [2]string{}, false},
		{"TagResource", "/", `{"Tags":{"a":"b"}}`, [2]string{"resource", arn + "function:theirs"}, true},
		{"TagResource", "/", `{"Tags":{"a":"b"}}`, [2]string{"resource", arn + "event-source-mapping:" + id}, true},
		{"UntagResource", "/?tagKeys=a", ``, [2]string{"resource", arn + "function:theirs"}, true},
		{"ListTags", "/", ``, [2]string{"resource", arn + "function:theirs"}, true},
		{"ListTags", "/", ``, [2]string{"resource", arn + "function:mine"}, false},
	} {
		var op *restjson.Operation
		for i := range n.api.operations {
			if n.api.operations[i].Name == test.op {
				op = &n.api.operations[i]
			}
		}
		if op == nil || op.InBody == (op.Function != nil) {
			t.Fatalf("%s is not declared as one that asks", test.op)
		}
		r, err := http.NewRequestWithContext(t.Context(), op.Method, test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetPathValue(test.values[0], test.values[1])
		err = op.Serve(discard{http.Header{}}, restjson.WithRequest(r, restricted{"mine"}, []byte(test.body), op))
		if denied := err != nil && faultOf(err).Code == restjson.CodeDenied; denied != test.denied {
			t.Errorf("%s %s %s%v: %v", test.op, test.path, test.body, test.values, err)
		}
	}
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
