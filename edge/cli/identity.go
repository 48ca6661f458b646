package cli

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ledge/edge/awsapi/sigv4"
)

// identity is what a command calls a node with. The zero value is nobody: the
// socket needs no more.
type identity struct {
	keyID, secret, session string
	token                  string // a bearer token; the fields before are empty then
	region                 string
	source                 string // where it was found, for messages
}

// defaultRegion is signed with where none is set. A node takes every region.
const defaultRegion = "us-east-1"

// identity finds what to call the node at base with. p is the profile that
// somebody asked for by name, in namedBy, or without a name. The order is that
// of AWS's tools, with what is for Ledge alone before what is for AWS too:
// --profile, LEDGE_TOKEN, LEDGE_PROFILE, AWS_ACCESS_KEY_ID, AWS_PROFILE, the
// default profile. Having none is no error here: the node says whether it needs
// one.
func (a *app) identity(files awsFiles, p profile, namedBy, base string) (identity, error) {
	getenv := a.env.Getenv
	id := identity{region: cmp.Or(getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), p.region, defaultRegion)}
	token := getenv("LEDGE_TOKEN")
	switch {
	case token != "" && namedBy != "--profile":
		if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return id, &usageError{Message: "LEDGE_TOKEN is not a token: it has spaces or control characters",
				Hint: "it is the text that ledge keys create --token printed"}
		}
		if !isPrivate(base) { // whoever reads it is its owner from then on
			return id, &Error{Code: codeBadSetting,
				Message: "LEDGE_TOKEN would go to " + base + " unencrypted, where anybody on the way can read and use it",
				Hint:    "use an access key, which signs requests and is not sent: on the node, ledge keys create NAME --env; or an https:// endpoint, or a tunnel through ssh"}
		}
		id.token, id.source = token, "LEDGE_TOKEN"
		return id, nil
	case p.name == "" && getenv("AWS_ACCESS_KEY_ID") != "":
		id.keyID, id.secret, id.session = getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")
		id.source = "AWS_ACCESS_KEY_ID"
		if id.secret == "" {
			return id, &usageError{Message: "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not", Hint: "both belong to a key; see: ledge keys create --help"}
		}
		return id, nil
	}
	if p.name == "" {
		p, _ = files.find("default")
		if name := getenv("AWS_PROFILE"); name != "" {
			var err error
			if p, err = files.must(name, "AWS_PROFILE"); err != nil {
				return id, err
			}
		}
		id.region = cmp.Or(getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), p.region, defaultRegion)
	}
	switch {
	case p.keyID != "" && p.secret != "":
		id.keyID, id.secret, id.session = p.keyID, p.secret, p.token
		id.source = "the profile " + p.name
	case p.keyID != "" || p.secret != "":
		return id, &Error{Code: codeBadSetting,
			Message: fmt.Sprintf("the profile %q has only one of aws_access_key_id and aws_secret_access_key", p.name),
			Hint:    "write both to " + files.credentialsPath}
	case namedBy != "" && p.otherWay != "":
		return id, &Error{Code: codeBadSetting,
			Message: fmt.Sprintf("the profile %q gets its credentials with %s, which a node knows nothing of", p.name, p.otherWay),
			Hint:    "make a key on the node with: ledge keys create NAME; write it to " + files.credentialsPath}
	}
	return id, nil
}

// isPrivate reports whether nobody between here and base can read along.
func isPrivate(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// sign adds to a request who sends it. A body is covered by the signature.
func (id identity) sign(req *http.Request, body []byte, service string, at time.Time) error {
	switch {
	case id.token != "":
		req.Header.Set("Authorization", "Bearer "+id.token)
	case id.keyID != "":
		who := sigv4.Credentials{KeyID: id.keyID, Secret: id.secret, Token: id.session}
		if err := sigv4.Sign(req, sigv4.HashPayload(body), who, id.region, service, at); err != nil {
			return fmt.Errorf("sign the request: %w", err)
		}
	}
	return nil
}

// serviceOf returns the service that a path of the control plane belongs to,
// which a signature names.
func serviceOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case first == "v1":
		return "ledge"
	case first == "restapis" || first == "v2" || first == "apikeys" || first == "usageplans":
		return "apigateway"
	case first == "schedules":
		return "scheduler"
	}
	return "lambda" // whose paths begin with dates
}

// Codes of replies about who sends a request
// (https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html).
const (
	awsMissingKey   = "MissingAuthenticationTokenException"
	awsUnknownKey   = "UnrecognizedClientException"
	awsBadSignature = "InvalidSignatureException"
	awsIncomplete   = "IncompleteSignatureException"
	awsExpiredKey   = "ExpiredTokenException"
	awsDenied       = "AccessDeniedException"
	awsSlowDown     = "ThrottlingException"
)

// clockSlack is how far a clock may be off before it is what is wrong with a
// signature. AWS's tools use the same.
const clockSlack = 4 * time.Minute

// nodeTime returns the time that the node has, if it is so far from ours that it
// is why the node refused a signature. Gateways without a clock's battery are off
// by years after a start without a network.
func (c *client) nodeTime(resp *http.Response, err error) (time.Time, bool) {
	e, refused := isCode(err, awsBadSignature)
	if !refused || c.as.keyID == "" || e.Status != http.StatusForbidden {
		return time.Time{}, false
	}
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, false
	}
	return theirs, theirs.Sub(c.now()).Abs() > clockSlack
}

// identityHint says what to do about a reply that refuses who sends the request,
// or "" for other replies.
func (e *apiError) identityHint() string {
	const makeOne = `make a key where the node runs: eval "$(ledge keys create NAME --env)"`
	from := ""
	if e.Source != "" {
		from = "what was sent is from " + e.Source + "; "
	}
	switch e.Code {
	case awsMissingKey:
		if e.Source != "" {
			return from + "look at what is set there"
		}
		return makeOne + ",\nor name a profile that has one with --profile; on the node itself use its socket: --data DIR"
	case awsUnknownKey:
		return from + "the node has no such key, or it is disabled: see ledge keys ls there"
	case awsBadSignature, awsIncomplete:
		return from + "compare the secret with the one that ledge keys create printed, and the clocks of both machines"
	case awsExpiredKey:
		return from + "the key has expired: " + makeOne
	case awsDenied:
		return from + "see what the key may do: ledge keys ls on the node"
	case awsSlowDown:
		hint := from + "too many requests with wrong credentials came from here: correct them, then wait"
		if e.Retry != "" {
			hint += " " + e.Retry + " s"
		}
		return hint
	}
	return ""
}
