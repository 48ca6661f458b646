package gateway

import (
	"bytes"
	"fmt"
	"strings"
)

// identitySource is where in a request an authorizer finds what identifies its
// caller.
type identitySource struct {
	in   sourceKind
	name string
}

type sourceKind uint8

const (
	inHeader sourceKind = iota
	inQuery
	inContext
	inVariables
)

// sourcePrefixes are the notations of HTTP APIs and of REST APIs.
var sourcePrefixes = [...]struct {
	prefix string
	in     sourceKind
}{
	{"$request.header.", inHeader}, {"method.request.header.", inHeader},
	{"$request.querystring.", inQuery}, {"method.request.querystring.", inQuery},
	{"$context.", inContext}, {"context.", inContext},
	{"$stageVariables.", inVariables}, {"stageVariables.", inVariables},
}

// maxSources bounds the identity sources of one authorizer.
const maxSources = 20

func parseSources(texts []string) ([]identitySource, error) {
	if len(texts) > maxSources {
		return nil, fmt.Errorf("it has %d identity sources: use at most %d", len(texts), maxSources)
	}
	var sources []identitySource
	for _, text := range texts {
		s, err := parseSource(text)
		if err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	return sources, nil
}

func parseSource(text string) (identitySource, error) {
	for _, p := range sourcePrefixes {
		name, found := strings.CutPrefix(text, p.prefix)
		if !found {
			continue
		}
		s := identitySource{p.in, name}
		switch {
		case name == "":
		case s.in == inHeader && !isToken([]byte(name)):
		case s.in == inContext && !isContextVariable(name):
		default:
			return s, nil
		}
		break
	}
	return identitySource{}, fmt.Errorf("%q is not an identity source: write it as $request.header.Authorization "+
		"(in a REST API method.request.header.Authorization)", text)
}

func isContextVariable(name string) bool {
	switch name {
	case "accountId", "apiId", "domainName", "domainPrefix", "httpMethod", "path", "protocol", "requestId",
		"resourcePath", "routeKey", "stage", "identity.sourceIp", "identity.userAgent":
		return true
	}
	return false
}

// append appends what the source has in a request. A header or a parameter that
// was sent several times counts with all its values: an answer that is kept for
// one of them must not serve a request that has others besides.
func (i identitySource) append(b []byte, s *source) []byte {
	switch i.in {
	case inHeader:
		for n, value := range s.header.PeekAll(i.name) {
			if n > 0 {
				b = append(b, ',')
			}
			b = append(b, value...)
		}
		return b
	case inQuery:
		return appendParameter(b, s.query, i.name)
	case inVariables:
		return append(b, s.target.stage.variables[i.name]...)
	}
	return i.appendContext(b, s)
}

// appendParameter appends the values of a query's parameter, percent-decoded.
func appendParameter(b, query []byte, wanted string) []byte {
	var room [256]byte
	for n := 0; len(query) > 0; {
		var field []byte
		field, query, _ = bytes.Cut(query, []byte{'&'})
		name, value, _ := bytes.Cut(field, []byte{'='})
		if len(name) > 3*len(wanted) || string(appendUnescaped(room[:0], name, true)) != wanted {
			continue
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = appendUnescaped(b, value, true)
	}
	return b
}

func (i identitySource) appendContext(b []byte, s *source) []byte {
	switch i.name {
	case "accountId":
		return append(b, accountID...)
	case "apiId":
		return append(b, s.target.stage.api.id...)
	case "domainName":
		return append(b, hostName(s.header.Host())...)
	case "domainPrefix":
		prefix, _, _ := bytes.Cut(hostName(s.header.Host()), []byte{'.'})
		return append(b, prefix...)
	case "httpMethod":
		return append(b, s.header.Method()...)
	case "path":
		return append(b, s.path...)
	case "protocol":
		return append(b, s.header.Protocol()...)
	case "requestId":
		return append(b, s.id...)
	case "resourcePath":
		return append(b, s.target.route.Path...)
	case "routeKey":
		return append(b, s.target.key...)
	case "stage":
		return append(b, s.target.stage.name...)
	case "identity.sourceIp":
		if s.client.IsValid() {
			return s.client.Addr().AppendTo(b)
		}
	case "identity.userAgent":
		return append(b, s.header.UserAgent()...)
	}
	return b
}
