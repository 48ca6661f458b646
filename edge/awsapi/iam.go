package awsapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/sigv4"
	"ledge/edge/gateway"
)

// AuthorizeIAM returns gateway.Config.Authorize: it lets requests through to an
// API's route or a function URL with IAM authorization that are signed with a
// key of the node which may invoke the function behind it. Their path must be
// normalised, without empty, "." and ".." segments. The same signature is good
// again until it expires, as that of Invoke is.
func AuthorizeIAM(keys *identity.Keyring) func(*gateway.IAMRequest) (gateway.Caller, error) {
	return func(r *gateway.IAMRequest) (gateway.Caller, error) {
		if !isNormal(r.RawPath) {
			return gateway.Caller{}, &gateway.Denied{Status: http.StatusForbidden,
				Message: "A signed path must have no empty segments and no . and .. segments: the signature does not tell them apart from the path without."}
		}
		signed := &sigv4.Request{
			Method: r.Method, Path: r.RawPath, RawQuery: r.RawQuery,
			Header: http.Header{}, ContentLength: int64(len(r.Body)),
		}
		for name, value := range r.Header {
			name = http.CanonicalHeaderKey(name)
			if name == "Host" {
				signed.Host = value
			}
			signed.Header.Add(name, value)
		}
		caller, err := keys.Authenticate(identity.Request{
			Request:  signed,
			Peer:     r.Peer,
			TLS:      r.TLS,
			Services: []string{r.Service},
			Body:     func() ([]byte, error) { return r.Body, nil },
		})
		if err == nil {
			action, resource := "execute-api:Invoke", r.ARN
			if r.Service == serviceLambda {
				action, resource = "lambda:InvokeFunctionUrl", r.Function
			}
			err = keys.Authorize(caller, identity.Invoke, r.Function, action, resource)
		}
		var refused *identity.Error
		if errors.As(err, &refused) {
			return gateway.Caller{}, &gateway.Denied{Status: refused.Status, Message: refused.Message}
		}
		if err != nil {
			return gateway.Caller{}, err
		}
		return gateway.Caller{AccessKey: caller.KeyID, UserID: caller.Name, ARN: caller.ARN}, nil
	}
}

// isNormal reports whether a path is the one that its signature covers. The
// gateway matches paths as they were sent and signatures are for paths that are
// normalised, so that one which was seen on the network for /url/A/ would be good
// for /url/B/../A/, too, which is B's.
func isNormal(path string) bool {
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return true
	}
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	return !slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." })
}
