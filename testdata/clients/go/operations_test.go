package clients

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// operation is one line of the node's list of what it does and does not.
type operation struct{ Service, Name, Support, Note string }

// operations returns the node's list by service and name. Both kinds of APIs of API
// Gateway are of one service, so that a name may be there twice.
func operations(t *testing.T, cfg aws.Config) map[string][]operation {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, os.Getenv("AWS_ENDPOINT_URL")+"/v1/operations", nil)
	if err != nil {
		t.Fatal(err)
	}
	status, text := send(t, cfg, r, "ledge")
	var reply struct{ Operations []operation }
	if err := json.Unmarshal(text, &reply); err != nil || status != 200 {
		t.Fatalf("%d, %v: %s", status, err, text)
	}
	known := map[string][]operation{}
	for _, op := range reply.Operations {
		known[op.Service+":"+op.Name] = append(known[op.Service+":"+op.Name], op)
		if op.Support != "supported" && (op.Support != "refused" || op.Note == "") {
			t.Errorf("%+v is neither supported nor refused with a reason", op)
		}
	}
	return known
}

// send signs a request for a service and returns the status and body of its reply.
func send(t *testing.T, cfg aws.Config, r *http.Request, service string) (int, []byte) {
	t.Helper()
	who, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body := []byte{}
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			t.Fatal(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), who, r, hex.EncodeToString(sum[:]), service, cfg.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	return do(t, r)
}

// Every operation that the SDK has is one that the node knows, and those that it
// says it refuses it does refuse, by name.
func TestEveryOperationIsKnown(t *testing.T) {
	cfg := settings(t)
	known := operations(t, cfg)
	clients := []struct {
		service string
		client  any
	}{
		{"lambda", lambda.NewFromConfig(cfg)},
		{"apigateway", apigateway.NewFromConfig(cfg)},
		{"apigateway", apigatewayv2.NewFromConfig(cfg)},
		{"scheduler", scheduler.NewFromConfig(cfg)},
	}
	wanted := map[string]int{} // how many clients have it
	for _, c := range clients {
		var unknown []string
		methods := reflect.TypeOf(c.client)
		found := 0
		for i := range methods.NumMethod() {
			method := methods.Method(i)
			if method.Type.NumIn() != 4 {
				continue // no operation, whose arguments are the client, a context, the input and options
			}
			found++
			name := c.service + ":" + method.Name
			wanted[name]++
			refused := func(op operation) bool { return op.Support == "refused" }
			switch {
			case len(known[name]) < wanted[name]:
				unknown = append(unknown, method.Name)
			case !slices.ContainsFunc(known[name], func(op operation) bool { return !refused(op) }):
				refuses(t, c.client, c.service, method)
			}
		}
		if found < 10 {
			t.Errorf("%T has only %d operations", c.client, found)
		}
		if len(unknown) > 0 {
			t.Errorf("%d operations of %T are not in the node's list: %s", len(unknown), c.client, strings.Join(unknown, " "))
		}
	}
}

// refuses calls an operation with an input in which every required text and
// number is filled in, so that the request has the method and the path that the
// operation has.
func refuses(t *testing.T, client any, service string, method reflect.Method) {
	t.Helper()
	input := reflect.New(method.Type.In(2).Elem())
	fill(input.Elem(), 0)
	var seen string
	capture := func(stack *middleware.Stack) error {
		return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("see the request", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			if r, ok := in.Request.(*smithyhttp.Request); ok {
				seen = r.Method + " " + r.URL.Path
			}
			return next.HandleFinalize(ctx, in)
		}), middleware.After)
	}
	option := reflect.MakeFunc(method.Type.In(3).Elem(), func(args []reflect.Value) []reflect.Value {
		options := args[0].Elem().FieldByName("APIOptions")
		options.Set(reflect.Append(options, reflect.ValueOf(capture)))
		return nil
	})
	out := method.Func.Call([]reflect.Value{reflect.ValueOf(client), reflect.ValueOf(t.Context()), input, option})
	err, _ := out[1].Interface().(error)
	if err == nil {
		t.Errorf("%s:%s (%s) is refused by the list, and was not", service, method.Name, seen)
		return
	}
	if !strings.Contains(err.Error(), "NotImplementedException") {
		t.Errorf("%s:%s (%s) is refused with %v", service, method.Name, seen, err)
	}
}

// fill gives every pointer, text and number of an input some value.
func fill(v reflect.Value, depth int) {
	if depth > 10 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.String:
		v.SetString("x")
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("x"))
			return
		}
		one := reflect.New(v.Type().Elem()).Elem()
		fill(one, depth+1)
		v.Set(reflect.Append(v, one))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), depth+1)
			}
		}
	}
}

// What no service has is refused too, and not answered with a page.
func TestNoSuchOperation(t *testing.T) {
	cfg := settings(t)
	for _, path := range []string{"/2015-03-31/nothing", "/restapis/x/nothing", "/v2/nothing", "/schedules/x/y/z", "/v1/nothing"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, os.Getenv("AWS_ENDPOINT_URL")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		status, text := send(t, cfg, r, serviceOf(path))
		var body struct{ Message string }
		if err := json.Unmarshal(text, &body); err != nil || body.Message == "" || status < 400 || status >= 600 {
			t.Errorf("%s: %d %s", path, status, fmt.Sprintf("%.200s", text))
		}
	}
}

func serviceOf(path string) string {
	switch {
	case strings.HasPrefix(path, "/restapis"), strings.HasPrefix(path, "/v2"):
		return "apigateway"
	case strings.HasPrefix(path, "/schedules"):
		return "scheduler"
	case strings.HasPrefix(path, "/v1"):
		return "ledge"
	}
	return "lambda"
}
