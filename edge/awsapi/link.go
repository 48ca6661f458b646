package awsapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ledge/edge/awsapi/restjson"
)

// linkLife is how long a link to code works, as in AWS Lambda
// (https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html).
const linkLife = 10 * time.Minute

// Parameters of a link.
const (
	linkExpires   = "X-Ledge-Expires"   // Unix time in seconds
	linkSignature = "X-Ledge-Signature" // hex
)

// link returns a link to a path of this control plane that may be read without
// a key, at the address that the client of r uses. It lives for linkLife, or
// until the node is started again.
func (a *api) link(r *http.Request, path string, query url.Values) string {
	if query == nil {
		query = url.Values{}
	}
	query.Set(linkExpires, strconv.FormatInt(a.Now().Add(linkLife).Unix(), 10))
	query.Set(linkSignature, a.signLink(path, query))
	u := url.URL{Scheme: "http", Host: r.Host, Path: path, RawQuery: query.Encode()}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

// signLink returns the signature of a link with these parameters.
func (a *api) signLink(path string, query url.Values) string {
	covered := url.Values{}
	for name, values := range query {
		if name != linkSignature {
			covered[name] = values
		}
	}
	mac := hmac.New(sha256.New, a.linkKey[:])
	mac.Write([]byte(path + "?" + covered.Encode()))
	return hex.EncodeToString(mac.Sum(nil))
}

func isLink(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Has(linkSignature)
}

// followLink admits a request for a link that this node gave.
func (a *api) followLink(r *http.Request, op *restjson.Operation) (admitted, error) {
	query := r.URL.Query()
	want := a.signLink(r.URL.Path, query)
	if !hmac.Equal([]byte(want), []byte(query.Get(linkSignature))) {
		return admitted{}, &fault{Status: http.StatusForbidden, Code: restjson.CodeDenied,
			Message: "the link is not one that this node gave since it was started; ask for a new one"}
	}
	expires, err := strconv.ParseInt(query.Get(linkExpires), 10, 64)
	if err != nil || a.Now().Unix() > expires {
		return admitted{}, &fault{Status: http.StatusForbidden, Code: restjson.CodeDenied,
			Message: "the link has expired; ask for a new one"}
	}
	return admitted{caller: bearer{}, name: "link", done: func(int) {}}, nil
}

// bearer is whoever has a link: it may read what the link names.
type bearer struct{}

func (bearer) ARN() string { return "anonymous" }

func (bearer) Allows(access restjson.Access, _ string) bool { return access == restjson.Read }
