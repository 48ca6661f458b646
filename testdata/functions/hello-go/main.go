// Hello-go is the plainest function there is in Go: an ordinary program for
// GOOS=wasip1 that reads its event from standard input and writes its reply to
// standard output. It imports nothing of Ledge and runs under any WASI runtime.
//
// What it shows:
//   - the event of an HTTP request, in API Gateway's payload format 2.0;
//   - the reply in the same format: status, headers and body;
//   - logs, which go to standard error;
//   - failing: what main writes to standard error is in the log, and an exit
//     status other than zero is a failed invocation.
//
// A program starts anew for every invocation. The function that keeps its state
// in memory between invocations is greet-extism-go.
//
//	GOOS=wasip1 GOARCH=wasm go build -o hello-go.wasm .
//	ledge deploy hello-go hello-go.wasm --route 'GET /hello-go/{name}'
//	curl localhost:8080/hello-go/Ada
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
)

// request has the members of an HTTP event that this function reads. The whole
// event is described at
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
type request struct {
	PathParameters map[string]string `json:"pathParameters"`
	RequestContext struct {
		RequestID string `json:"requestId"`
	} `json:"requestContext"`
}

// response becomes the HTTP response.
type response struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
}

func main() {
	log.SetFlags(0) // every record gets the node's time and the request's ID anyway
	if err := handle(os.Stdin, os.Stdout); err != nil {
		log.Fatal(err) // exit status 1
	}
}

// handle answers the one event on in.
func handle(in io.Reader, out io.Writer) error {
	var req request
	if err := json.NewDecoder(in).Decode(&req); err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	name := req.PathParameters["name"]
	if name == "" {
		name = "world"
	}
	log.Printf("greeting %q", name)

	body, err := json.Marshal(map[string]string{
		"message":   "Hello, " + name + "!",
		"function":  os.Getenv("AWS_LAMBDA_FUNCTION_NAME"),
		"requestId": req.RequestContext.RequestID,
	})
	if err != nil {
		return fmt.Errorf("write the body: %w", err)
	}
	return json.NewEncoder(out).Encode(response{
		StatusCode: 200,
		Headers:    map[string]string{"content-type": "application/json"},
		Body:       string(body),
	})
}
