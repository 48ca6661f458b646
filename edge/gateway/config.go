package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ledge/engine"
)

// Invoker runs functions; *engine.Runtime is one. Invoke must not read
// inv.Payload after it has returned. It may poll ctx.Err while it runs, and
// never after: the context is used again for the next request.
type Invoker interface {
	Invoke(ctx context.Context, inv *engine.Invocation, res *engine.Result) error
}

// Config says how a Server serves. Zero fields take their defaults.
type Config struct {
	Invoker Invoker // required
	// Queue takes the requests that become events, see Events. Nil answers them
	// with 501.
	Queue Queue

	// MaxBody is the largest request body in bytes; a larger one is answered
	// with 413. Default 6 MiB, as the payload of AWS Lambda.
	MaxBody int
	// MaxHeader is the largest request line with all header fields in bytes; a
	// larger one is answered with 431. Each connection holds a buffer of this
	// size. Default 10240, as in API Gateway.
	MaxHeader int
	// ReadTimeout bounds reading one request from its first byte to the end of
	// its body, which stops clients that send a byte now and then. Default 30 s.
	ReadTimeout time.Duration
	// WriteTimeout bounds writing one response. Default 30 s.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request.
	// Default 75 s.
	IdleTimeout time.Duration
	// MaxConns is the number of connections per listener; more are answered
	// with 503 and closed. Default 1024.
	MaxConns int
	// ServerName is the value of the Server header. Empty sends none.
	ServerName string

	// Authorize decides about requests for routes of APIs with an IAM authorizer.
	// It must be safe for concurrent use. An error that is a *Denied chooses the
	// answer, any other one is 403. Nil: such routes answer 403.
	Authorize func(r *IAMRequest) (Caller, error)
	// Region stands in the ARNs that events have. Default engine.DefaultRegion.
	Region string

	// Logf takes one line about trouble of the server itself, such as an engine
	// that failed. It must be safe for concurrent use. Nil drops them.
	Logf func(format string, args ...any)
	// OnBadReply is told why a function's reply could not be made a response, or
	// decides nothing where the function is an authorizer's, so that the reason
	// reaches the function's log; the client gets 502 or 500. It must be safe for
	// concurrent use. It may be nil.
	OnBadReply func(function string, id engine.RequestID, reason string)
}

// DefaultConfig returns a Config that holds the defaults; only Invoker is
// missing.
func DefaultConfig() Config {
	return Config{
		MaxBody:      6 << 20,
		MaxHeader:    10240,
		ReadTimeout:  30 * time.Second,
		WriteTimeout: 30 * time.Second,
		IdleTimeout:  75 * time.Second,
		MaxConns:     1024,
		Region:       engine.DefaultRegion,
	}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	if c.MaxBody == 0 {
		c.MaxBody = d.MaxBody
	}
	if c.MaxHeader == 0 {
		c.MaxHeader = d.MaxHeader
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = d.ReadTimeout
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = d.WriteTimeout
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = d.IdleTimeout
	}
	if c.MaxConns == 0 {
		c.MaxConns = d.MaxConns
	}
	if c.Region == "" {
		c.Region = d.Region
	}
	if c.Logf == nil {
		c.Logf = func(string, ...any) {}
	}
	if c.OnBadReply == nil {
		c.OnBadReply = func(string, engine.RequestID, string) {}
	}
	return c
}

// Validate names the first field that is out of range, or returns nil.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case c.Invoker == nil:
		return errors.New("gateway: Invoker is missing")
	case c.MaxBody < 1 || c.MaxBody > engine.MaxPayload:
		return fmt.Errorf("gateway: MaxBody %d is out of range: use 1 byte to %d", c.MaxBody, engine.MaxPayload)
	case c.MaxHeader < 1024 || c.MaxHeader > 1<<20:
		return fmt.Errorf("gateway: MaxHeader %d is out of range: use 1024 to 1048576 bytes", c.MaxHeader)
	case c.ReadTimeout < 0 || c.WriteTimeout < 0 || c.IdleTimeout < 0:
		return errors.New("gateway: a timeout is negative")
	case c.MaxConns < 1 || c.MaxConns > 1<<20:
		return fmt.Errorf("gateway: MaxConns %d is out of range: use 1 to 1048576", c.MaxConns)
	case !validStage(c.Region): // the same letters
		return fmt.Errorf("gateway: Region %q is not a region: use letters, digits and -", c.Region)
	case !validFieldValue([]byte(c.ServerName)):
		return fmt.Errorf("gateway: ServerName %q cannot be a header's value", c.ServerName)
	}
	return nil
}
