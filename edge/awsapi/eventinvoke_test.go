package awsapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestEventInvokeConfig(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.create("after")
	n.want(http.StatusCreated, "POST", functions+"/hello/versions", nil)
	n.want(http.StatusCreated, "POST", functions+"/hello/aliases", object{"Name": "live", "FunctionVersion": "1"})
	const path = "/2019-09-25/functions/hello/event-invoke-config"
	const after = "arn:aws:lambda:eu-north-1:000000000000:function:after"
	check := func(r reply, want map[string]string) {
		t.Helper()
		for path, want := range want {
			if got := r.text(t, path); got != want {
				t.Errorf("%s is %s, want %s", path, got, want)
			}
		}
	}
	n.refused(404, codeNotFound, "function:hello:$LATEST doesn't have an EventInvokeConfig", "GET", path, nil)
	n.refused(404, codeNotFound, "doesn't have an EventInvokeConfig", "POST", path, object{"MaximumRetryAttempts": 1})
	check(n.want(http.StatusOK, "PUT", path, object{
		"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60,
		"DestinationConfig": object{"OnSuccess": object{"Destination": after}, "OnFailure": object{}},
	}), map[string]string{
		"FunctionArn":          "arn:aws:lambda:eu-north-1:000000000000:function:hello:$LATEST",
		"MaximumRetryAttempts": "0", "MaximumEventAgeInSeconds": "60",
		"DestinationConfig.OnSuccess.Destination": after, "DestinationConfig.OnFailure.Destination": "<nil>",
	})
	check(n.want(http.StatusOK, "POST", path, object{"MaximumRetryAttempts": 2}), map[string]string{
		"MaximumRetryAttempts": "2", "MaximumEventAgeInSeconds": "60", "DestinationConfig.OnSuccess.Destination": after})
	check(n.want(http.StatusOK, "PUT", path, object{"MaximumEventAgeInSeconds": 21600}), map[string]string{
		"MaximumRetryAttempts": "<nil>", "MaximumEventAgeInSeconds": "21600", "DestinationConfig.OnSuccess.Destination": "<nil>"})
	n.want(http.StatusOK, "PUT", path+"?Qualifier=live", object{"MaximumRetryAttempts": 1})
	list := n.want(http.StatusOK, "GET", path+"/list?MaxItems=1", nil)
	if list.text(t, "NextMarker") != "$LATEST" {
		t.Errorf("list %s", list.body)
	}
	var page struct{ FunctionEventInvokeConfigs []eventInvokeConfig }
	if n.want(http.StatusOK, "GET", path+"/list?Marker=$LATEST", nil).into(t, &page); len(page.FunctionEventInvokeConfigs) != 1 {
		t.Errorf("second page %+v", page)
	}
	to := func(arn string) object {
		return object{"DestinationConfig": object{"OnFailure": object{"Destination": arn}}}
	}
	for _, test := range []struct {
		body object
		code string
		says string
	}{
		{object{}, codeInvalid, "You must specify at least one of error handling or destination setting."},
		{object{"MaximumRetryAttempts": nil}, codeInvalid, "at least one of"},
		{object{"MaximumRetryAttempts": 3}, codeValidation, "'maximumRetryAttempts' failed to satisfy constraint: Member must have value less than or equal to 2"},
		{object{"MaximumEventAgeInSeconds": 59}, codeValidation, "'maximumEventAgeInSeconds' failed to satisfy constraint: Member must have value greater than or equal to 60"},
		{object{"MaximumEventAgeInSeconds": 21601}, codeValidation, "less than or equal to 21600"},
		{to("arn:aws:sqs:eu-north-1:000000000000:q"), codeInvalid, "not the ARN of a function"},
		{to("after"), codeInvalid, "not the ARN of a function"},
		{to("arn:aws:lambda:eu-north-1:000000000000:layer:x:1"), codeInvalid, "not the ARN of a function"},
		{to("arn:aws:lambda:eu-north-1:000000000000:function:nobody"), codeInvalid, "no such function"},
		{to("arn:aws:lambda:eu-north-1:000000000000:function:hello"), codeInvalid, "different from the function itself"},
	} {
		n.refused(400, test.code, test.says, "PUT", path, test.body)
		n.refused(400, test.code, test.says, "POST", path, test.body)
	}
	n.refused(404, codeNotFound, "Function not found", "PUT", "/2019-09-25/functions/nobody/event-invoke-config", object{})
	n.refused(404, codeNotFound, "function:hello:9", "PUT", path+"?Qualifier=9", object{})
	n.refused(404, codeNotFound, "Function not found", "GET", "/2019-09-25/functions/nobody/event-invoke-config/list", nil)
	n.want(http.StatusNoContent, "DELETE", path, nil)
	n.refused(404, codeNotFound, "doesn't have", "DELETE", path, nil)
	n.want(http.StatusNoContent, "DELETE", functions+"/hello/aliases/live", nil)
	if n.want(http.StatusOK, "GET", path+"/list", nil).into(t, &page); len(page.FunctionEventInvokeConfigs) != 0 {
		t.Errorf("left over %+v", page)
	}
}

// Settings of which the node has one value are read, and written with that value.
func TestFixedConfigs(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.want(http.StatusCreated, "POST", functions+"/hello/versions", nil)
	const recursive, managed, signing = "/2024-08-31/functions/%/recursion-config", "/2021-07-20/functions/%/runtime-management-config", "/2020-06-30/functions/%/code-signing-config"
	of := func(path, function string) string { return strings.Replace(path, "%", function, 1) }
	for _, test := range []struct {
		method, path string
		body         any
		want         string
	}{
		{"GET", of(recursive, "hello"), nil, `{"RecursiveLoop":"Terminate"}`},
		{"PUT", of(recursive, "hello"), object{"RecursiveLoop": "Terminate"}, `{"RecursiveLoop":"Terminate"}`},
		{"GET", of(managed, "hello"), nil, `{"FunctionArn":"arn:aws:lambda:eu-north-1:000000000000:function:hello","UpdateRuntimeOn":"Auto"}`},
		{"PUT", of(managed, "hello:1"), object{"UpdateRuntimeOn": "Auto"}, `{"FunctionArn":"arn:aws:lambda:eu-north-1:000000000000:function:hello:1","UpdateRuntimeOn":"Auto"}`},
		{"GET", of(signing, "hello"), nil, `{"FunctionName":"hello","CodeSigningConfigArn":""}`},
	} {
		if r := n.want(http.StatusOK, test.method, test.path, test.body); string(r.body) != test.want {
			t.Errorf("%s %s: %s", test.method, test.path, r.body)
		}
	}
	n.refused(400, codeInvalid, "recursive loops always end", "PUT", of(recursive, "hello"), object{"RecursiveLoop": "Allow"})
	n.refused(400, codeValidation, "recursiveLoop", "PUT", of(recursive, "hello"), object{})
	n.refused(400, codeInvalid, "use Auto", "PUT", of(managed, "hello"), object{"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn"})
	n.refused(400, codeInvalid, "use Auto", "PUT", of(managed, "hello"), object{"UpdateRuntimeOn": "FunctionUpdate"})
	n.refused(400, codeValidation, "updateRuntimeOn", "PUT", of(managed, "hello"), object{"UpdateRuntimeOn": "Never"})
	for _, path := range []string{recursive, managed, signing} {
		n.refused(404, codeNotFound, "Function not found", "GET", of(path, "nobody"), nil)
	}
	n.refused(501, "NotImplementedException", "AWS Signer", "PUT", of(signing, "hello"), object{"CodeSigningConfigArn": "arn"})
}
