package cli

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// noHandler says why no handler was found in code, of those that were looked
// for in some languages: what is there instead, and what to do.
func (c code) noHandler(in []language) error {
	if c.tree.broken != "" {
		return badCode(c.tree.broken, "make the zip again, or check it with unzip -t")
	}
	if len(c.tree.paths) == 0 {
		return badCode(c.name+" holds no files", "put an app.py, an index.mjs or a "+moduleFile+" at its top")
	}
	if c.source != nil {
		return c.noHandlerInFile(c.tree.paths[0])
	}
	sources := false
	for _, at := range c.tree.paths {
		sources = sources || languageOfFile(at) != nil
	}
	if !sources && len(in) > 1 {
		return c.nothingThatRuns()
	}
	for _, l := range in {
		for _, at := range slices.Concat(l.usual(), c.tree.top(l.exts...)) {
			if err := c.checkSource(l, at); err != nil {
				return err
			}
		}
	}
	if below := c.tree.below(in); len(below) > 0 {
		return c.handlersBelow(below)
	}
	var where []string
	for _, l := range in {
		for _, name := range l.files {
			where = append(where, name+l.exts[0])
		}
	}
	return badCode(fmt.Sprintf("found no handler in %s, which holds %s", c.name, c.tree.list()),
		"say which to call: --handler FILE.FUNCTION, such as app.lambda_handler for app.py\n"+
			"without it, a function called "+strings.Join(handlerNames(), " or ")+" is looked for in "+strings.Join(where, ", ")+
			" and the other files at the top")
}

// checkSource returns an error that says why a file of the code is no source of
// the language, as far as the file is there.
func (c code) checkSource(l language, at string) error {
	why, hint := l.notSource(c.tree.read(at))
	if why == "" {
		return nil
	}
	return badCode(at+" in "+c.name+" "+why, hint)
}

// noHandlerInFile is noHandler for the only file of the code.
func (c code) noHandlerInFile(at string) error {
	hint := "say which to call: --handler " + c.module + ".FUNCTION"
	if defined := c.source.defined(c.tree.read(at)); len(defined) > 0 {
		hint = "say which to call, such as: --handler " + c.module + "." + defined[0]
		if len(defined) > 1 {
			hint += "\nit has " + strings.Join(defined, ", ")
		}
	} else {
		hint += "\nor write one: " + c.source.sample
	}
	return badCode(c.name+" has no function called "+strings.Join(handlerNames(), " or "), hint)
}

// nothingThatRuns is noHandler for code without a source of any language.
func (c code) nothingThatRuns() error {
	if modules := c.tree.top(".wasm"); len(modules) > 1 {
		return badCode(fmt.Sprintf("%s holds several modules: %s", c.name, strings.Join(modules, ", ")), "name the one to run "+moduleFile)
	}
	for _, at := range c.tree.paths {
		if why, hint := notCode(at); why != "" && !strings.Contains(at, "/") {
			return badCode(fmt.Sprintf("%s holds no code that can run, and %s %s", c.name, at, why), hint)
		}
	}
	return badCode(c.name+" holds no Wasm module at its top, and no Python or JavaScript",
		"it holds "+c.tree.list()+"; put a "+moduleFile+", an app.py or an index.mjs at its top")
}

// handlersBelow is noHandler where handlers are in folders.
func (c code) handlersBelow(below []found) error {
	const most = 3
	var names []string
	for _, f := range below[:min(most, len(below))] {
		names = append(names, f.handler+" in "+f.file)
	}
	text := strings.Join(names, ", ")
	if more := len(below) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	hint := "say which to call: --handler " + shellQuote(below[0].handler)
	if folder := c.tree.only(); folder != "" {
		hint = c.fromInside(folder) + "\nor " + hint
	}
	return badCode(fmt.Sprintf("found no handler at the top of %s, but %s", c.name, text), hint)
}

// fromInside says how to deploy a folder's files without the folder.
func (c code) fromInside(folder string) string {
	if c.folder {
		return "deploy " + shellQuote(path.Join(c.name, folder)) + ", so that its files are at the top"
	}
	return "make the zip from inside " + folder + ", so that its files are at the top"
}

// below looks for handlers in folders, other than those of packages that were
// installed: in the files that usually have one, else in others, and near the
// top before further down.
func (t *tree) below(in []language) []found {
	const most = 500 // files that are read
	type source struct {
		language language
		at       string
	}
	var sources []source
	for _, at := range t.paths {
		folders := strings.Split(path.Dir(at), "/")
		if folders[0] == "." || slices.Contains(folders, "node_modules") || slices.Contains(folders, "site-packages") {
			continue
		}
		for _, l := range in {
			if slices.Contains(l.exts, path.Ext(at)) {
				sources = append(sources, source{l, at})
			}
		}
	}
	slices.SortStableFunc(sources, func(a, b source) int {
		return cmp.Or(cmp.Compare(a.language.rank(a.at), b.language.rank(b.at)),
			cmp.Compare(strings.Count(a.at, "/"), strings.Count(b.at, "/")))
	})
	var all []found
	for i, s := range sources[:min(most, len(sources))] {
		if len(all) > 0 && s.language.rank(s.at) > sources[i-1].language.rank(sources[i-1].at) {
			break
		}
		all = append(all, s.language.findIn(t, s.at)...)
	}
	return all
}

// rank tells a file that usually has a handler, 0, from others.
func (l language) rank(at string) int {
	if slices.Contains(l.usual(), path.Base(at)) {
		return 0
	}
	return 1
}
