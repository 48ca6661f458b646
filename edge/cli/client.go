package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"
)

const (
	// socketName is the control plane's Unix socket in the data folder.
	socketName = "control.sock"
	// dialTimeout bounds connecting, so that an address that drops packets is
	// reported while somebody still looks.
	dialTimeout = 5 * time.Second
	// replyTimeout bounds the calls that only read or write the store. Deploys,
	// invocations and logs last as long as they last, or until Ctrl-C.
	replyTimeout = 30 * time.Second
	// maxReply bounds what is read of one reply, in bytes: the largest payload
	// that a function may return, base64 and some settings around it.
	maxReply = 96 << 20
	// maxErrorReply bounds what is read of a reply that is not a success.
	maxErrorReply = 1 << 20
)

// request is one call of the API. Paths begin with a slash and are escaped.
type request struct {
	method string
	path   string
	query  url.Values
	header http.Header
	body   []byte // nil: none
	sent   func() // called when the body was read to its end; nil: nobody
}

// jsonRequest is a request with v as its body.
func jsonRequest(method, path string, v any) (request, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return request{}, fmt.Errorf("encode request: %w", err)
	}
	return request{method: method, path: path, body: body}, nil
}

// build makes the request as it is sent, signed where the node asks for that.
func (c *client) build(ctx context.Context, r request, at time.Time) (*http.Request, error) {
	address := c.base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.sent != nil {
		req.Body = io.NopCloser(&upload{Reader: req.Body, left: req.ContentLength, sent: r.sent})
		req.GetBody = nil
	}
	if err := c.as.sign(req, r.body, serviceOf(r.path), at); err != nil {
		return nil, err
	}
	return req, nil
}

// send returns a successful response, whose body the caller closes. A reply
// that is no success becomes an *apiError, no reply an *Error. Where the node's
// clock and ours differ too much for a signature it is sent once more, with the
// node's time.
func (c *client) send(ctx context.Context, r request) (*http.Response, error) {
	resp, err := c.sendAt(ctx, r, c.now())
	if resp == nil || err == nil {
		return resp, err
	}
	if theirs, off := c.nodeTime(resp, err); off {
		resp, err = c.sendAt(ctx, r, theirs)
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// sendAt sends a request that is signed at that time. It returns the response
// beside an *apiError too, whose body is closed then.
func (c *client) sendAt(ctx context.Context, r request, at time.Time) (*http.Response, error) {
	req, err := c.build(ctx, r, at)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close() // read to its end or given up: nothing to lose
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorReply))
	if err != nil {
		return nil, c.brokenReply(ctx, err)
	}
	return resp, c.decodeAPIError(resp, text)
}

// call sends r and decodes the reply into v, which may be nil. It returns the
// reply's bytes too, for those who pass them on. A call that takes longer than
// limit fails; no limit is 0.
func (c *client) call(ctx context.Context, r request, limit time.Duration, v any) ([]byte, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() // read to its end or given up: nothing to lose
	text, err := c.readReply(ctx, resp, maxReply)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return text, nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, &Error{
			Code:    codeBadAnswer,
			Message: fmt.Sprintf("the answer of %s to %s %s is not what a Ledge node sends: %s", c.node, r.method, r.path, excerpt(text)),
			Hint:    "is something else listening there, or a node of another version? ask it: ledge version",
			Err:     err,
		}
	}
	return text, nil
}

// readReply reads a body of at most limit bytes; what is larger is an error, not
// cut.
func (c *client) readReply(ctx context.Context, resp *http.Response, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, c.brokenReply(ctx, err)
	}
	if int64(len(text)) > limit {
		return nil, &Error{Code: codeBadAnswer, Message: fmt.Sprintf("the answer of %s is larger than %s", c.node, formatSize(limit))}
	}
	return text, nil
}

// unreachable explains why there was no reply at all.
func (c *client) unreachable(ctx context.Context, err error) error {
	if e := c.stopped(ctx, err); e != nil {
		return e
	}
	e := &Error{Code: codeUnreachable, Hint: c.hint, Err: err}
	why := rootCause(err)
	var dial *net.OpError
	if !errors.As(err, &dial) || dial.Op != "dial" {
		e.Message = fmt.Sprintf("lost the connection to the appliance at %s: %s", c.node, why)
		e.Hint = "it may have stopped; see its output, and: ledge version"
		return e
	}
	e.Message = fmt.Sprintf("cannot reach the appliance at %s: %s", c.node, why)
	switch {
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "the socket belongs to the user that runs the appliance; run this as that user"
	case errors.Is(err, syscall.EINVAL):
		e.Hint = "the path of a socket may have 107 bytes at most; use a shorter --data path"
	}
	return e
}

// brokenReply explains why a reply ended early.
func (c *client) brokenReply(ctx context.Context, err error) error {
	if e := c.stopped(ctx, err); e != nil {
		return e
	}
	return &Error{
		Code:    codeBadAnswer,
		Message: fmt.Sprintf("the answer of %s broke off: %s", c.node, rootCause(err)),
		Hint:    "the appliance may have stopped; see its output, and: ledge version",
		Err:     err,
	}
}

// stopped tells the failures that ctx caused; for others it returns nil.
func (c *client) stopped(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("cancelled: %w", context.Canceled)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Error{
			Code:    codeTimeout,
			Message: fmt.Sprintf("the appliance at %s did not answer in time", c.node),
			Hint:    "it may be overloaded or stuck; see its output",
			Err:     err,
		}
	}
	return nil
}

// rootCause shortens what net and net/http say about addresses that the
// message has already: "connect: no such file or directory".
func rootCause(err error) string {
	var call *os.SyscallError
	var lookup *net.DNSError
	var operation *net.OpError
	var request *url.Error
	switch {
	case errors.As(err, &call):
		return call.Error()
	case errors.As(err, &lookup):
		return lookup.Error()
	case errors.As(err, &operation):
		return operation.Err.Error()
	case errors.As(err, &request):
		err = request.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the other side closed it"
	}
	return err.Error()
}

// excerpt shows the beginning of something unexpected.
func excerpt(text []byte) string {
	const most = 80
	if len(text) == 0 {
		return "it is empty"
	}
	if len(text) > most {
		return fmt.Sprintf("%q...", text[:most])
	}
	return fmt.Sprintf("%q", text)
}
