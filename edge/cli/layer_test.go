package cli

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

const (
	noLayers  = `{"Layers":[]}`
	twoLayers = `{"Layers":[
		{"LayerName":"libs","LatestMatchingVersion":{"Version":3,"CreatedDate":"2026-11-23T10:00:00.123+0000","Description":"d"}},
		{"LayerName":"tools","LatestMatchingVersion":{"Version":1}}]}`
	oneLayer = `{"LayerVersions":[{"Version":3,"Description":"d"},{"Version":1}]}`
)

func TestLayers(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"POST /2018-10-31/layers/libs/versions":             reply(201, `{"Version":4}`),
		"GET /2018-10-31/layers?MaxItems=50":                reply(200, twoLayers),
		"GET /2018-10-31/layers/libs/versions?MaxItems=50":  reply(200, oneLayer),
		"GET /2018-10-31/layers/other/versions?MaxItems=50": reply(200, `{"LayerVersions":[]}`),
		"GET /2018-10-31/layers/libs/versions/1":            reply(200, `{}`),
		"DELETE /2018-10-31/layers/libs/versions/1":         reply(204, ""),
		"GET /2018-10-31/layers/libs/versions/3":            reply(200, `{}`),
		"DELETE /2018-10-31/layers/libs/versions/3":         reply(204, ""),
		"GET /2018-10-31/layers/libs/versions/9":            failure(404, awsNotFound, "The resource you requested does not exist"),
	})
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "libs/python/words.py"), "x = 1")
	const use = "published libs:4\n\n  ledge deploy NAME PATH --layer libs:4\n"
	n.run("layer", "publish", "libs", dir+"/libs", "--description", "d").want(t, 0, use, "")
	var sent struct {
		Content     struct{ ZipFile []byte }
		Description string
	}
	if err := json.Unmarshal([]byte(n.only("POST /2018-10-31/layers/libs/versions").Body), &sent); err != nil {
		t.Fatal(err)
	}
	if files := readTree("sent", sent.Content.ZipFile); files == nil || strings.Join(files.paths, " ") != "python/words.py" || sent.Description != "d" {
		t.Errorf("sent %+v, %q", files, sent.Description)
	}
	n.run("layer", "publish", "libs", dir+"/libs/python").want(t, 0, use,
		"Functions read these files at /opt. To import modules from it, put them under python/ or nodejs/node_modules/.\n")

	n.run("layer", "ls").want(t, 0, "LAYER    CREATED               DESCRIPTION\nlibs:3   2026-11-23T10:00:00Z  d\ntools:1  -                     -\n", "")
	n.run("layer", "ls", "libs").want(t, 0, "LAYER   CREATED  DESCRIPTION\nlibs:3  -        d\nlibs:1  -        -\n", "")
	n.run("layer", "ls", "other").want(t, 0, "", "there is no layer other; publish it with: ledge layer publish other PATH\n")
	if o := n.run("layer", "ls", "libs", "--json"); o.exit != 0 || !strings.Contains(o.stdout, `"LayerVersions": [`) {
		t.Errorf("exit %d: %s", o.exit, o.stdout)
	}

	n.run("layer", "rm", "libs:1", "arn:aws:lambda:eu-north-1:000000000000:layer:libs:3").want(t, 0, "removed libs:1\nremoved libs:3\n", "")
	n.run("layer", "rm", "libs:9").want(t, 1, "", "ledge: there is no layer libs:9\n  see which there are: ledge layer ls libs\n")
	for _, bad := range []string{"libs", "libs:", "libs:0", "libs:-1", "libs:x", "li/bs:1", ":1", "arn:aws:lambda:eu-north-1:000000000000:function:libs:1"} {
		if o := n.run("layer", "rm", "libs:1", bad); o.exit != 2 || !strings.Contains(o.stderr, "is not a version of a layer\n  write NAME:VERSION") {
			t.Errorf("rm %s: exit %d: %s", bad, o.exit, o.stderr)
		}
	}
	for _, bad := range [][]string{{"layer", "ls", "a/b"}, {"layer", "ls", "libs", "tools"}, {"layer", "publish", "libs:1", dir}, {"layer", "publish", "libs"}} {
		if o := n.run(bad...); o.exit != 2 {
			t.Errorf("%q: exit %d: %s", bad, o.exit, o.stderr)
		}
	}

	for _, c := range []struct{ args, want string }{
		{"layer ls", "libs\ntools\n:4\n"},
		{"layer publish", "libs\ntools\n:4\n"},
		{"layer publish libs", ":0\n"},
		{"layer rm libs:3", "tools:1\n:4\n"},
		{"deploy hello app.py --layer", "libs:3\ntools:1\n:4\n"},
	} {
		args := append([]string{"__complete", "--data", n.data}, strings.Fields(c.args)...)
		commandLine{args: append(args, "")}.run(t).want(t, 0, c.want, "*")
	}
}

func TestNoLayersYet(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{"GET /2018-10-31/layers?MaxItems=50": reply(200, noLayers)})
	n.run("layer", "ls").want(t, 0, "", "no layers yet; publish one with: ledge layer publish NAME PATH\n")
}

// TestNoLayer: what cannot be a layer is not sent.
func TestNoLayer(t *testing.T) {
	n := newNode(t, nil)
	dir := t.TempDir()
	writeFile(t, dir+"/app.py", "x = 1")
	writeFile(t, dir+"/app.wasm", emptyModule)
	writeFile(t, dir+"/empty/.DS_Store", "x")
	writeFile(t, dir+"/empty.zip", "PK\x05\x06"+strings.Repeat("\x00", 18))
	for path, want := range map[string]string{
		dir + "/app.py":    "ledge: " + dir + "/app.py is no layer, which is a folder or a zip\n  " + layerHint + "\n",
		dir + "/app.wasm":  "ledge: " + dir + "/app.wasm is no layer, which is a folder or a zip\n  " + layerHint + "\n",
		dir + "/empty":     "ledge: " + dir + "/empty holds nothing to deploy: .DS_Store is left out\n  " + layerHint + "\n",
		dir + "/empty.zip": "ledge: " + dir + "/empty.zip is an empty zip\n  " + layerHint + "\n",
		dir + "/none.py":   "ledge: cannot read " + dir + "/none.py: no such file or directory\n",
	} {
		n.run("layer", "publish", "libs", path).want(t, 1, "", want)
	}
}

func TestDeployLayers(t *testing.T) {
	for values, want := range map[string]string{
		"libs:3 tools:1": `"Layers":["arn:aws:lambda:us-east-1:000000000000:layer:libs:3","arn:aws:lambda:us-east-1:000000000000:layer:tools:1"]`,
		"":               `"Layers":[]`,
	} {
		n, module := deployNode(t, reply(200, deployed))
		args := []string{"deploy", "hello", module}
		for _, value := range strings.Split(values, " ") {
			args = append(args, "--layer", value)
		}
		if o := n.run(args...); o.exit != 0 {
			t.Fatal(o.stderr)
		}
		if body := n.only("PUT /v1/functions/hello").Body; !strings.Contains(body, want) {
			t.Errorf("sent %s, want %s", body, want)
		}
	}
}
