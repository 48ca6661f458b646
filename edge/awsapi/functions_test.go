package awsapi

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ledge/engine"
)

func TestCreateFunction(t *testing.T) {
	n := newNode(t)
	r := n.want(http.StatusCreated, "POST", functions, object{
		"FunctionName": "arn:aws:lambda:eu-north-1:000000000000:function:hello",
		"Runtime":      "provided.al2023", "Role": "arn:aws:iam::123456789012:role/r", "Handler": "main",
		"Code": object{"ZipFile": command("")}, "Description": "says hello", "Timeout": 7, "MemorySize": 64,
		"Environment": object{"Variables": object{"K": "v"}}, "Tags": object{"team": "edge"},
		"Unknown": object{"member": []int{1}}, "Architectures": []string{"arm64"},
		"Ledge": object{"TimeoutMillis": 6500, "Isolation": "fresh", "Concurrency": 5, "AllowHosts": []string{"example.com"}, "NoSnapshot": true},
	})
	for path, want := range map[string]string{
		"FunctionName": "hello", "FunctionArn": "arn:aws:lambda:eu-north-1:000000000000:function:hello",
		"Runtime": "provided.al2023", "Role": "arn:aws:iam::123456789012:role/r", "Handler": "main",
		"CodeSize": fmt.Sprint(len(command(""))), "Description": "says hello", "Timeout": "7", "MemorySize": "64",
		"Version": "$LATEST", "State": "Active", "LastUpdateStatus": "Successful", "PackageType": "Zip",
		"Environment.Variables.K": "v", "EphemeralStorage.Size": "512", "LoggingConfig.LogGroup": "/aws/lambda/hello",
		"Ledge.Runtime": "wasi", "Ledge.TimeoutMillis": "6500", "Ledge.Isolation": "fresh", "Ledge.Concurrency": "5",
		"Ledge.AllowHosts": "[example.com]", "Ledge.NoSnapshot": "true",
	} {
		if got := r.text(t, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if modified := r.text(t, "LastModified"); !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$`).MatchString(modified) {
		t.Errorf("LastModified is %s", modified)
	}
	if r.Header.Get("X-Amzn-Requestid") == "" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", r.Header)
	}
	got := n.want(http.StatusOK, "GET", functions+"/hello", nil)
	for path, want := range map[string]string{"Configuration.Timeout": "7", "Tags.team": "edge", "Concurrency.ReservedConcurrentExecutions": "5"} {
		if text := got.text(t, path); text != want {
			t.Errorf("%s is %s, want %s", path, text, want)
		}
	}
	if v := n.want(http.StatusCreated, "POST", functions, object{"FunctionName": "v", "Publish": true, "Code": object{"ZipFile": command("")}}); v.text(t, "Version") != "1" ||
		v.text(t, "FunctionArn") != "arn:aws:lambda:eu-north-1:000000000000:function:v" {
		t.Errorf("published %s", v.body)
	}
}

func TestCreateFromZip(t *testing.T) {
	n := newNode(t)
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, content := range map[string][]byte{"bootstrap.wasm": command(""), "data/x.txt": []byte("x")} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r := n.want(http.StatusCreated, "POST", functions, object{"FunctionName": "z", "Code": object{"ZipFile": archive.Bytes()}})
	if r.text(t, "Runtime") != "wasi" || r.text(t, "Timeout") != "3" || r.text(t, "MemorySize") != "128" || r.text(t, "Ledge.Concurrency") != "64" {
		t.Errorf("defaults are %s", r.body)
	}
}

// Functions in a language keep the name of the runtime that they were made with.
func TestLanguages(t *testing.T) {
	n := newNode(t)
	check := func(r reply, want map[string]string) {
		t.Helper()
		for path, want := range want {
			if got := r.text(t, path); got != want {
				t.Errorf("%s is %s, want %s", path, got, want)
			}
		}
	}
	check(n.want(http.StatusCreated, "POST", functions, object{
		"FunctionName": "py", "Runtime": "python3.12", "Handler": "package.module.run", "Code": object{"ZipFile": zipOf(t, "package/module.py")},
		"Ledge": object{"AllowInvoke": []string{"other", "*"}, "AllowPublish": []string{"state/+/#"}},
	}), map[string]string{"Runtime": "python3.12", "Handler": "package.module.run", "PackageType": "Zip",
		"Ledge.Runtime": "python3.13", "Ledge.AllowInvoke": "[other *]", "Ledge.AllowPublish": "[state/+/#]"})
	check(n.want(http.StatusOK, "PUT", functions+"/py/code", object{"ZipFile": zipOf(t, "app.py")}), map[string]string{"Runtime": "python3.12"})
	check(n.want(http.StatusOK, "PUT", functions+"/py/configuration", object{
		"Runtime": "nodejs20.x", "Handler": "src/index.handler", "Ledge": object{"AllowInvoke": []string{}},
	}), map[string]string{"Runtime": "nodejs20.x", "Handler": "src/index.handler",
		"Ledge.Runtime": "javascript", "Ledge.AllowInvoke": "<nil>", "Ledge.AllowPublish": "[state/+/#]"})
	check(n.want(http.StatusOK, "GET", functions+"/py/configuration", nil), map[string]string{"Runtime": "nodejs20.x", "Ledge.Runtime": "javascript"})

	r := n.want(http.StatusOK, "PUT", "/v1/functions/py", object{"Runtime": "nodejs22.x", "AllowPublish": []string{"a"}})
	check(r, map[string]string{"Function.Runtime": "nodejs22.x", "Function.Ledge.AllowPublish": "[a]",
		"Deployment.Notes": "[runtime nodejs22.x runs on this node's JavaScript, which is not Node.js]"})

	// What Lambda's runtime says of the code is what its deployer reads.
	n.engine.deploy = &engine.DeployError{Op: "load", Why: "Runtime.ImportModuleError: Unable to import module 'app': No module named 'requests'"}
	n.unchanged(func() {
		n.refused(400, codeInvalid, "Runtime.ImportModuleError: Unable to import module 'app': No module named 'requests'",
			"PUT", functions+"/py/code", object{"ZipFile": zipOf(t, "app.js")})
	})
}

// zipOf is a zip with empty files.
func zipOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		if _, err := z.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestNamesAndArns(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.want(http.StatusCreated, "POST", functions+"/hello/versions", object{})
	n.want(http.StatusCreated, "POST", functions+"/hello/aliases", object{"Name": "live", "FunctionVersion": "1"})
	const arn = "arn:aws:lambda:eu-north-1:000000000000:function:hello"
	for _, test := range []struct{ name, query, arn, version string }{
		{"hello", "", arn, "$LATEST"},
		{"hello:1", "", arn + ":1", "1"},
		{"hello:live", "", arn + ":live", "1"},
		{"hello:$LATEST", "", arn + ":$LATEST", "$LATEST"},
		{"hello", "live", arn + ":live", "1"},
		{"hello:live", "live", arn + ":live", "1"},
		{"function:hello", "", arn, "$LATEST"},
		{"000000000000:function:hello:1", "", arn + ":1", "1"},
		{"123456789012:hello", "", arn, "$LATEST"},
		{arn, "", arn, "$LATEST"},
		{arn + ":live", "", arn + ":live", "1"},
		{"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:hello", "1", arn + ":1", "1"},
	} {
		for _, escaped := range []string{url.PathEscape(test.name), strings.ReplaceAll(test.name, ":", "%3A")} {
			r := n.want(http.StatusOK, "GET", functions+"/"+escaped+"/configuration?Qualifier="+url.QueryEscape(test.query), nil)
			if r.text(t, "FunctionArn") != test.arn || r.text(t, "Version") != test.version {
				t.Errorf("%s?%s: %s", test.name, test.query, r.body)
			}
		}
	}
	for _, bad := range []string{"a b", "hello:", "a:b:c", "arn:aws:s3:::bucket", "a%2Fb", strings.Repeat("x", 65), strings.Repeat("x", 400), "%C3%A9", "hello%00"} {
		n.refused(400, codeValidation, "'functionName'", "GET", functions+"/"+strings.ReplaceAll(bad, " ", "%20"), nil)
	}
	n.refused(400, codeInvalid, "does not match", "GET", functions+"/hello:1?Qualifier=live", nil)
	n.refused(400, codeValidation, "'qualifier'", "GET", functions+"/hello?Qualifier=%2F", nil)
	n.refused(400, codeInvalid, "permitted on Lambda functions only", "PUT", functions+"/hello:1/configuration", object{})
}

func TestUpdate(t *testing.T) {
	n := newNode(t)
	first := n.create("hello")
	code := n.want(http.StatusOK, "PUT", functions+"/hello/code", object{"ZipFile": command("2"), "RevisionId": first.text(t, "RevisionId")})
	if code.text(t, "CodeSha256") == first.text(t, "CodeSha256") || code.text(t, "Handler") != "bootstrap" {
		t.Errorf("updated code: %s", code.body)
	}
	settings := n.want(http.StatusOK, "PUT", functions+"/hello/configuration", object{"Timeout": 9, "Environment": object{"Variables": object{"A": "b"}}})
	if settings.text(t, "Timeout") != "9" || settings.text(t, "CodeSha256") != code.text(t, "CodeSha256") || settings.text(t, "Environment.Variables.A") != "b" {
		t.Errorf("updated settings: %s", settings.body)
	}
	kept := n.want(http.StatusOK, "PUT", functions+"/hello/configuration", object{"Description": "x", "Timeout": nil})
	if kept.text(t, "Timeout") != "9" || kept.text(t, "Environment.Variables.A") != "b" {
		t.Errorf("members that are missing changed: %s", kept.body)
	}
	if cleared := n.want(http.StatusOK, "PUT", functions+"/hello/configuration", object{"Environment": object{"Variables": object{}}}); cleared.text(t, "Environment") != "<nil>" {
		t.Errorf("environment is not cleared: %s", cleared.body)
	}
	n.unchanged(func() {
		n.want(http.StatusOK, "PUT", functions+"/hello/code", object{"ZipFile": command("3"), "DryRun": true})
		n.refused(412, codePrecondition, "Revision Id", "PUT", functions+"/hello/code", object{"ZipFile": command("3"), "RevisionId": first.text(t, "RevisionId")})
		n.refused(412, codePrecondition, "Revision Id", "PUT", functions+"/hello/configuration", object{"RevisionId": "x"})
		n.refused(400, codeInvalid, "ZipFile is missing", "PUT", functions+"/hello/code", object{})
		n.refused(400, codeInvalid, "S3", "PUT", functions+"/hello/code", object{"S3Bucket": "b", "S3Key": "k"})
		n.refused(404, codeNotFound, "Function not found: arn:aws:lambda:eu-north-1:000000000000:function:nobody", "PUT", functions+"/nobody/configuration", object{})
	})
	if published := n.want(http.StatusOK, "PUT", functions+"/hello/code", object{"ZipFile": command("4"), "Publish": true}); published.text(t, "Version") != "1" {
		t.Errorf("published %s", published.body)
	}
}

func TestBadFunctionsChangeNothing(t *testing.T) {
	n := newNode(t)
	n.create("taken")
	with := func(members object) object {
		body := object{"FunctionName": "new", "Code": object{"ZipFile": command("")}}
		for k, v := range members {
			body[k] = v
		}
		return body
	}
	for _, test := range []struct {
		name   string
		body   any
		status int
		code   string
		says   string
	}{
		{"not JSON", "hello", 400, codeContent, "must be an object"},
		{"array", "[]", 400, codeContent, "must be an object"},
		{"cut off", `{"FunctionName":`, 400, codeContent, "unexpected end"},
		{"trailing", `{} {}`, 400, codeContent, "byte 4"},
		{"not UTF-8", "{\"FunctionName\":\"\xff\"}", 400, codeContent, "UTF-8"},
		{"wrong type", with(object{"Timeout": "3"}), 400, codeContent, `\"Timeout\" must be a whole number, not string`},
		{"fraction", with(object{"MemorySize": 1.5}), 400, codeContent, `\"MemorySize\" must be a whole number`},
		{"wrong type inside", with(object{"Ledge": object{"NoSnapshot": "yes"}}), 400, codeContent, `\"Ledge.NoSnapshot\" must be true or false`},
		{"not base64", with(object{"Code": object{"ZipFile": "%%"}}), 400, codeContent, "base64"},
		{"no name", object{"Code": object{"ZipFile": command("")}}, 400, codeValidation, "Value '' at 'functionName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"empty body", "", 400, codeValidation, "functionName"},
		{"qualified", with(object{"FunctionName": "new:1"}), 400, codeInvalid, "qualifier"},
		{"exists", with(object{"FunctionName": "taken"}), 409, codeConflict, "Function already exist: taken"},
		{"no code", object{"FunctionName": "new"}, 400, codeInvalid, "Please provide a source for function code"},
		{"empty code", with(object{"Code": object{"ZipFile": ""}}), 400, codeInvalid, ""},
		{"not Wasm", with(object{"Code": object{"ZipFile": []byte("#!/bin/sh")}}), 400, codeInvalid, ""},
		{"truncated", with(object{"Code": object{"ZipFile": command("")[:20]}}), 400, codeInvalid, "truncated"},
		{"component", with(object{"Code": object{"ZipFile": []byte("\x00asm\x0d\x00\x01\x00")}}), 400, codeInvalid, "component"},
		{"S3", with(object{"Code": object{"S3Bucket": "b"}}), 400, codeInvalid, "S3"},
		{"image", with(object{"PackageType": "Image"}), 400, codeInvalid, "PackageType"},
		{"layers", with(object{"Layers": []string{"arn"}}), 400, codeValidation, "layers"},
		{"runtime", with(object{"Runtime": "java21"}), 400, codeInvalid, `\"java21\" is not a runtime of this node; build the Java code for wasip1`},
		{"runtime of old", with(object{"Runtime": "python3.8"}), 400, codeInvalid, "use python3.13"},
		{"no handler", with(object{"Runtime": "python3.12", "Code": object{"ZipFile": zipOf(t, "app.py")}}), 400, codeInvalid,
			"Runtime and Handler are mandatory parameters for functions created with deployment packages. (handler: a function for python3.12 needs one; name the file and what to call in it, such as app.lambda_handler"},
		{"module for a language", with(object{"Runtime": "nodejs22.x", "Handler": "index.handler"}), 400, codeInvalid, "is a Wasm module"},
		{"source for a language", with(object{"Runtime": "python3.12", "Handler": "a.b", "Code": object{"ZipFile": []byte("def b(): 0")}}), 400, codeInvalid, "not a zip archive"},
		{"files for no language", with(object{"Code": object{"ZipFile": zipOf(t, "app.py")}}), 400, codeInvalid,
			"Runtime and Handler are mandatory parameters for functions created with deployment packages. (store code of new: it has no Wasm module"},
		{"long handler", with(object{"Handler": strings.Repeat("é", 129)}), 400, codeValidation, "'handler' failed to satisfy constraint: Member must have length less than or equal to 128"},
		{"white space in a handler", with(object{"Handler": "a\fb"}), 400, codeValidation, "'handler' failed to satisfy constraint: Member must satisfy regular expression pattern: "},
		{"timeout", with(object{"Timeout": 901}), 400, codeValidation, "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"},
		{"no timeout", with(object{"Timeout": 0}), 400, codeValidation, "1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"millis", with(object{"Ledge": object{"TimeoutMillis": -1}}), 400, codeInvalid, "TimeoutMillis"},
		{"memory", with(object{"MemorySize": 1 << 40}), 400, codeValidation, "'memorySize' failed to satisfy constraint: Member must have value less than or equal to 4096"},
		{"huge memory", with(object{"MemorySize": json.Number("99999999999999999999")}), 400, codeContent, "MemorySize"},
		{"isolation", with(object{"Ledge": object{"Isolation": "none"}}), 400, codeInvalid, "isolation"},
		{"concurrency", with(object{"Ledge": object{"Concurrency": 1001}}), 400, codeInvalid, "Concurrency"},
		{"host", with(object{"Ledge": object{"AllowHosts": []string{"a b"}}}), 400, codeInvalid, "host"},
		{"function to invoke", with(object{"Ledge": object{"AllowInvoke": []string{"a b"}}}), 400, codeInvalid, "not a function name"},
		{"topic filter", with(object{"Ledge": object{"AllowPublish": []string{"#/a"}}}), 400, codeInvalid, "topic filter"},
		{"environment", with(object{"Environment": object{"Variables": object{"1": ""}}}), 400, codeInvalid, "variable name"},
		{"reserved", with(object{"Environment": object{"Variables": object{"LAMBDA_TASK_ROOT": "", "AWS_REGION": "", "A": ""}}}), 400, codeInvalid,
			"Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT"},
		{"handler", with(object{"Handler": "a b"}), 400, codeValidation, "handler"},
		{"description", with(object{"Description": strings.Repeat("é", 257)}), 400, codeValidation, "description"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n.t = t
			n.unchanged(func() { n.refused(test.status, test.code, test.says, "POST", functions, test.body) })
		})
	}
}

func TestLists(t *testing.T) {
	n := newNode(t)
	if r := n.want(http.StatusOK, "GET", functions+"/", nil); string(r.body) != `{"Functions":[]}` {
		t.Errorf("empty list: %s", r.body)
	}
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("f%d", i))
		n.create(want[i])
	}
	var got []string
	marker, pages := "", 0
	for {
		r := n.want(http.StatusOK, "GET", functions+"?MaxItems=3&Marker="+url.QueryEscape(marker), nil)
		var page struct {
			Functions  []configuration
			NextMarker string
		}
		if err := json.Unmarshal(r.body, &page); err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Functions {
			got = append(got, f.FunctionName)
		}
		if pages++; page.NextMarker == "" {
			break
		}
		marker = page.NextMarker
	}
	if !slices.Equal(got, want) || pages != 3 {
		t.Errorf("listed %v in %d pages", got, pages)
	}
	for _, bad := range []string{"MaxItems=0", "MaxItems=x", "MaxItems=10001", "Marker=a%2Fb", "Marker=a:1", "MasterRegion=us-east-1"} {
		n.refused(400, codeInvalid, "", "GET", functions+"?"+bad, nil)
	}
	usage := n.want(http.StatusOK, "GET", "/2016-08-19/account-settings/", nil)
	if usage.text(t, "AccountUsage.FunctionCount") != "7" || usage.text(t, "AccountLimit.CodeSizeZipped") == "0" {
		t.Errorf("account settings %s", usage.body)
	}
}

func TestDelete(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.want(http.StatusCreated, "POST", functions+"/hello/versions", nil)
	n.want(http.StatusCreated, "POST", functions+"/hello/aliases", object{"Name": "live", "FunctionVersion": "1"})
	n.unchanged(func() {
		n.refused(400, codeInvalid, "$LATEST", "DELETE", functions+"/hello?Qualifier=$LATEST", nil)
		n.refused(400, codeInvalid, "alias", "DELETE", functions+"/hello?Qualifier=live", nil)
		n.refused(409, codeConflict, "live", "DELETE", functions+"/hello:1", nil)
		n.refused(404, codeNotFound, "", "DELETE", functions+"/hello:9", nil)
		n.refused(404, codeNotFound, "", "DELETE", functions+"/nobody", nil)
	})
	n.want(http.StatusNoContent, "DELETE", functions+"/hello/aliases/live", nil)
	n.want(http.StatusNoContent, "DELETE", functions+"/hello:1", nil)
	n.want(http.StatusNoContent, "DELETE", functions+"/hello", nil)
	n.refused(404, codeNotFound, "Function not found", "GET", functions+"/hello", nil)
	if s := n.state(); len(s.Functions)+len(s.Aliases)+len(s.Routes) != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestVersionsAndAliases(t *testing.T) {
	n := newNode(t)
	first := n.create("hello")
	path := functions + "/hello"
	n.unchanged(func() {
		n.refused(412, codePrecondition, "", "POST", path+"/versions", object{"RevisionId": "x"})
		n.refused(400, codeInvalid, "", "POST", path+"/versions", object{"CodeSha256": "x"})
		n.refused(404, codeNotFound, "", "POST", functions+"/nobody/versions", object{})
	})
	v := n.want(http.StatusCreated, "POST", path+"/versions", object{
		"Description": "one", "RevisionId": first.text(t, "RevisionId"), "CodeSha256": first.text(t, "CodeSha256")})
	if v.text(t, "Version") != "1" || v.text(t, "Description") != "one" || !strings.HasSuffix(v.text(t, "FunctionArn"), ":hello:1") {
		t.Errorf("published %s", v.body)
	}
	n.want(http.StatusOK, "PUT", path+"/code", object{"ZipFile": command("2"), "Publish": true})
	list := n.want(http.StatusOK, "GET", path+"/versions?MaxItems=2", nil)
	if list.text(t, "NextMarker") != "1" || !strings.Contains(string(list.body), `hello:$LATEST`) {
		t.Errorf("versions %s", list.body)
	}
	if rest := n.want(http.StatusOK, "GET", path+"/versions?Marker=1", nil); !strings.Contains(string(rest.body), `"Version":"2"`) || strings.Contains(string(rest.body), `"Version":"1"`) {
		t.Errorf("versions after 1: %s", rest.body)
	}

	alias := n.want(http.StatusCreated, "POST", path+"/aliases", object{
		"Name": "live", "FunctionVersion": "1", "Description": "d", "RoutingConfig": object{"AdditionalVersionWeights": object{"2": 0.25}}})
	if alias.text(t, "AliasArn") != "arn:aws:lambda:eu-north-1:000000000000:function:hello:live" ||
		alias.text(t, "RoutingConfig.AdditionalVersionWeights.2") != "0.25" {
		t.Errorf("alias %s", alias.body)
	}
	n.unchanged(func() {
		for _, bad := range []object{
			{"Name": "7", "FunctionVersion": "1"},
			{"Name": "a b", "FunctionVersion": "1"},
			{"Name": "x"},
			{"Name": "x", "FunctionVersion": "live"},
			{"Name": strings.Repeat("x", 129), "FunctionVersion": "1"},
		} {
			n.refused(400, codeValidation, "", "POST", path+"/aliases", bad)
		}
		for _, bad := range []object{
			{"Name": "x", "FunctionVersion": "1", "RoutingConfig": object{"AdditionalVersionWeights": object{"2": 1.5}}},
			{"Name": "x", "FunctionVersion": "1", "RoutingConfig": object{"AdditionalVersionWeights": object{"1": 0.5}}},
			{"Name": "x", "FunctionVersion": "1", "RoutingConfig": object{"AdditionalVersionWeights": object{"2": 0.5, "3": 0.1}}},
			{"Name": "x", "FunctionVersion": "1", "RoutingConfig": object{"AdditionalVersionWeights": object{"$LATEST": 0.5}}},
			{"Name": "x", "FunctionVersion": "$LATEST", "RoutingConfig": object{"AdditionalVersionWeights": object{"2": 0.5}}},
		} {
			n.refused(400, codeInvalid, "", "POST", path+"/aliases", bad)
		}
		n.refused(409, codeConflict, "Alias already exists: arn:aws:lambda:eu-north-1:000000000000:function:hello:live", "POST", path+"/aliases", object{"Name": "live", "FunctionVersion": "1"})
		n.refused(404, codeNotFound, "Function not found: arn:aws:lambda:eu-north-1:000000000000:function:hello:9", "POST", path+"/aliases", object{"Name": "x", "FunctionVersion": "9"})
		heavy := object{"AdditionalVersionWeights": object{"9": 0.5}}
		n.refused(404, codeNotFound, "Function not found: arn:aws:lambda:eu-north-1:000000000000:function:hello:9", "POST", path+"/aliases", object{"Name": "x", "FunctionVersion": "1", "RoutingConfig": heavy})
		n.refused(404, codeNotFound, "Function not found: arn:aws:lambda:eu-north-1:000000000000:function:hello:9", "PUT", path+"/aliases/live", object{"RoutingConfig": heavy})
		n.refused(404, codeNotFound, `function:nobody"`, "POST", functions+"/nobody/aliases", object{"Name": "x", "FunctionVersion": "1"})
		n.refused(404, codeNotFound, "function:hello:9", "PUT", path+"/aliases/live", object{"FunctionVersion": "9", "RoutingConfig": object{}})
		n.refused(404, codeNotFound, "Cannot find alias arn", "PUT", path+"/aliases/nothing", object{})
		n.refused(412, codePrecondition, "", "PUT", path+"/aliases/live", object{"RevisionId": "x"})
		n.refused(400, codeInvalid, "", "PUT", path+"/aliases/live", object{"FunctionVersion": "2"})
		n.refused(404, codeNotFound, "Cannot find alias arn", "GET", path+"/aliases/nothing", nil)
		n.want(http.StatusNoContent, "DELETE", path+"/aliases/nothing", nil)
		n.refused(404, codeNotFound, "Function not found", "DELETE", functions+"/nobody/aliases/nothing", nil)
		n.refused(404, codeNotFound, "", "GET", functions+"/nobody/aliases", nil)
		n.refused(404, codeNotFound, "", "GET", functions+"/nobody/versions", nil)
	})
	updated := n.want(http.StatusOK, "PUT", path+"/aliases/live", object{"FunctionVersion": "2", "RoutingConfig": object{}, "RevisionId": alias.text(t, "RevisionId")})
	if updated.text(t, "FunctionVersion") != "2" || updated.text(t, "RoutingConfig") != "<nil>" || updated.text(t, "Description") != "d" {
		t.Errorf("updated %s", updated.body)
	}
	n.want(http.StatusCreated, "POST", path+"/aliases", object{"Name": "test", "FunctionVersion": "1"})
	page := n.want(http.StatusOK, "GET", path+"/aliases?MaxItems=1", nil)
	if page.text(t, "NextMarker") != "live" {
		t.Errorf("aliases %s", page.body)
	}
	if rest := n.want(http.StatusOK, "GET", path+"/aliases?Marker=live", nil); strings.Contains(string(rest.body), `"live"`) || !strings.Contains(string(rest.body), `"test"`) {
		t.Errorf("aliases after live: %s", rest.body)
	}
	if of := n.want(http.StatusOK, "GET", path+"/aliases?FunctionVersion=2", nil); strings.Contains(string(of.body), `"test"`) {
		t.Errorf("aliases of version 2: %s", of.body)
	}
}
