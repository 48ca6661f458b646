package awsapi

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/edge/gateway"
	"ledge/persist"
)

// How a function URL asks who calls it, and how it answers
// (https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunctionUrlConfig.html).
const (
	urlAuthNone = "NONE"
	urlAuthIAM  = "AWS_IAM"
	urlBuffered = "BUFFERED"
)

// checkURLCORS holds c to the service model of function URLs.
func checkURLCORS(c *cors, bad *violations) {
	for _, list := range []struct {
		values       []string
		at           string
		most, length int
	}{
		{c.AllowHeaders, "cors.allowHeaders", 100, 1024}, {c.ExposeHeaders, "cors.exposeHeaders", 100, 1024},
		{c.AllowMethods, "cors.allowMethods", 6, 6}, {c.AllowOrigins, "cors.allowOrigins", 100, 253},
	} {
		bad.Items(len(list.values), list.at, 0, list.most)
		for _, value := range list.values {
			bad.Length(value, list.at, 1, list.length)
		}
	}
	for _, method := range c.AllowMethods {
		bad.OneOf(method, "cors.allowMethods", "GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*")
	}
	bad.Between(int64(c.MaxAge), "cors.maxAge", 0, 86400)
}

// storedURLCORS is c as it is stored: an empty one takes away what there was.
func storedURLCORS(c *cors) *persist.CORS {
	if c == nil || c.empty() {
		return nil
	}
	return c.stored()
}

// functionURL is Lambda's FunctionUrlConfig.
type functionURL struct {
	FunctionUrl      string
	FunctionArn      string
	AuthType         string
	Cors             *cors `json:",omitempty"`
	InvokeMode       string
	CreationTime     string
	LastModifiedTime string
}

// urlTime is the layout of times in URL configurations.
const urlTime = "2006-01-02T15:04:05.000000Z"

func (a *api) urlOf(u persist.FunctionURL) functionURL {
	return functionURL{
		FunctionUrl: a.urlAddress(u.ID), FunctionArn: a.arn(u.Function, u.Qualifier),
		AuthType: u.AuthType, Cors: shownCORS(u.CORS), InvokeMode: u.InvokeMode,
		CreationTime: u.Created.UTC().Format(urlTime), LastModifiedTime: u.Modified.UTC().Format(urlTime),
	}
}

// urlAddress is where the gateway serves a function URL for programs on the
// node: names below localhost are the machine itself (RFC 6761, section 6.3).
// From elsewhere any name with the same first label will do, or the path
// /_aws/lambda-url/{id}/ under the gateway's own address.
func (a *api) urlAddress(id string) string {
	host := id + ".lambda-url." + a.Region + ".localhost"
	if _, port, err := net.SplitHostPort(a.Version.HTTP); err == nil && port != "" && port != "80" {
		host = net.JoinHostPort(host, port)
	}
	return "http://" + host + "/"
}

// newURLID returns 32 lower-case letters and digits, as Lambda's IDs have: 160
// random bits, because with the type NONE whoever knows the ID may call.
func newURLID() string {
	var b [20]byte
	rand.Read(b[:]) // it never fails, see its documentation
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

type urlRequest struct {
	AuthType   *string
	Cors       *cors
	InvokeMode *string
}

func (q *urlRequest) check() error {
	var bad violations
	if q.AuthType != nil {
		bad.OneOf(*q.AuthType, "authType", urlAuthNone, urlAuthIAM)
	}
	if q.InvokeMode != nil {
		bad.OneOf(*q.InvokeMode, "invokeMode", urlBuffered, "RESPONSE_STREAM")
	}
	if q.Cors != nil {
		checkURLCORS(q.Cors, &bad)
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if q.InvokeMode != nil && *q.InvokeMode != urlBuffered {
		return unsupported("InvokeMode RESPONSE_STREAM", "replies are sent when they are complete; use BUFFERED")
	}
	return nil
}

// urlTarget is function for a URL's, which is $LATEST's or an alias's.
func urlTarget(r *http.Request) (name, qualifier string, err error) {
	name, qualifier, err = function(r)
	if err != nil {
		return "", "", err
	}
	if qualifier != "" && (qualifier == persist.Latest || numberPattern.MatchString(qualifier)) {
		var bad violations
		bad.Add(qualifier, "qualifier", `Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)`)
		return "", "", bad.Err()
	}
	return name, qualifier, nil
}

func (a *api) createURL(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := urlTarget(r)
	if err != nil {
		return err
	}
	var req urlRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	var bad violations
	if bad.Required(req.AuthType != nil, "authType"); len(bad) > 0 {
		return bad.Err()
	}
	if err := req.check(); err != nil {
		return err
	}
	stored, err := a.Reconciler.PutFunctionURL(r.Context(), persist.FunctionURL{
		ID: newURLID(), Function: name, Qualifier: qualifier,
		AuthType: *req.AuthType, CORS: storedURLCORS(req.Cors), InvokeMode: urlBuffered,
	}, false)
	if errors.Is(err, persist.ErrExists) {
		return conflict("Failed to create function url config for [functionArn = " + a.arn(name, qualifier) + "]. Error message:  FunctionUrlConfig exists for this Lambda function")
	}
	if err != nil {
		return a.functionNotFound(urlRefused(err), name, qualifier)
	}
	return restjson.WriteJSON(w, http.StatusCreated, a.urlOf(stored))
}

// urlRefused is err, unless the gateway cannot serve what was asked for, such as
// credentials for all origins.
func urlRefused(err error) error {
	var refused *gateway.APIError
	if errors.As(err, &refused) {
		return invalid("the function URL cannot be served: " + refused.Error())
	}
	return err
}

func (a *api) updateURL(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := urlTarget(r)
	if err != nil {
		return err
	}
	var req urlRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if err := req.check(); err != nil {
		return err
	}
	u, err := a.Store.GetFunctionURL(name, qualifier)
	if err != nil {
		return a.urlNotFound(err, name, qualifier)
	}
	set(&u.AuthType, req.AuthType)
	if req.Cors != nil {
		u.CORS = storedURLCORS(req.Cors)
	}
	stored, err := a.Reconciler.PutFunctionURL(r.Context(), u, true)
	if err != nil {
		return a.urlNotFound(urlRefused(err), name, qualifier)
	}
	return restjson.WriteJSON(w, http.StatusOK, a.urlOf(stored))
}

func (a *api) urlNotFound(err error, name, qualifier string) error {
	return a.lacking(err, name, qualifier, notFound(fmt.Sprintf("The resource you requested does not exist: %s has no URL", a.arn(name, qualifier))))
}

func (a *api) getURL(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := urlTarget(r)
	if err != nil {
		return err
	}
	u, err := a.Store.GetFunctionURL(name, qualifier)
	if err != nil {
		return a.urlNotFound(err, name, qualifier)
	}
	return restjson.WriteJSON(w, http.StatusOK, a.urlOf(u))
}

func (a *api) listURLs(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	urls, err := a.Store.FunctionURLsOf(name)
	if err != nil {
		return a.functionNotFound(err, name, "")
	}
	// $LATEST's has no qualifier, and a marker may not be empty.
	page, next, err := pageOf(r, urls, func(u persist.FunctionURL) string { return "/" + u.Qualifier })
	if err != nil {
		return err
	}
	reply := struct {
		FunctionUrlConfigs []functionURL
		NextMarker         string `json:",omitempty"`
	}{FunctionUrlConfigs: []functionURL{}, NextMarker: next}
	for _, u := range page {
		reply.FunctionUrlConfigs = append(reply.FunctionUrlConfigs, a.urlOf(u))
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

func (a *api) deleteURL(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := urlTarget(r)
	if err != nil {
		return err
	}
	if err := a.Reconciler.DeleteFunctionURL(r.Context(), name, qualifier); err != nil {
		return a.urlNotFound(err, name, qualifier)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
