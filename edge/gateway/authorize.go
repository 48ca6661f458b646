package gateway

import (
	"errors"
	"iter"
	"reflect"
	"time"

	"github.com/valyala/fasthttp"
)

// guard is what a request must pass before its route serves it, in this order:
// the authorizer, the API key, the route's throttle, the usage plan's throttle
// and its quota. So nobody's tokens are spent on requests that may not pass.
type guard struct {
	authorizer *authorizer // nil: none
	view       *target     // the route with events of the Lambda authorizer's format; nil: it has none
	scopes     []string
	keyed      bool
	bucket     *bucket // nil: no limit
}

// authorizer is an Authorizer made ready: one of jwt, lambda and iam.
type authorizer struct {
	in     Authorizer
	jwt    *jwtAuthorizer
	lambda *lambdaAuthorizer
	// kept holds what was decided before. It is shared with the authorizers that
	// took over from this one; nil: nothing is kept.
	kept *recent[[32]byte, *grant]
}

func newAuthorizer(in *Authorizer, kind Kind) (*authorizer, error) {
	a := &authorizer{in: *in}
	var err error
	switch {
	case in.JWT != nil && in.Lambda == nil && !in.IAM:
		if kind != KindHTTP {
			return nil, errors.New("only HTTP APIs have JWT authorizers")
		}
		a.kept = newRecent[[32]byte, *grant]()
		a.jwt, err = newJWTAuthorizer(in.JWT)
	case in.Lambda != nil && in.JWT == nil && !in.IAM:
		if kind == KindURL {
			return nil, errors.New("a function URL has no Lambda authorizers")
		}
		if in.Lambda.TTL > 0 && len(in.Lambda.IdentitySources) > 0 {
			a.kept = newRecent[[32]byte, *grant]()
		}
		a.lambda, err = newLambdaAuthorizer(in.Lambda, kind)
	case in.IAM && in.JWT == nil && in.Lambda == nil:
	default:
		return nil, errors.New("it must be exactly one of JWT, Lambda and IAM")
	}
	return a, err
}

// same reports whether in makes the same decisions.
func (a *authorizer) same(in *Authorizer) bool {
	return a.in.IAM == in.IAM && reflect.DeepEqual(a.in.JWT, in.JWT) && reflect.DeepEqual(a.in.Lambda, in.Lambda)
}

func (a *authorizer) inherit(old *authorizer) {
	if a.same(&old.in) {
		a.kept = old.kept
	}
}

// admit lets a request of x.source pass, with x.who filled in, or says how it is
// refused.
func (s *Server) admit(ctx *fasthttp.RequestCtx, x *exchange, t *target) refusal {
	g, of := t.guard, t.stage.api
	now := x.source.now
	if g.keyed && !of.keyFromAuthorizer {
		x.who.key = of.all.keys.find(ctx.Request.Header.Peek("X-Api-Key")) // a Lambda authorizer sees it
	}
	if a := g.authorizer; a != nil {
		var no refusal
		switch {
		case a.jwt != nil:
			no = s.admitJWT(x, g, now)
		case a.lambda != nil:
			no = s.admitLambda(x, t, now)
		default:
			no = s.admitSigned(ctx, x, t)
		}
		if no.status != 0 {
			return no
		}
	}
	var used *plan
	if g.keyed {
		if of.keyFromAuthorizer && x.who.grant != nil {
			x.who.key = of.all.keys.find([]byte(x.who.grant.usageKey))
		}
		if x.who.key != nil {
			used = x.who.key.plans[t.stage]
		}
		if used == nil { // no key, an unknown one, or one for something else
			return of.kind.refuse(fasthttp.StatusForbidden, forbidden)
		}
	}
	return s.limit(g, used, of.kind, now)
}

// limit takes what a request takes of throttles and quotas.
func (s *Server) limit(g *guard, used *plan, kind Kind, now time.Time) refusal {
	since := now.Sub(s.started) // monotonic: a clock that is set does not matter
	switch {
	case g.bucket != nil && !g.bucket.take(since),
		used != nil && used.bucket != nil && !used.bucket.take(since):
		return kind.refuse(fasthttp.StatusTooManyRequests, tooManyRequests)
	case used != nil && used.quota != nil && !used.quota.take(now):
		return kind.refuse(fasthttp.StatusTooManyRequests, limitExceeded)
	}
	return refusal{}
}

// admitSigned asks Config.Authorize.
func (s *Server) admitSigned(ctx *fasthttp.RequestCtx, x *exchange, t *target) refusal {
	kind := t.stage.api.kind
	header := &ctx.Request.Header
	query := x.source.query
	if kind == KindREST && len(header.Peek("Authorization")) == 0 && len(appendParameter(nil, query, "X-Amz-Signature")) == 0 {
		return kind.refuse(fasthttp.StatusForbidden, missingToken)
	}
	if s.cfg.Authorize == nil {
		return kind.refuse(fasthttp.StatusForbidden, forbidden)
	}
	path, _ := splitTarget(ctx) // the signature is for what was sent
	r := &IAMRequest{
		Method: string(header.Method()), RawPath: string(path), RawQuery: string(query),
		Header: fields(header), Body: x.source.body,
		Peer: x.source.client.Addr(), TLS: x.source.tls,
		Service: "execute-api", Function: t.route.Function, Qualifier: t.route.Qualifier,
	}
	if kind == KindURL {
		r.Service = "lambda"
	} else {
		x.arn = s.appendARN(x.arn[:0], &x.source)
		r.ARN = string(x.arn)
	}
	who, err := s.cfg.Authorize(r)
	if err == nil {
		x.who.signed, x.who.caller = true, who
		return refusal{}
	}
	var denied *Denied
	if errors.As(err, &denied) && denied.Status >= 400 && denied.Status <= 599 {
		return kind.refuse(denied.Status, denied.Message)
	}
	return kind.refuse(fasthttp.StatusForbidden, forbidden)
}

// fields lists header fields as text.
func fields(h *fasthttp.RequestHeader) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, value := range h.All() {
			if !yield(string(name), string(value)) {
				return
			}
		}
	}
}

// appendARN appends the ARN of the method that a request calls, as policies
// name it: arn:aws:execute-api:region:account:api/stage/GET/path. The path is
// percent-decoded, since routes are matched so and a policy must not be evaded
// by spelling it otherwise; but %2F stays, since it separates no segments. A HEAD
// request that a GET route serves calls that: who denies GET denies both.
func (s *Server) appendARN(b []byte, src *source) []byte {
	b = append(b, "arn:aws:execute-api:"...)
	b = append(b, s.cfg.Region...)
	b = append(b, ":"+accountID+":"...)
	b = append(b, src.target.stage.api.id...)
	b = append(b, '/')
	b = append(b, src.target.stage.name...)
	b = append(b, '/')
	if src.header.IsHead() && src.target.route.Method == fasthttp.MethodGet {
		b = append(b, fasthttp.MethodGet...)
	} else {
		b = append(b, src.header.Method()...)
	}
	path := src.short
	for len(path) > 0 {
		part, rest, slash := cutEncodedSlash(path)
		b = appendUnescaped(b, part, false)
		b = append(b, slash...)
		path = rest
	}
	return b
}

// cutEncodedSlash splits a path around its first %2F, which is empty where the
// path has none.
func cutEncodedSlash(path []byte) (part, rest, slash []byte) {
	for i := 0; i+2 < len(path); i++ {
		if path[i] == '%' && path[i+1] == '2' && path[i+2]|0x20 == 'f' {
			return path[:i], path[i+3:], path[i : i+3]
		}
	}
	return path, nil, nil
}
