package awsapi

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const layersPath = "/2018-10-31/layers"

// zipWith is a zip with the files that have that content.
func zipWith(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unzipped is what a zip has, as "name=content".
func unzipped(t testing.TB, archive []byte) []string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f.Name+"="+string(content))
	}
	return files
}

func (n *node) publishLayer(name, content string) reply {
	n.t.Helper()
	return n.want(http.StatusCreated, "POST", layersPath+"/"+name+"/versions", object{
		"Content": object{"ZipFile": zipWith(n.t, map[string]string{"python/lib.py": content})}})
}

func TestLayers(t *testing.T) {
	n := newNode(t)
	archive := zipWith(t, map[string]string{"python/lib.py": "x = 1"})
	made := n.want(http.StatusCreated, "POST", layersPath+"/libs/versions", object{
		"Content": object{"ZipFile": archive}, "Description": "my libraries", "LicenseInfo": "MIT",
		"CompatibleRuntimes": []string{"python3.12", "python3.13"}, "CompatibleArchitectures": []string{"arm64"},
	})
	for member, want := range map[string]string{
		"LayerArn": "arn:aws:lambda:eu-north-1:000000000000:layer:libs", "LayerVersionArn": layerOf("libs", 1), "Version": "1",
		"Description": "my libraries", "LicenseInfo": "MIT", "CompatibleRuntimes": "[python3.12 python3.13]", "CompatibleArchitectures": "[arm64]",
		"Content.CodeSize": fmt.Sprint(len(archive)),
	} {
		if got := made.text(t, member); got != want {
			t.Errorf("%s is %s, want %s", member, got, want)
		}
	}
	n.publishLayer("libs", "x = 2")
	n.publishLayer("arn:aws:lambda:eu-north-1:000000000000:layer:tools", "y = 1")
	for _, path := range []string{layersPath + "/libs/versions/1", layersPath + "?find=LayerVersion&Arn=" + url.QueryEscape("arn:aws:lambda:us-east-1:123456789012:layer:libs:1")} {
		r := n.want(http.StatusOK, "GET", path, nil)
		if r.text(t, "LayerVersionArn") != layerOf("libs", 1) || r.text(t, "Content.CodeSha256") != made.text(t, "Content.CodeSha256") {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	content := n.want(http.StatusOK, "GET", "/v1/layers/libs/versions/2/content", nil)
	if got := unzipped(t, content.body); !slices.Equal(got, []string{"python/lib.py=x = 2"}) || content.Header.Get("Content-Type") != "application/zip" {
		t.Errorf("content %v, %v", got, content.Header)
	}
	var list struct {
		Layers []struct {
			LayerName, LayerArn   string
			LatestMatchingVersion layerVersion
		}
		NextMarker string
	}
	n.want(http.StatusOK, "GET", layersPath+"?MaxItems=1", nil).into(t, &list)
	if len(list.Layers) != 1 || list.Layers[0].LayerName != "libs" || list.Layers[0].LatestMatchingVersion.Version != 2 || list.NextMarker != "libs" {
		t.Errorf("first page %+v", list)
	}
	list.NextMarker = ""
	n.want(http.StatusOK, "GET", layersPath+"?Marker=libs", nil).into(t, &list)
	if len(list.Layers) != 1 || list.Layers[0].LayerName != "tools" || list.NextMarker != "" {
		t.Errorf("second page %+v", list)
	}
	n.want(http.StatusOK, "GET", layersPath+"?CompatibleRuntime=python3.12&CompatibleArchitecture=arm64", nil).into(t, &list)
	if len(list.Layers) != 1 || list.Layers[0].LatestMatchingVersion.Version != 1 {
		t.Errorf("for Python %+v", list)
	}
	versions := func(query string) (found []uint64, next string) {
		var list struct {
			LayerVersions []layerVersion
			NextMarker    string
		}
		n.want(http.StatusOK, "GET", layersPath+"/libs/versions?"+query, nil).into(t, &list)
		for _, v := range list.LayerVersions {
			found = append(found, v.Version)
		}
		return found, list.NextMarker
	}
	page, next := versions("MaxItems=1")
	rest, end := versions("Marker=" + next)
	if !slices.Equal(page, []uint64{2}) || !slices.Equal(rest, []uint64{1}) || next == "" || end != "" {
		t.Errorf("versions %v %q, then %v %q", page, next, rest, end)
	}
	n.want(http.StatusNoContent, "DELETE", layersPath+"/libs/versions/2", nil)
	n.want(http.StatusNoContent, "DELETE", layersPath+"/libs/versions/2", nil)
	if r := n.publishLayer("libs", "x = 3"); r.text(t, "Version") != "3" {
		t.Errorf("a number was used again: %s", r.body)
	}
	n.unchanged(func() {
		n.refused(404, codeNotFound, "The resource you requested does not exist", "GET", layersPath+"/libs/versions/2", nil)
		n.refused(404, codeNotFound, "does not exist", "GET", "/v1/layers/libs/versions/2/content", nil)
		n.refused(404, codeNotFound, "does not exist", "GET", layersPath+"?find=LayerVersion&Arn="+layerOf("libs", 9), nil)
		n.refused(400, codeValidation, "'arn'", "GET", layersPath+"?find=LayerVersion&Arn=libs", nil)
		n.refused(400, codeValidation, "versionNumber", "GET", layersPath+"/libs/versions/0", nil)
		n.refused(400, codeValidation, "versionNumber", "DELETE", layersPath+"/libs/versions/x", nil)
		zipped := object{"ZipFile": archive}
		for _, test := range []struct {
			name string
			body object
			code string
			says string
		}{
			{"a%20b", object{"Content": zipped}, codeValidation, "layerName"},
			{strings.Repeat("l", 141), object{"Content": zipped}, codeValidation, "layerName"},
			{"x", object{}, codeInvalid, "ZipFile is missing"},
			{"x", object{"Content": object{"S3Bucket": "b"}}, codeInvalid, "S3"},
			{"x", object{"Content": object{"ZipFile": []byte("text")}}, codeInvalid, "not a zip archive"},
			{"x", object{"Content": object{"ZipFile": command("")}}, codeInvalid, "Wasm module"},
			{"x", object{"Content": zipped, "Description": strings.Repeat("d", 257)}, codeValidation, "description"},
			{"x", object{"Content": zipped, "LicenseInfo": strings.Repeat("d", 513)}, codeValidation, "licenseInfo"},
			{"x", object{"Content": zipped, "CompatibleArchitectures": []string{"mips"}}, codeValidation, "compatibleArchitectures"},
			{"x", object{"Content": zipped, "CompatibleRuntimes": make([]string, 16)}, codeValidation, "compatibleRuntimes"},
		} {
			n.refused(400, test.code, test.says, "POST", layersPath+"/"+test.name+"/versions", test.body)
		}
		n.refused(501, "NotImplementedException", "layers are not shared between accounts", "POST", layersPath+"/libs/versions/1/policy", object{})
	})
}

func TestLayersOfFunctions(t *testing.T) {
	n := newNode(t)
	n.publishLayer("a", "a")
	n.publishLayer("b", "b")
	r := n.want(http.StatusCreated, "POST", functions, object{"FunctionName": "hello", "Runtime": "python3.13", "Handler": "app.run",
		"Code": object{"ZipFile": zipOf(t, "app.py")}, "Layers": []string{layerOf("a", 1), layerOf("b", 1)}})
	if got := r.text(t, "Layers"); !strings.Contains(got, layerOf("a", 1)) || !strings.Contains(got, layerOf("b", 1)) {
		t.Errorf("layers %s", r.body)
	}
	const path = functions + "/hello/configuration"
	n.unchanged(func() {
		for says, layers := range map[string][]string{
			"Cannot reference more than 5 layers.":                 {layerOf("a", 1), layerOf("b", 1), layerOf("c", 1), layerOf("d", 1), layerOf("e", 1), layerOf("f", 1)},
			"Two different versions of the same layer":             {layerOf("a", 1), layerOf("a", 2)},
			"Two identical layer versions":                         {layerOf("a", 1), layerOf("a", 1)},
			"Layer version " + layerOf("a", 7) + " does not exist": {layerOf("a", 7)},
		} {
			n.refused(400, codeInvalid, says, "PUT", path, object{"Layers": layers})
		}
	})
	// A function keeps layers that are deleted, and may be changed with them.
	n.want(http.StatusNoContent, "DELETE", layersPath+"/a/versions/1", nil)
	n.want(http.StatusOK, "PUT", path, object{"Description": "x"})
	if r := n.want(http.StatusOK, "PUT", path, object{"Layers": []string{layerOf("a", 1), layerOf("b", 1)}}); r.text(t, "LastUpdateStatus") != "Successful" {
		t.Errorf("again %s", r.body)
	}
	n.refused(400, codeInvalid, "does not exist", "POST", functions, object{"FunctionName": "late", "Runtime": "python3.13", "Handler": "app.run",
		"Code": object{"ZipFile": zipOf(t, "app.py")}, "Layers": []string{layerOf("a", 1)}})
	if r := n.want(http.StatusOK, "PUT", path, object{"Layers": []string{}}); r.text(t, "Layers") != "<nil>" {
		t.Errorf("without layers %s", r.body)
	}
	n.want(http.StatusOK, "PUT", "/v1/functions/hello", object{"Layers": []string{layerOf("b", 1)}})
	if fn, err := n.store.GetFunction("hello", ""); err != nil || len(fn.Layers) != 1 || fn.LayerHash == "" {
		t.Errorf("stored %+v, %v", fn, err)
	}
}

// The code that GetFunction links to is the function again.
func TestDownload(t *testing.T) {
	n := newNode(t)
	files := map[string]string{"app.py": "def run(event, context): pass", "data/x.txt": "x"}
	first := n.want(http.StatusCreated, "POST", functions, object{"FunctionName": "hello", "Runtime": "python3.13", "Handler": "app.run",
		"Code": object{"ZipFile": zipWith(t, files)}, "Publish": true})
	n.want(http.StatusOK, "PUT", functions+"/hello/code", object{"ZipFile": zipOf(t, "app.py")})
	link, err := url.Parse(n.want(http.StatusOK, "GET", functions+"/hello:1", nil).text(t, "Code.Location"))
	if err != nil || link.Path != "/v1/functions/hello/code" || link.Query().Get("Qualifier") != "1" {
		t.Fatalf("link %v, %v", link, err)
	}
	got := n.want(http.StatusOK, "GET", link.RequestURI(), nil)
	if files := unzipped(t, got.body); !slices.Equal(files, []string{"app.py=def run(event, context): pass", "data/x.txt=x"}) {
		t.Errorf("version 1 has %v", files)
	}
	if again := n.want(http.StatusOK, "GET", link.RequestURI(), nil); !bytes.Equal(again.body, got.body) {
		t.Error("the same code is another archive")
	}
	if latest := n.want(http.StatusOK, "GET", "/v1/functions/hello/code", nil); !slices.Equal(unzipped(t, latest.body), []string{"app.py="}) {
		t.Errorf("$LATEST has %v", unzipped(t, latest.body))
	}
	n.refused(404, codeNotFound, "Function not found", "GET", "/v1/functions/nobody/code", nil)
	back := n.want(http.StatusCreated, "POST", functions, object{"FunctionName": "copy", "Runtime": "python3.13", "Handler": "app.run", "Code": object{"ZipFile": got.body}})
	stored, err := n.store.GetFunction("copy", "")
	original, err2 := n.store.GetFunction("hello", first.text(t, "Version"))
	if err != nil || err2 != nil || stored.CodeHash != original.CodeHash || back.text(t, "CodeSha256") == first.text(t, "CodeSha256") {
		t.Errorf("the copy has %s, the original %s", stored.CodeHash, original.CodeHash)
	}
}
