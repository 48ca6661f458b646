package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"time"

	"ledge/engine"

	"github.com/valyala/fasthttp"
)

// lambdaAuthorizer asks a function who may call (docs.aws.amazon.com, "Control
// access to HTTP APIs with AWS Lambda authorizers" and "Use API Gateway Lambda
// authorizers").
type lambdaAuthorizer struct {
	in         LambdaAuthorizer
	kind       Kind
	sources    []identitySource
	validation *regexp.Regexp // nil: any token
}

// maxTTL is the longest that API Gateway keeps an answer.
const maxTTL = time.Hour

func newLambdaAuthorizer(in *LambdaAuthorizer, kind Kind) (*lambdaAuthorizer, error) {
	switch {
	case !engine.ValidName(in.Function) || !validQualifier(in.Qualifier):
		return nil, fmt.Errorf("%q at %q is not a function", in.Function, in.Qualifier)
	case in.Payload != PayloadV1 && in.Payload != PayloadV2:
		return nil, errors.New("its payload format is neither 1.0 nor 2.0")
	case in.Payload == PayloadV2 && kind == KindREST:
		return nil, errors.New("a REST API has no payload format 2.0")
	case in.Simple && in.Payload != PayloadV2:
		return nil, errors.New("simple responses need payload format 2.0")
	case in.TTL < 0 || in.TTL > maxTTL:
		return nil, fmt.Errorf("answers kept for %s are out of range: use 0 to %s", in.TTL, maxTTL)
	case in.Token && kind != KindREST:
		return nil, errors.New("only REST APIs have TOKEN authorizers")
	case in.Validation != "" && !in.Token:
		return nil, errors.New("only TOKEN authorizers have a validation expression")
	}
	l := &lambdaAuthorizer{in: *in, kind: kind}
	var err error
	if l.sources, err = parseSources(in.IdentitySources); err != nil {
		return nil, err
	}
	if in.Token && (len(l.sources) != 1 || l.sources[0].in != inHeader) {
		return nil, errors.New("a TOKEN authorizer has exactly one identity source, a header")
	}
	if in.Validation != "" {
		if l.validation, err = regexp.Compile(`^(?:` + in.Validation + `)$`); err != nil {
			return nil, fmt.Errorf("compile its validation expression: %w", err)
		}
	}
	return l, nil
}

// identify appends what identifies the caller of a request: for each source its
// length and its value. ok is false where one is missing or empty, or where a
// token is none.
func (l *lambdaAuthorizer) identify(b []byte, s *source) (_ []byte, ok bool) {
	for _, from := range l.sources {
		start := len(b)
		b = append(b, 0, 0, 0, 0)
		b = from.append(b, s)
		value := b[start+4:]
		if len(value) == 0 || l.validation != nil && !l.validation.Match(value) {
			return b, false
		}
		binary.BigEndian.PutUint32(b[start:], uint32(len(value)))
	}
	return b, true
}

// admitLambda lets a request pass that an authorizer's function allows.
func (s *Server) admitLambda(x *exchange, t *target, now time.Time) refusal {
	a := t.guard.authorizer
	l, kind := a.lambda, t.stage.api.kind
	var ok bool
	if x.seen, ok = l.identify(x.seen[:0], &x.source); !ok {
		return kind.refuse(fasthttp.StatusUnauthorized, unauthorized)
	}
	x.arn = s.appendARN(x.arn[:0], &x.source)
	var key [sha256.Size]byte
	var found *grant
	if a.kept != nil {
		key = sha256.Sum256(x.seen)
		if found, ok = a.kept.get(key); ok && found.until <= now.UnixNano() {
			found = nil
		}
	}
	if found == nil {
		var err error
		if found, err = s.ask(x, t); err != nil {
			return s.notAnswered(l, err)
		}
		if a.kept != nil {
			found.until = now.Add(l.in.TTL).UnixNano()
			a.kept.put(key, found)
		}
	}
	said := allowed
	if found.denied {
		said = deniedImplicitly
	} else if found.policy != nil {
		said = found.policy.decide(x.arn)
	}
	if said == allowed {
		x.who.grant = found
		return refusal{}
	}
	no := kind.refuse(fasthttp.StatusForbidden, forbidden)
	if kind == KindREST {
		if no.message = notAuthorized; said == deniedExplicitly {
			no.message = explicitDeny
		}
		no.capital = true
	}
	return no
}

// ask invokes the function for a request and reads its answer. x.event and x.res
// are for its use.
func (s *Server) ask(x *exchange, t *target) (*grant, error) {
	l := t.guard.authorizer.lambda
	src := x.source
	src.target = t.guard.view
	x.event = l.appendEvent(x.event[:0], x, &src)
	inv := engine.Invocation{
		Function: l.in.Function, Qualifier: l.in.Qualifier, Source: engine.SourceHTTP,
		RequestID: engine.NewRequestID(), Payload: x.event,
	}
	if err := s.cfg.Invoker.Invoke(&x.caller, &inv, &x.res); err != nil {
		return nil, fmt.Errorf("invoke the authorizer's function %s: %w", l.in.Function, err)
	}
	g, err := l.read(x.res.Payload)
	if err != nil {
		s.cfg.OnBadReply(l.in.Function, inv.RequestID, err.Error())
		return nil, badAnswer{err}
	}
	return g, nil
}

// badAnswer is why a function's answer decides nothing. The function's log has
// it already.
type badAnswer struct{ error }

// notAnswered is how a request is refused whose authorizer did not answer.
func (s *Server) notAnswered(l *lambdaAuthorizer, err error) refusal {
	if failed, ok := engine.AsFunctionError(err); ok && failed.Message == unauthorized {
		return l.kind.refuse(fasthttp.StatusUnauthorized, unauthorized) // how functions of REST APIs say it
	}
	var bad badAnswer
	if errors.As(err, &bad) {
		return l.kind.failed(fasthttp.StatusInternalServerError)
	}
	switch status, message, ours := statusOf(err); {
	case ours:
		s.cfg.Logf("%v", err)
	case status == fasthttp.StatusTooManyRequests, status == fasthttp.StatusServiceUnavailable, status == statusClientClosedRequest:
		return l.kind.refuse(status, message) // it may work later
	}
	return l.kind.failed(fasthttp.StatusInternalServerError)
}
