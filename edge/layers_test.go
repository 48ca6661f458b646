package edge_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// publish publishes a layer with these files and returns the ARN of its version.
func (a *appliance) publish(name string, files map[string]string) string {
	a.t.Helper()
	r := a.call("POST", "/2018-10-31/layers/"+name+"/versions", object{"Content": object{"ZipFile": archive(a.t, files)}})
	text := body(a.t, r)
	var made struct{ LayerVersionArn string }
	if err := json.Unmarshal([]byte(text), &made); err != nil || r.StatusCode != http.StatusCreated {
		a.t.Fatalf("publish %s: %d %s", name, r.StatusCode, text)
	}
	return made.LayerVersionArn
}

// Handlers import from their layers, the later ones first, and read their files,
// also after a layer is deleted and the node is started again.
func TestLayersRun(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		runtime, handler, file, code string
		first, second                map[string]string
		want                         string
	}{
		{"python3.13", "app.run", "app.py", "import lib\ndef run(event, context):\n    return [lib.name, open('/opt/data.txt').read()]\n",
			map[string]string{"python/lib.py": "name = 'first'", "data.txt": "kept"}, map[string]string{"python/lib.py": "name = 'second'"}, `["second", "kept"]`},
		{"javascript", "index.run", "index.js", "const lib = require('lib');\nexports.run = async () => [lib.name];\n",
			map[string]string{"nodejs/node_modules/lib/index.js": "exports.name = 'first'"}, map[string]string{"nodejs/node_modules/lib/index.js": "exports.name = 'second'"}, `["second"]`},
	} {
		t.Run(test.runtime, func(t *testing.T) {
			ran := func(a *appliance) {
				t.Helper()
				if got, failure := a.invoke(test.runtime[:6], "{}"); got != test.want || failure != "" {
					t.Errorf("the function says %s %s, want %s", got, failure, test.want)
				}
			}
			t.Run("deployed", func(t *testing.T) {
				a := openAppliance(t, dir)
				layers := []string{a.publish(test.runtime[:6]+"-a", test.first), a.publish(test.runtime[:6]+"-b", test.second)}
				a.deployed(test.runtime[:6], test.runtime, test.handler, map[string]string{test.file: test.code}, object{"Layers": layers})
				ran(a)
				for _, arn := range layers {
					name := strings.Split(arn, ":")[6]
					if r := a.call("DELETE", "/2018-10-31/layers/"+url.PathEscape(name)+"/versions/1", ""); r.StatusCode != http.StatusNoContent {
						t.Errorf("delete %s: %d %s", name, r.StatusCode, body(t, r))
					}
				}
				ran(a)
			})
			t.Run("started again", func(t *testing.T) { ran(openAppliance(t, dir)) })
		})
	}
}
