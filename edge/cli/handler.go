package cli

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// language is a language whose interpreter a node has inside.
type language struct {
	name    string
	runtime string   // the node's name for it
	aws     string   // what AWS Lambda's names for its versions begin with
	exts    []string // of files that a handler can be in, in the order in which they are looked for
	files   []string // in which a handler is looked for first, without their ends
	// defines matches the definition of a function in a file's text; %s is the
	// function's name.
	defines string
	// functions matches the definition of any function that a handler could name;
	// its groups are the name.
	functions string
	sample    string // the smallest handler
}

func languages() []language {
	return []language{
		{
			name: "Python", runtime: "python3.13", aws: "python",
			exts:      []string{".py"},
			files:     []string{"lambda_function", "app", "main", "handler"},
			defines:   `(?m)^(?:async\s+)?def\s+%[1]s\s*\(|^%[1]s\s*(?::[^=\n]*)?=[^=]|^from\s+\S+\s+import\s.*\b%[1]s\b`,
			functions: `(?m)^(?:async\s+)?def\s+([^\W_]\w*)`,
			sample:    "def lambda_handler(event, context): return {}",
		},
		{
			name: "JavaScript", runtime: "javascript", aws: "nodejs",
			exts:      []string{".js", ".mjs", ".cjs"},
			files:     []string{"index"},
			defines:   `(?m)\bexports\.%[1]s\s*=[^=]|\bmodule\.exports\s*=\s*\{[^}]*\b%[1]s\b|(?:^|[;}])\s*export\s+(?:const|let|var|(?:async\s+)?function)\s+%[1]s\b|(?:^|[;}])\s*export\s*\{[^}]*\b%[1]s\b`,
			functions: `(?m)\bexports\.([\w$]+)\s*=[^=]|(?:^|[;}])\s*export\s+(?:const|let|var|(?:async\s+)?function)\s+([\w$]+)|(?:^|[;}])\s*export\s+(default)\b`,
			sample:    "export const handler = async (event) => ({})",
		},
	}
}

// handlerNames are the functions that are taken for a handler, the first of
// them that a file has.
func handlerNames() []string { return []string{"lambda_handler", "handler"} }

// languageOf returns the language of a runtime, or nil for Wasm and for what
// this program does not know.
func languageOf(runtime string) *language {
	for _, l := range languages() {
		if runtime == l.runtime || strings.HasPrefix(runtime, l.aws) {
			return &l
		}
	}
	return nil
}

// languageOfFile returns the language of a source file, or nil.
func languageOfFile(name string) *language {
	for _, l := range languages() {
		if slices.Contains(l.exts, strings.ToLower(path.Ext(name))) {
			return &l
		}
	}
	return nil
}

// holds returns the path of the file that a handler is in, as the node's
// interpreters look for it, or nothing.
func (l *language) holds(t *tree, handler string) string {
	module, base := handler, strings.LastIndexByte(handler, '/')+1
	var files []string
	if l.aws == "python" { // package.module.function
		dot := strings.LastIndexByte(handler, '.')
		if dot < base {
			return ""
		}
		module = strings.ReplaceAll(handler[:dot], ".", "/")
		files = []string{module + ".py", module + "/__init__.py"}
	} else { // dir/file.function or dir/file.object.function
		dot := strings.IndexByte(handler[base:], '.')
		if dot < 0 {
			return ""
		}
		for _, ext := range l.exts {
			files = append(files, handler[:base+dot]+ext)
		}
	}
	for _, file := range files {
		if t.files[file] != nil {
			return file
		}
	}
	return ""
}

// found is a handler and the file that it was found in.
type found struct {
	language language
	handler  string
	file     string
}

// find looks for handlers of a language: in the files that usually have one,
// then in all others at the top.
func (l language) find(t *tree) []found {
	if l.aws == "nodejs" {
		if main := t.packageMain(); main != "" {
			if at := l.findIn(t, main); len(at) > 0 {
				return at
			}
		}
	}
	if at := l.findIn(t, l.usual()...); len(at) > 0 {
		if at[0].handler == "lambda_function.lambda_handler" { // AWS Lambda's own default
			return at[:1]
		}
		return at
	}
	return l.findIn(t, t.top(l.exts...)...)
}

// usual returns the files in which a handler is looked for first.
func (l language) usual() []string {
	var files []string
	for _, name := range l.files {
		for _, ext := range l.exts {
			files = append(files, name+ext)
		}
	}
	return files
}

// findIn looks for handlers in some files, not all of which need exist.
func (l language) findIn(t *tree, files ...string) []found {
	var at []found
	for _, file := range files {
		module := strings.TrimSuffix(file, path.Ext(file))
		if !canName(module) {
			continue // such as webpack.config.js
		}
		text := t.read(file)
		for _, name := range handlerNames() {
			if len(text) == 0 || !regexp.MustCompile(fmt.Sprintf(l.defines, name)).Match(text) {
				continue
			}
			is := func(f found) bool { return f.handler == module+"."+name }
			if !slices.ContainsFunc(at, is) { // index.js and index.mjs are one
				at = append(at, found{l, module + "." + name, file})
			}
			break
		}
	}
	return at
}

// canName reports whether a handler can name a file, which is without its end.
func canName(module string) bool { return module != "" && !strings.ContainsAny(module, ". \t\r\n\v\f") }

// packageMain returns the file that a package.json at the top names as the
// package's entry (https://docs.npmjs.com/cli/v10/configuring-npm/package-json#main),
// if it is there.
func (t *tree) packageMain() string {
	var manifest struct {
		Main string `json:"main"`
	}
	if json.Unmarshal(t.read("package.json"), &manifest) != nil || manifest.Main == "" {
		return ""
	}
	main := path.Clean(manifest.Main)
	for _, at := range []string{main, main + ".js", main + "/index.js"} {
		if t.files[at] != nil {
			return at
		}
	}
	return ""
}
