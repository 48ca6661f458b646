package awsapi

import (
	"net/http"
	"regexp"
	"testing"
)

func TestFunctionURLs(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.want(http.StatusCreated, "POST", functions+"/hello/versions", nil)
	n.want(http.StatusCreated, "POST", functions+"/hello/aliases", object{"Name": "live", "FunctionVersion": "1"})
	const path = "/2021-10-31/functions/hello/url"
	made := n.want(http.StatusCreated, "POST", path, object{"AuthType": "NONE",
		"Cors": object{"AllowOrigins": []string{"https://example.com"}, "AllowMethods": []string{"GET", "PUT"}, "AllowHeaders": []string{"x-a"},
			"ExposeHeaders": []string{"x-b"}, "MaxAge": 60, "AllowCredentials": true}})
	for member, want := range map[string]string{
		"FunctionArn": "arn:aws:lambda:eu-north-1:000000000000:function:hello", "AuthType": "NONE", "InvokeMode": "BUFFERED",
		"Cors.AllowOrigins": "[https://example.com]", "Cors.MaxAge": "60", "Cors.AllowCredentials": "true",
	} {
		if got := made.text(t, member); got != want {
			t.Errorf("%s is %s, want %s", member, got, want)
		}
	}
	address := made.text(t, "FunctionUrl")
	if !regexp.MustCompile(`^http://[a-z2-7]{32}\.lambda-url\.eu-north-1\.localhost:8080/$`).MatchString(address) {
		t.Errorf("address %s", address)
	}
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`).MatchString(made.text(t, "CreationTime")) {
		t.Errorf("created %s", made.text(t, "CreationTime"))
	}
	changed := n.want(http.StatusOK, "PUT", path, object{"AuthType": "AWS_IAM"})
	if changed.text(t, "FunctionUrl") != address || changed.text(t, "AuthType") != "AWS_IAM" || changed.text(t, "Cors.MaxAge") != "60" {
		t.Errorf("changed %s", changed.body)
	}
	if r := n.want(http.StatusOK, "PUT", path, object{"Cors": object{}}); r.text(t, "Cors") != "<nil>" {
		t.Errorf("CORS is still there: %s", r.body)
	}
	if r := n.want(http.StatusCreated, "POST", path+"?Qualifier=live", object{"AuthType": "NONE", "InvokeMode": "BUFFERED"}); r.text(t, "FunctionUrl") == address {
		t.Errorf("two URLs are one: %s", r.body)
	}
	var page struct {
		FunctionUrlConfigs []functionURL
		NextMarker         string
	}
	n.want(http.StatusOK, "GET", path+"s?MaxItems=1", nil).into(t, &page)
	if len(page.FunctionUrlConfigs) != 1 || page.FunctionUrlConfigs[0].FunctionUrl != address || page.NextMarker == "" {
		t.Errorf("first page %+v", page)
	}
	n.want(http.StatusOK, "GET", path+"s?Marker="+page.NextMarker, nil).into(t, &page)
	if len(page.FunctionUrlConfigs) != 1 || page.FunctionUrlConfigs[0].FunctionArn != "arn:aws:lambda:eu-north-1:000000000000:function:hello:live" {
		t.Errorf("second page %+v", page)
	}
	n.unchanged(func() {
		n.refused(409, codeConflict, "FunctionUrlConfig exists for this Lambda function", "POST", path, object{"AuthType": "NONE"})
		n.refused(400, codeValidation, "Value null at 'authType'", "POST", path, object{})
		n.refused(400, codeValidation, "authType", "POST", path+"?Qualifier=live", object{"AuthType": "Basic"})
		n.refused(400, codeInvalid, "RESPONSE_STREAM", "PUT", path, object{"InvokeMode": "RESPONSE_STREAM"})
		n.refused(400, codeValidation, "invokeMode", "PUT", path, object{"InvokeMode": "FAST"})
		n.refused(400, codeValidation, "cors.maxAge", "PUT", path, object{"Cors": object{"MaxAge": 86401}})
		n.refused(400, codeValidation, "cors.allowMethods", "PUT", path, object{"Cors": object{"AllowMethods": []string{"BREW"}}})
		n.refused(400, codeValidation, "cors.allowOrigins", "PUT", path, object{"Cors": object{"AllowOrigins": []string{""}}})
		n.refused(400, codeContent, `\"Cors.AllowOrigins\" must be an array`, "PUT", path, object{"Cors": object{"AllowOrigins": "*"}})
		n.refused(400, codeInvalid, "browsers refuse the wildcard", "PUT", path, object{"Cors": object{"AllowOrigins": []string{"*"}, "AllowCredentials": true}})
		n.refused(400, codeValidation, "qualifier", "POST", path+"?Qualifier=1", object{"AuthType": "NONE"})
		n.refused(404, codeNotFound, "function:hello:nothing", "POST", path+"?Qualifier=nothing", object{"AuthType": "NONE"})
		n.refused(404, codeNotFound, "Function not found", "POST", "/2021-10-31/functions/nobody/url", object{"AuthType": "NONE"})
		n.refused(404, codeNotFound, "Function not found", "GET", "/2021-10-31/functions/nobody/urls", nil)
	})
	// With its alias a URL goes.
	n.want(http.StatusNoContent, "DELETE", functions+"/hello/aliases/live", nil)
	n.want(http.StatusNoContent, "DELETE", path, nil)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		n.refused(404, codeNotFound, "has no URL", method, path, nil)
	}
	if urls := n.state().URLs; len(urls) != 0 {
		t.Errorf("left over %+v", urls)
	}
}
