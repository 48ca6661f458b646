package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

const invokeLong = `Invoke a function and write its result, as it is, to standard output.

--payload is the event: its text, @FILE for the contents of a file, or - for
standard input. Without it the event is empty. A function that fails gives its
error object on standard output, and exit code 1.`

const invokeExample = `  ledge invoke hello --payload '{"name":"Ada"}'
  ledge invoke hello:3 --payload @event.json
  ledge invoke report --async --payload @june.json
  ledge invoke import --async --payload @17.json --order-key shelf-4 --dedup-id order-17
  echo '{"name":"Ada"}' | ledge invoke hello --payload - --tail`

// maxPayload bounds an event, in bytes. It is the largest that a function can
// be set to take; by default a node takes less, as AWS Lambda does.
const maxPayload = 64 << 20

func (a *app) invokeCommand() *cobra.Command {
	var payload, qualifier string
	var tail, async bool
	var order eventOptions
	cmd := &cobra.Command{
		Use:     "invoke NAME[:QUALIFIER]",
		Short:   "Invoke a function",
		Long:    invokeLong,
		Example: invokeExample,
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := args[0]
			if qualifier != "" {
				text += ":" + qualifier // a second qualifier is no valid one
			}
			t, err := parseTarget(text)
			if err != nil {
				return err
			}
			if async && tail {
				return usagef("--tail shows the log of an invocation that is waited for; with --async none is")
			}
			options, err := order.query(cmd.Flags().Changed)
			if err != nil {
				return err
			}
			if len(options) > 0 && !async {
				return usagef("--order-key, --dedup-id, --priority and --delay are for events, with --async")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			event, err := a.readPayload(payload)
			if err != nil {
				return err
			}
			if async {
				if len(options) > 0 {
					return a.queueEvent(cmd.Context(), c, t, event, options)
				}
				return a.invokeAsync(cmd.Context(), c, t, event)
			}
			return a.invoke(cmd.Context(), c, t, event, tail)
		},
		ValidArgsFunction: a.completeFunction,
	}
	textFlag(cmd.Flags(), &payload, "payload", "JSON|@FILE|-", "the event")
	textFlag(cmd.Flags(), &qualifier, "qualifier", "QUALIFIER", "version or alias to invoke (default $LATEST)")
	cmd.Flags().BoolVar(&async, "async", false, "put the event into the queue and do not wait; the node tries again where the function fails")
	order.register(cmd.Flags())
	cmd.Flags().BoolVar(&tail, "tail", false, "write the end of the invocation's log to standard error")
	return cmd
}

func (a *app) readPayload(flag string) ([]byte, error) {
	var from io.Reader
	name := "standard input"
	switch {
	case flag == "-":
		from = a.env.Stdin
	case strings.HasPrefix(flag, "@"):
		name = flag[1:]
		f, err := os.Open(name)
		if err != nil {
			return nil, unreadable(name, err)
		}
		defer f.Close() // opened for reading: closing loses nothing
		from = f
	default:
		return []byte(flag), nil
	}
	event, err := io.ReadAll(io.LimitReader(from, maxPayload+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	if len(event) > maxPayload {
		return nil, &Error{Code: awsTooLarge, Message: fmt.Sprintf("%s is larger than %s", name, formatSize(maxPayload))}
	}
	return event, nil
}

// invocation is the result of invoke in JSON. The members that AWS Lambda's
// Invoke has are named as there; LogResult is text here, not base64.
type invocation struct {
	StatusCode      int
	ExecutedVersion string `json:",omitempty"`
	RequestID       string `json:",omitempty"`
	FunctionError   string `json:",omitempty"`
	LogResult       string `json:",omitempty"`
	Payload         any    // JSON where the function gave JSON, else text, else base64 in PayloadBase64
	PayloadBase64   []byte `json:",omitempty"`
}

func (a *app) invoke(ctx context.Context, c *client, t target, event []byte, tail bool) error {
	path, query := functionPath(t, "/invocations")
	r := request{
		method: http.MethodPost,
		path:   path,
		query:  query,
		header: http.Header{"X-Amz-Invocation-Type": {"RequestResponse"}},
		body:   event,
	}
	if tail {
		r.header.Set("X-Amz-Log-Type", "Tail")
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return invokeFault(err, t)
	}
	defer resp.Body.Close() // read to its end or given up: nothing to lose
	payload, err := c.readReply(ctx, resp, maxReply)
	if err != nil {
		return err
	}
	log, err := base64.StdEncoding.DecodeString(resp.Header.Get("X-Amz-Log-Result"))
	if err != nil {
		return &Error{Code: codeBadAnswer, Message: "the log in the answer of " + c.node + " is not base64", Err: err}
	}
	failed := resp.Header.Get("X-Amz-Function-Error")

	if a.json {
		result := invocation{
			StatusCode:      resp.StatusCode,
			ExecutedVersion: resp.Header.Get("X-Amz-Executed-Version"),
			RequestID:       resp.Header.Get("X-Amzn-Requestid"),
			FunctionError:   failed,
			LogResult:       string(log),
		}
		result.setPayload(payload)
		err = a.writeJSON(result)
	} else {
		err = a.writePayload(payload, log)
	}
	if err != nil {
		return err
	}
	if failed != "" {
		return &Error{Code: codeFunction, Message: "function error: " + failed, Hint: "see what it logged: ledge logs " + t.Name}
	}
	return nil
}

// invokeFault adds what only an invocation can know.
func invokeFault(err error, t target) error {
	if e, refused := isCode(err, awsBadContent); refused {
		told := e.explain()
		told.Hint = `an event is JSON, in quotes for the shell: --payload '{"name":"Ada"}'`
		return told
	}
	return missingFunction(err, t)
}

// invokeAsync returns when the event is on the node's disk.
func (a *app) invokeAsync(ctx context.Context, c *client, t target, event []byte) error {
	path, query := functionPath(t, "/invocations")
	resp, err := c.send(ctx, request{
		method: http.MethodPost,
		path:   path,
		query:  query,
		header: http.Header{"X-Amz-Invocation-Type": {"Event"}},
		body:   event,
	})
	if err != nil {
		return invokeFault(err, t)
	}
	if err := resp.Body.Close(); err != nil {
		return c.brokenReply(ctx, err)
	}
	id := resp.Header.Get("X-Amzn-Requestid")
	if a.json {
		return a.writeJSON(invocation{StatusCode: resp.StatusCode, RequestID: id})
	}
	return a.write([]byte("queued as " + oneLine(id) + "; see what comes of it: ledge logs " + t.Name + "\n"))
}

// writePayload writes the payload unchanged. The line break that a terminal
// needs goes to standard error, so that a file gets exactly the payload.
func (a *app) writePayload(payload, log []byte) error {
	if len(log) > 0 {
		// The payload is what was asked for; it says whether this worked.
		_, _ = io.WriteString(a.env.Stderr, strings.TrimSuffix(printable(string(log)), "\n")+"\n")
	}
	if err := a.write(payload); err != nil {
		return err
	}
	if a.env.IsTerminal && len(payload) > 0 && payload[len(payload)-1] != '\n' {
		_, _ = io.WriteString(a.env.Stderr, "\n")
	}
	return nil
}

func (i *invocation) setPayload(payload []byte) {
	switch {
	case len(payload) == 0:
	case json.Valid(payload):
		i.Payload = json.RawMessage(payload)
	case isText(payload):
		i.Payload = string(payload)
	default:
		i.PayloadBase64 = payload
	}
}
