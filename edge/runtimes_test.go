package edge_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"ledge/edge"
	"ledge/engine"
)

func TestRuntimeDetection(t *testing.T) {
	for _, test := range []struct {
		name      string
		requested string
		code      []byte
		want      string
	}{
		{"command", "", module("wasi_snapshot_preview1", "", "_start"), "wasi"},
		{"aws name", "provided.al2023", command(""), "wasi"},
		{"extism import", "provided.al2", module("extism:host/env", "", "greet"), "extism"},
		{"extism import in a command", "", module("extism:host/env", "", "_start"), "extism"},
		{"plain export", "provided", module("", "", "greet"), "extism"},
		{"command with more exports", "", module("", "", "greet", "_start"), "wasi"},
		{"reactor without a function", "", module("", "", "_initialize"), "wasi"},
		{"explicit wasi", "wasi", module("extism:host/env", "", "greet"), "wasi"},
		{"explicit extism", "extism", command(""), "extism"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNode(t)
			done, err := n.Deploy(t.Context(), edge.Change{Name: "f", Code: test.code, Edit: runtime(test.requested)})
			if err != nil || done.Function.Runtime != test.want || done.Function.RequestedRuntime != test.requested {
				t.Errorf("runtime %q, %v; want %q", done.Function.Runtime, err, test.want)
			}
		})
	}
}

// The names of runtimes that are accepted, what each runs on and what is said
// about it; and what those are told who ask for another.
func TestRuntimeNames(t *testing.T) {
	accepted := map[string]string{"python3.13": "", "javascript": ""}
	for _, name := range []string{"python3.9", "python3.10", "python3.11", "python3.12", "python3.14"} {
		accepted[name] = "runtime " + name + " runs on this node's Python 3.13"
	}
	for _, name := range []string{"nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"} {
		accepted[name] = "runtime " + name + " runs on this node's JavaScript, which is not Node.js"
	}
	for name, note := range accepted {
		n := newNode(t)
		want := engine.RuntimeJavaScript
		if strings.HasPrefix(name, "python") {
			want = engine.RuntimePython
		}
		done := n.deploy(t, edge.Change{Name: "f", Code: files(t, "app.py", "x.wasm"), Edit: handler(name, "app.run")})
		if done.Function.Runtime != want || done.Function.RequestedRuntime != name || strings.Join(done.Deployment.Notes, "; ") != note {
			t.Errorf("%s: %+v", name, done)
		}
		n.check(t)
		if live := n.engine.live["f:$LATEST"]; live.Handler != "app.run" {
			t.Errorf("%s: the handler is %q", name, live.Handler)
		}
		if left, err := os.ReadDir(n.code.Path(done.Function.CodeHash)); err != nil || len(left) != 2 || left[1].Name() != "x.wasm" {
			t.Errorf("%s: the code is %v, %v", name, left, err)
		}
	}
	for name, hint := range map[string]string{
		"python3.8": "use python3.13", "python2.7": "use python3.13", "python": "use python3.13",
		"nodejs14.x": "use javascript", "nodejs": "use javascript",
		"java21": "build the Java code for wasip1 and deploy it as wasi", "dotnet8": "build the .NET code", "ruby3.3": "build the Ruby code",
		"go1.x": "build the Go code", "cobol": "build the function for wasip1", "Python3.13": "build the function for wasip1",
	} {
		n := newNode(t)
		n.unchanged(t, func() {
			_, err := n.Deploy(t.Context(), edge.Change{Name: "f", Code: files(t, "app.py"), Edit: handler(name, "app.run")})
			var deployError *engine.DeployError
			if !errors.As(err, &deployError) || !strings.Contains(err.Error(), `"`+name+`" is not a runtime of this node`) || !strings.Contains(err.Error(), hint) {
				t.Errorf("%s: %v, want %q", name, err, hint)
			}
		})
	}
}

// What a function's code must be follows its runtime, also when only one of the
// two changes.
func TestRuntimeChanges(t *testing.T) {
	n := newNode(t)
	n.deploy(t, edge.Change{Name: "f", Code: files(t, "app.py"), Edit: handler("python3.12", "app.run")})
	n.deploy(t, edge.Change{Name: "f", Code: files(t, "app.py", "other.py")}) // stays Python
	for _, to := range []string{"", "wasi", "extism", "provided.al2023"} {
		n.unchanged(t, func() {
			_, err := n.Deploy(t.Context(), edge.Change{Name: "f", Edit: handler(to, "")})
			if err == nil || !strings.Contains(err.Error(), "the code holds no bootstrap.wasm; deploy a module") {
				t.Errorf("files as %q: %v", to, err)
			}
		})
	}
	n.unchanged(t, func() {
		_, err := n.Deploy(t.Context(), edge.Change{Name: "f", Code: command("")})
		if err == nil || !strings.Contains(err.Error(), "a Wasm module, and the function's runtime is for a language") {
			t.Errorf("a module as Python: %v", err)
		}
	})
	done := n.deploy(t, edge.Change{Name: "f", Code: command(""), Edit: handler("", "app.run")})
	if done.Function.Runtime != engine.RuntimeWASI || len(done.Deployment.Notes) != 1 || !strings.Contains(done.Deployment.Notes[0], "the handler app.run is not used") {
		t.Errorf("a module with a handler: %+v", done)
	}
	if done = n.deploy(t, edge.Change{Name: "f", Code: command(""), Edit: handler("", "")}); len(done.Deployment.Notes) != 0 {
		t.Errorf("a module without one: %q", done.Deployment.Notes)
	}
	done = n.deploy(t, edge.Change{Name: "f", DryRun: true, Code: files(t, "index.js"), Edit: handler("nodejs22.x", "index.handler")})
	if len(done.Deployment.Notes) != 1 {
		t.Errorf("notes of a dry run: %q", done.Deployment.Notes)
	}
	n.check(t)
}
