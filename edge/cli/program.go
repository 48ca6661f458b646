package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// program is what was found out about code that is to be deployed, beyond what
// flags say: what the request adds to them.
type program struct {
	runtime, handler *string // nil: what the flags or the function say
	language         string  // for people; empty: WebAssembly
	found            string  // file in which the handler was found; empty: it was not looked for
}

// present returns the settings of a function, or nil where there is none.
func (c *client) present(ctx context.Context, name string) (*configuration, error) {
	path, query := functionPath(target{Name: name}, "/configuration")
	var f configuration
	_, err := c.call(ctx, request{method: http.MethodGet, path: path, query: query}, replyTimeout, &f)
	if _, missing := isCode(err, awsNotFound); missing {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &f, nil
}

// program finds out the runtime and the handler of code. What flags say is not
// questioned; what the function says, now, stays as far as the code still has
// the file that its handler is in; the rest is looked for in the code.
func (c code) program(runtimeFlag, handlerFlag *string, now *configuration) (program, error) {
	if now == nil {
		now = &configuration{}
	}
	was := languageOf(now.runtime())
	handler := now.Handler
	if handlerFlag != nil {
		handler = *handlerFlag
	}
	wasm := program{}
	if was != nil { // it was another language's, and means nothing to a module
		wasm.runtime, wasm.handler = new(string), new(string)
	}
	switch {
	case c.tree == nil && c.source == nil: // a module, or what only the node can tell
		return wasm.under(runtimeFlag, handlerFlag), nil
	case runtimeFlag != nil:
		l := languageOf(*runtimeFlag)
		if c.source != nil && (l == nil || l.name != c.source.name) {
			return program{}, usagef("%s is %s, and --runtime is %s", c.name, c.source.name, *runtimeFlag)
		}
		if l == nil {
			return wasm.under(runtimeFlag, handlerFlag), nil
		}
		at := l.holds(c.tree, handler)
		if handlerFlag != nil || at != "" {
			return program{language: l.name}, c.checkSource(*l, at)
		}
		return c.choose(l.find(c.tree), *l)
	case was != nil && was.holds(c.tree, handler) != "":
		return program{language: was.name}, c.checkSource(*was, was.holds(c.tree, handler))
	case c.tree.hasModule():
		return wasm.under(runtimeFlag, handlerFlag), nil
	case handlerFlag != nil:
		return c.byHandler(handler, was)
	}
	var all []found
	for _, l := range languages() {
		all = append(all, l.find(c.tree)...)
	}
	p, err := c.choose(all, languages()...)
	if err == nil && was != nil && was.runtime == *p.runtime {
		p.runtime = nil // it may have another name, which stays
	}
	return p, err
}

// under returns p without what flags say.
func (p program) under(runtimeFlag, handlerFlag *string) program {
	if runtimeFlag != nil {
		p.runtime = nil
	}
	if handlerFlag != nil {
		p.handler = nil
	}
	return p
}

// byHandler finds the language of a handler that a flag names.
func (c code) byHandler(handler string, was *language) (program, error) {
	var in []language
	for _, l := range languages() {
		if l.holds(c.tree, handler) != "" {
			in = append(in, l)
		}
	}
	switch {
	case len(in) == 0:
		return program{}, badCode(fmt.Sprintf("the handler %s is in no file of %s, which holds %s", handler, c.name, c.tree.list()),
			c.otherHandler(handler))
	case len(in) > 1:
		return program{}, badCode(fmt.Sprintf("the handler %s is in files of several languages in %s", handler, c.name),
			"choose one: --runtime "+in[0].runtime+" or --runtime "+in[1].runtime)
	}
	p := program{language: in[0].name}
	if was == nil || was.runtime != in[0].runtime {
		p.runtime = &in[0].runtime
	}
	return p, c.checkSource(in[0], in[0].holds(c.tree, handler))
}

// otherHandler says what to do about a handler that is in no file.
func (c code) otherHandler(handler string) string {
	folder := c.tree.only()
	for _, l := range languages() {
		if folder != "" && l.holds(c.tree, folder+"/"+handler) != "" {
			return c.fromInside(folder) + "\nor write " + folder + "/" + handler
		}
	}
	return "write FILE.FUNCTION, such as app.lambda_handler for app.py or src/index.handler for src/index.js"
}

// choose takes the only handler there is, of those that were looked for in some
// languages.
func (c code) choose(all []found, in ...language) (program, error) {
	if len(all) == 1 {
		return program{
			runtime: &all[0].language.runtime, handler: &all[0].handler,
			language: all[0].language.name, found: all[0].file,
		}, nil
	}
	if len(all) > 1 {
		names := make([]string, len(all))
		for i, f := range all {
			names[i] = f.handler + " in " + f.file
		}
		return program{}, badCode(fmt.Sprintf("%s has several handlers: %s", c.name, strings.Join(names, ", ")),
			"say which to call: --handler "+all[0].handler)
	}
	return program{}, c.noHandler(in)
}
