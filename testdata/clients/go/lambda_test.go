package clients

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const echo = `exports.handler = async (event, context) => {
	if (event.fail) throw new TypeError("as asked");
	console.log("got", JSON.stringify(event));
	return { event, version: context.functionVersion };
};`

func TestInvoke(t *testing.T) {
	c := lambda.NewFromConfig(settings(t))
	create(t, c, "go-invoke", echo)
	out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("go-invoke"), Payload: []byte(`{"a":1}`), LogType: types.LogTypeTail})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(out.Payload); got != `{"event":{"a":1},"version":"$LATEST"}` || out.StatusCode != 200 || aws.ToString(out.ExecutedVersion) != "$LATEST" {
		t.Errorf("%d %s %s", out.StatusCode, aws.ToString(out.ExecutedVersion), got)
	}
	if log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult)); err != nil || !strings.Contains(string(log), `got {"a":1}`) {
		t.Errorf("log %q, %v", log, err)
	}
	out, err = c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("go-invoke"), Payload: []byte(`{"fail":true}`)})
	if err != nil || aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), `"errorType":"TypeError"`) {
		t.Errorf("a function that fails: %v, %+v", err, out)
	}
	out, err = c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("go-invoke"), InvocationType: types.InvocationTypeEvent})
	if err != nil || out.StatusCode != 202 {
		t.Errorf("an event: %v, %+v", err, out)
	}
	_, err = c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("nobody")})
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("a function that is not there: %v", err)
	}
}

// The reply as a stream of events, of which this node sends one with all of it.
func TestInvokeWithResponseStream(t *testing.T) {
	c := lambda.NewFromConfig(settings(t))
	create(t, c, "go-stream", echo)
	for payload, want := range map[string]struct{ text, failed string }{
		`{"a":1}`:       {`{"event":{"a":1},"version":"$LATEST"}`, ""},
		`{"fail":true}`: {"", "TypeError"},
	} {
		out, err := c.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("go-stream"), Payload: []byte(payload)})
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		var complete *types.InvokeWithResponseStreamCompleteEvent
		for event := range out.GetStream().Events() {
			switch e := event.(type) {
			case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
				text = append(text, e.Value.Payload...)
			case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
				complete = &e.Value
			}
		}
		if err := out.GetStream().Close(); err != nil {
			t.Error(err)
		}
		if err := out.GetStream().Err(); err != nil || complete == nil || aws.ToString(complete.ErrorCode) != want.failed || want.text != "" && string(text) != want.text {
			t.Errorf("%s: %v, %q, %+v", payload, err, text, complete)
		}
	}
}

func TestPaginators(t *testing.T) {
	c := lambda.NewFromConfig(settings(t))
	for i := range 3 {
		create(t, c, fmt.Sprintf("go-page-%d", i), echo)
	}
	var names []string
	pages := 0
	for p := lambda.NewListFunctionsPaginator(c, &lambda.ListFunctionsInput{MaxItems: aws.Int32(2)}); p.HasMorePages(); pages++ {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Functions {
			names = append(names, *f.FunctionName)
		}
	}
	if got := strings.Join(names, " "); got != "go-page-0 go-page-1 go-page-2" || pages != 2 {
		t.Errorf("%d pages: %s", pages, got)
	}
}

// Conditions on a revision, and typed errors.
func TestRevision(t *testing.T) {
	c := lambda.NewFromConfig(settings(t))
	create(t, c, "go-revision", echo)
	name := aws.String("go-revision")
	now, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	if now.State != types.StateActive || now.LastUpdateStatus != types.LastUpdateStatusSuccessful {
		t.Errorf("state %s, last update %s", now.State, now.LastUpdateStatus)
	}
	change := &lambda.UpdateFunctionConfigurationInput{FunctionName: name, Description: aws.String("new"), RevisionId: now.RevisionId}
	if _, err := c.UpdateFunctionConfiguration(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	err = lambda.NewFunctionUpdatedV2Waiter(c).Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: name}, patience)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.UpdateFunctionConfiguration(t.Context(), change)
	var stale *types.PreconditionFailedException
	if !errors.As(err, &stale) {
		t.Errorf("the same revision twice: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	cfg := settings(t)
	me, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || !strings.HasPrefix(aws.ToString(me.Arn), "arn:aws:iam::") {
		t.Errorf("who am I: %v, %+v", err, me)
	}
	good, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for code, bad := range map[string]credentials.StaticCredentialsProvider{
		"UnrecognizedClientException": credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", good.SecretAccessKey, ""),
		"InvalidSignatureException":   credentials.NewStaticCredentialsProvider(good.AccessKeyID, "wrong", ""),
	} {
		cfg.Credentials = bad
		_, err := lambda.NewFromConfig(cfg).ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
		wantCode(t, err, code)
	}
	cfg.Credentials = aws.AnonymousCredentials{}
	_, err = lambda.NewFromConfig(cfg).ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	wantCode(t, err, "MissingAuthenticationTokenException")
}
