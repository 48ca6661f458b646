package awsapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

var (
	statementPattern = regexp.MustCompile(`^([a-zA-Z0-9-_]+)$`)
	actionPattern    = regexp.MustCompile(`^(lambda:[*]|lambda:[a-zA-Z]+|[*])$`)
	sourceArnPattern = regexp.MustCompile(`^arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}(-gov)?(-iso([a-z])?)?-[a-z]+-\d{1})?:(\d{12})?:(.*)$`)
	accountPattern   = regexp.MustCompile(`^\d{12}$`)
	orgPattern       = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
	principalPattern = regexp.MustCompile(`^[^\s]+$`)
)

// permissionRequest is AddPermission's
// (https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html).
type permissionRequest struct {
	StatementId           string
	Action                string
	Principal             string
	SourceArn             string
	SourceAccount         string
	PrincipalOrgID        string
	EventSourceToken      string
	FunctionUrlAuthType   string
	InvokedViaFunctionUrl *bool
	RevisionId            string
}

func (q *permissionRequest) check() error {
	var bad violations
	bad.Length(q.StatementId, "statementId", 1, 100)
	if q.StatementId != "" {
		bad.Matches(q.StatementId, "statementId", statementPattern)
	}
	bad.Matches(q.Action, "action", actionPattern)
	bad.Matches(q.Principal, "principal", principalPattern)
	for _, optional := range []struct {
		value, at string
		pattern   *regexp.Regexp
	}{
		{q.SourceArn, "sourceArn", sourceArnPattern},
		{q.SourceAccount, "sourceAccount", accountPattern},
		{q.PrincipalOrgID, "principalOrgID", orgPattern},
	} {
		if optional.value != "" {
			bad.Matches(optional.value, optional.at, optional.pattern)
		}
	}
	if q.FunctionUrlAuthType != "" {
		bad.OneOf(q.FunctionUrlAuthType, "functionUrlAuthType", urlAuthNone, urlAuthIAM)
	}
	bad.Length(q.EventSourceToken, "eventSourceToken", 0, 256)
	return bad.Err()
}

// statement is one of a policy, in the order of AWS's members.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// statementOf writes the permission as Lambda does, for the resource.
func (q *permissionRequest) statementOf(resource string) statement {
	s := statement{Sid: q.StatementId, Effect: "Allow", Principal: "*", Action: q.Action, Resource: resource}
	switch {
	case q.Principal == "*":
	case accountPattern.MatchString(q.Principal):
		s.Principal = map[string]string{"AWS": "arn:aws:iam::" + q.Principal + ":root"}
	case strings.HasPrefix(q.Principal, "arn:"):
		s.Principal = map[string]string{"AWS": q.Principal}
	default:
		s.Principal = map[string]string{"Service": q.Principal}
	}
	condition := func(operator, key, value string) {
		if value == "" {
			return
		}
		if s.Condition == nil {
			s.Condition = map[string]map[string]string{}
		}
		if s.Condition[operator] == nil {
			s.Condition[operator] = map[string]string{}
		}
		s.Condition[operator][key] = value
	}
	condition("StringEquals", "AWS:SourceAccount", q.SourceAccount)
	condition("StringEquals", "aws:PrincipalOrgID", q.PrincipalOrgID)
	condition("StringEquals", "lambda:EventSourceToken", q.EventSourceToken)
	condition("StringEquals", "lambda:FunctionUrlAuthType", q.FunctionUrlAuthType)
	condition("ArnLike", "AWS:SourceArn", q.SourceArn)
	if q.InvokedViaFunctionUrl != nil {
		condition("Bool", "lambda:InvokedViaFunctionUrl", fmt.Sprint(*q.InvokedViaFunctionUrl))
	}
	return s
}

// addPermission stores a statement. Nothing asks the policy: who may call a
// function over HTTP is for its routes and APIs to say, and over this API for
// the caller's key.
func (a *api) addPermission(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	var req permissionRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if err := req.check(); err != nil {
		return err
	}
	text, err := json.Marshal(req.statementOf(a.arn(name, qualifier)))
	if err != nil {
		return fmt.Errorf("encode statement: %w", err)
	}
	err = a.Store.AddStatement(name, qualifier, persist.Statement{ID: req.StatementId, Text: text}, req.RevisionId)
	switch {
	case errors.Is(err, persist.ErrExists):
		return conflict(fmt.Sprintf("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", req.StatementId))
	case errors.Is(err, persist.ErrPolicyLength):
		return &fault{Status: http.StatusBadRequest, Code: "PolicyLengthExceededException",
			Message: fmt.Sprintf("The final policy size is bigger than the limit (%d).", persist.MaxPolicyBytes)}
	case err != nil:
		return a.policyError(err, name, qualifier)
	}
	return restjson.WriteJSON(w, http.StatusCreated, struct{ Statement string }{string(text)})
}

// policyError is what both operations that change a policy answer.
func (a *api) policyError(err error, name, qualifier string) error {
	if errors.Is(err, persist.ErrConflict) {
		return &fault{Status: http.StatusPreconditionFailed, Code: codePrecondition,
			Message: "The RevisionId provided does not match the latest RevisionId of the policy. Call the GetPolicy API to retrieve the latest RevisionId"}
	}
	return a.functionNotFound(err, name, qualifier)
}

func (a *api) removePermission(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	id := r.PathValue("statement")
	if err := a.Store.RemoveStatement(name, qualifier, id, r.URL.Query().Get("RevisionId")); err != nil {
		err = a.lacking(err, name, qualifier, notFound(fmt.Sprintf("Statement %.100s is not found in resource policy.", id)))
		return a.policyError(err, name, qualifier)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) getPolicy(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	p, err := a.Store.GetPolicy(name, qualifier)
	if err != nil {
		return a.lacking(err, name, qualifier, notFound("The resource you requested does not exist."))
	}
	document := struct {
		Version   string
		Id        string
		Statement []json.RawMessage
	}{Version: "2012-10-17", Id: "default"}
	for _, s := range p.Statements {
		document.Statement = append(document.Statement, s.Text)
	}
	text, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("encode policy: %w", err)
	}
	return restjson.WriteJSON(w, http.StatusOK, struct{ Policy, RevisionId string }{string(text), p.RevisionID})
}
