package awsapi

import (
	"errors"
	"net/http"

	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/sigv4"
	"ledge/edge/gateway"
)

// AuthorizeIAM returns gateway.Config.Authorize: it lets requests through to an
// API's route or a function URL with IAM authorization that are signed with a
// key of the node which may invoke the function behind it.
func AuthorizeIAM(keys *identity.Keyring) func(*gateway.IAMRequest) (gateway.Caller, error) {
	return func(r *gateway.IAMRequest) (gateway.Caller, error) {
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
