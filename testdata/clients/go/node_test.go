// Package clients drives a node with AWS's Go SDK, as an application does that
// knows nothing of the node: all comes from the environment, which is that of
//
//	eval "$(ledge keys create tests --env)"
//
// with GATEWAY_URL besides. The package is a module of its own, so that the
// appliance does not depend on the SDK.
package clients

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

const role = "arn:aws:iam::123456789012:role/lambda-ex"

// patience bounds the waiters.
const patience = 20 * time.Second

func settings(t *testing.T) aws.Config {
	t.Helper()
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		t.Fatal("AWS_ENDPOINT_URL does not say where a node is; it is set by firmware's TestClients")
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRetryMaxAttempts(1))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func makeZip(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// create creates a JavaScript function that is removed when the test ends, waits
// until it is active, and returns its ARN.
func create(t *testing.T, c *lambda.Client, name, code string) string {
	t.Helper()
	made, err := c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: types.RuntimeNodejs22x, Handler: aws.String("index.handler"), Role: aws.String(role),
		Code: &types.FunctionCode{ZipFile: makeZip(t, map[string]string{"index.js": code})},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.DeleteFunction(context.Background(), &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
			t.Error(err)
		}
	})
	err = lambda.NewFunctionActiveV2Waiter(c).Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: &name}, patience)
	if err != nil {
		t.Fatal(err)
	}
	return *made.FunctionArn
}

// get returns the status and body of a page of the gateway.
func get(t *testing.T, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, os.Getenv("GATEWAY_URL")+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, text := do(t, r)
	return status, string(text)
}

// do sends a request and returns the status and body of its reply.
func do(t *testing.T, r *http.Request) (int, []byte) {
	t.Helper()
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, text
}

// wantCode fails the test where err is not AWS's error of that code.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || strings.TrimSpace(e.ErrorMessage()) == "" {
		t.Errorf("got %v, want %s with a message", err, code)
	}
}
