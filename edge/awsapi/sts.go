package awsapi

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/engine"
)

// stsOperations are those of AWS STS, which tools call to see whether their
// credentials are right (https://docs.aws.amazon.com/STS/latest/APIReference/).
// STS speaks AWS's query protocol: a form to the path "/", XML back.
func (a *api) stsOperations() []restjson.Operation {
	return []restjson.Operation{{
		Service: "sts", Name: "GetCallerIdentity", Method: http.MethodPost, Path: "/",
		Matches: func(r *http.Request) bool { return isQuery(r) && a.otherService(r) == "" }, Serve: getCallerIdentity,
		Note: "any key may ask; the account is always " + accountID,
	}}
}

// isQuery reports whether a request is one of AWS's query protocol, whose
// clients expect XML also where it fails.
func isQuery(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") && r.URL.Path == "/"
}

// writeFault writes f as the client of r reads errors.
func writeFault(w http.ResponseWriter, r *http.Request, f *fault) {
	if !isQuery(r) {
		f.Write(w)
		return
	}
	type failure struct{ Type, Code, Message string }
	kind := "Sender"
	if f.Status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	text, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error   failure
	}{Error: failure{kind, f.Code, f.Message}})
	if err != nil { // strings always marshal
		text = nil
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(f.Status)
	_, _ = w.Write(text) // a client that is gone needs no answer
}

// getCallerIdentity is https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html.
func getCallerIdentity(w http.ResponseWriter, r *http.Request) error {
	form, err := url.ParseQuery(string(restjson.Body(r.Context())))
	if err != nil {
		return invalid("the request body is no form: " + err.Error())
	}
	if asked := form.Get("Action"); asked != "GetCallerIdentity" {
		return restjson.NotImplemented(fmt.Sprintf("%.64q is not implemented by this node; of STS it has GetCallerIdentity", asked))
	}
	arn := restjson.CallerOf(r.Context()).ARN()
	type result struct{ Arn, UserId, Account string }
	type metadata struct{ RequestId string }
	reply := struct {
		XMLName                 xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
		GetCallerIdentityResult result
		ResponseMetadata        metadata
	}{
		GetCallerIdentityResult: result{Arn: arn, UserId: arn[strings.LastIndexByte(arn, ':')+1:], Account: accountID},
		ResponseMetadata:        metadata{engine.NewRequestID().String()},
	}
	text, err := xml.Marshal(reply)
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = w.Write(text) // a client that is gone needs no answer
	return nil
}
