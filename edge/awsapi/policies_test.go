package awsapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestPolicies(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.want(http.StatusCreated, "POST", functions+"/hello/versions", nil)
	const path, arn = functions + "/hello/policy", "arn:aws:lambda:eu-north-1:000000000000:function:hello"
	n.refused(404, codeNotFound, "The resource you requested does not exist.", "GET", path, nil)
	for _, test := range []struct {
		name string
		body object
		want string
	}{
		{"API Gateway", object{"StatementId": "s1", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
			"SourceArn": "arn:aws:execute-api:eu-north-1:000000000000:abc/*/GET/hello", "SourceAccount": "123456789012"},
			`{"Sid":"s1","Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + arn + `",` +
				`"Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:execute-api:eu-north-1:000000000000:abc/*/GET/hello"},"StringEquals":{"AWS:SourceAccount":"123456789012"}}}`},
		{"account", object{"StatementId": "s2", "Action": "lambda:*", "Principal": "123456789012"},
			`{"Sid":"s2","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"lambda:*","Resource":"` + arn + `"}`},
		{"role", object{"StatementId": "s3", "Action": "lambda:GetFunction", "Principal": "arn:aws:iam::123456789012:role/r"},
			`{"Sid":"s3","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/r"},"Action":"lambda:GetFunction","Resource":"` + arn + `"}`},
		{"everybody by URL", object{"StatementId": "s4", "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"},
			`{"Sid":"s4","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"` + arn + `","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}`},
	} {
		r := n.want(http.StatusCreated, "POST", path, test.body)
		if got := r.text(t, "Statement"); got != test.want {
			t.Errorf("%s: %s\nwant %s", test.name, got, test.want)
		}
	}
	first := n.want(http.StatusOK, "GET", path, nil)
	var document struct {
		Version, Id string
		Statement   []struct{ Sid string }
	}
	if err := json.Unmarshal([]byte(first.text(t, "Policy")), &document); err != nil || document.Version != "2012-10-17" || document.Id != "default" ||
		fmt.Sprint(document.Statement) != "[{s1} {s2} {s3} {s4}]" {
		t.Errorf("policy %s, %v", first.body, err)
	}
	ok := func(members object) object {
		body := object{"StatementId": "new", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
		for k, v := range members {
			body[k] = v
		}
		return body
	}
	n.refused(409, codeConflict, "The statement id (s1) provided already exists.", "POST", path, ok(object{"StatementId": "s1"}))
	n.refused(412, codePrecondition, "RevisionId", "POST", path, ok(object{"RevisionId": "x"}))
	n.refused(412, codePrecondition, "RevisionId", "DELETE", path+"/s1?RevisionId=x", nil)
	for _, test := range []struct {
		body object
		at   string
	}{
		{ok(object{"StatementId": ""}), "statementId"}, {ok(object{"StatementId": "a b"}), "statementId"}, {ok(object{"StatementId": strings.Repeat("s", 101)}), "statementId"},
		{ok(object{"Action": "s3:GetObject"}), "action"}, {ok(object{"Principal": ""}), "principal"}, {ok(object{"Principal": "a b"}), "principal"},
		{ok(object{"SourceArn": "bucket"}), "sourceArn"}, {ok(object{"SourceAccount": "1"}), "sourceAccount"},
		{ok(object{"PrincipalOrgID": "x"}), "principalOrgID"}, {ok(object{"FunctionUrlAuthType": "BASIC"}), "functionUrlAuthType"},
	} {
		n.refused(400, codeValidation, "'"+test.at+"' failed to satisfy constraint", "POST", path, test.body)
	}
	n.refused(404, codeNotFound, "function:hello:9", "POST", path+"?Qualifier=9", ok(nil))
	n.refused(404, codeNotFound, "Function not found", "GET", functions+"/nobody/policy", nil)
	n.refused(404, codeNotFound, "Statement s9 is not found in resource policy.", "DELETE", path+"/s9", nil)
	n.refused(404, codeNotFound, "Function not found", "DELETE", functions+"/nobody/policy/s1", nil)

	// A version has a policy of its own.
	n.want(http.StatusCreated, "POST", path+"?Qualifier=1", ok(nil))
	n.refused(404, codeNotFound, "Statement new is not found", "DELETE", path+"/new", nil)
	if r := n.want(http.StatusOK, "GET", path+"?Qualifier=1", nil); !strings.Contains(r.text(t, "Policy"), arn+`:1`) {
		t.Errorf("policy of version 1: %s", r.body)
	}
	revision := first.text(t, "RevisionId")
	n.want(http.StatusNoContent, "DELETE", path+"/s1?RevisionId="+url.QueryEscape(revision), nil)
	if r := n.want(http.StatusOK, "GET", path, nil); r.text(t, "RevisionId") == revision || strings.Contains(r.text(t, "Policy"), "s1") {
		t.Errorf("after the removal: %s", r.body)
	}
	for _, id := range []string{"s2", "s3", "s4"} {
		n.want(http.StatusNoContent, "DELETE", path+"/"+id, nil)
	}
	n.refused(404, codeNotFound, "does not exist", "GET", path, nil)
	for i := range 200 {
		r := n.call("POST", path, ok(object{"StatementId": fmt.Sprintf("s%d", i), "SourceArn": "arn:aws:s3:::" + strings.Repeat("b", 500)}))
		if r.StatusCode == http.StatusCreated && i < 100 {
			continue
		}
		if r.StatusCode != 400 || r.Header.Get("X-Amzn-Errortype") != "PolicyLengthExceededException" || i < 10 {
			t.Errorf("statement %d: %s", i, r.body)
		}
		break
	}
}
