package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// This file is what a Lambda authorizer's function is asked, and what it answers.

// appendEvent appends the authorizer's event for a request of src. x.arn is the
// method's.
func (l *lambdaAuthorizer) appendEvent(b []byte, x *exchange, src *source) []byte {
	if l.in.Token {
		b = append(b, `{"type":"TOKEN","methodArn":`...)
		b = appendString(b, x.arn)
		b = append(b, `,"authorizationToken":`...)
		b = appendString(b, l.sources[0].append(nil, src))
		return append(b, '}')
	}
	if l.in.Payload == PayloadV2 {
		b = append(b, `{"type":"REQUEST","routeArn":`...)
		b = appendString(b, x.arn)
		b = append(b, `,"identitySource":`...)
		b = l.appendSources(b, src)
		b = append(b, ',')
		b = append(b, src.target.head[1:]...)
		b = appendMembers(b, src, &x.pairs)
		return append(b, '}')
	}
	b = append(b, `{"type":"REQUEST","methodArn":`...)
	b = appendString(b, x.arn)
	b = append(b, ',')
	if l.kind == KindHTTP {
		var joined []byte
		for i, from := range l.sources {
			if i > 0 {
				joined = append(joined, ',')
			}
			joined = from.append(joined, src)
		}
		b = append(b, `"identitySource":`...)
		b = appendString(b, joined)
		b = append(b, `,"authorizationToken":`...)
		b = appendString(b, joined)
		b = append(b, ',')
	}
	b = append(b, src.target.head[1:]...)
	b = appendMembersV1(b, src, &x.pairs)
	return append(b, '}')
}

// appendSources appends the values of the identity sources as a list, null where
// there are none.
func (l *lambdaAuthorizer) appendSources(b []byte, src *source) []byte {
	if len(l.sources) == 0 {
		return append(b, "null"...)
	}
	for i, from := range l.sources {
		if i == 0 {
			b = append(b, '[')
		} else {
			b = append(b, ',')
		}
		b = appendString(b, from.append(nil, src))
	}
	return append(b, ']')
}

// maxAnswer bounds an authorizer's answer in bytes; API Gateway takes policies
// of about 8 KB.
const maxAnswer = 16 << 10

// read makes an answer a grant.
func (l *lambdaAuthorizer) read(reply []byte) (*grant, error) {
	if len(reply) > maxAnswer {
		return nil, fmt.Errorf("the authorizer's answer has %d bytes, more than %d", len(reply), maxAnswer)
	}
	var answer struct {
		IsAuthorized       *bool                      `json:"isAuthorized"`
		PrincipalID        string                     `json:"principalId"`
		PolicyDocument     json.RawMessage            `json:"policyDocument"`
		Context            map[string]json.RawMessage `json:"context"`
		UsageIdentifierKey string                     `json:"usageIdentifierKey"`
	}
	// What is not UTF-8 must not get into events.
	if err := json.Unmarshal(bytes.ToValidUTF8(reply, []byte("\uFFFD")), &answer); err != nil {
		return nil, fmt.Errorf("read the authorizer's answer: %w", err)
	}
	g := &grant{usageKey: answer.UsageIdentifierKey}
	var err error
	switch {
	case l.in.Simple && answer.IsAuthorized == nil:
		return nil, errors.New("the authorizer's answer has no isAuthorized, true or false, as a simple response needs")
	case l.in.Simple:
		g.denied = !*answer.IsAuthorized
	case len(answer.PolicyDocument) == 0:
		return nil, errors.New("the authorizer's answer has no policyDocument")
	default:
		if g.policy, err = parsePolicy(answer.PolicyDocument); err != nil {
			return nil, fmt.Errorf("the authorizer's answer: %w", err)
		}
	}
	if g.shown, g.flat, err = contextJSON(answer.Context, answer.PrincipalID, l.kind == KindREST); err != nil {
		return nil, fmt.Errorf("the authorizer's answer: %w", err)
	}
	return g, nil
}
