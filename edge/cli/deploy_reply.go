package cli

import (
	"bytes"
	"fmt"
	"strings"
)

// describeDeploy tells what came of a deploy. found is the file in which the
// handler was found, if it was looked for; address is where the node's routes answer,
// if that is known.
func describeDeploy(reply deployReply, name, address, found string) []byte {
	fn, d := reply.Function, reply.Deployment
	var f fields
	verb := "updated"
	if reply.Created {
		verb = "created"
	}
	fmt.Fprintf(&f.b, "%s %s\n", name, verb)
	f.add("version", fn.Version)
	f.add("runtime", fn.describeRuntime())
	if found != "" {
		f.add("handler", fn.Handler+", found in "+found)
	} else if fn.runtime() != "wasi" {
		f.add("handler", fn.Handler)
	}
	f.add("code", formatSize(fn.CodeSize))
	if d.Compiled {
		f.add("compiled", "in "+formatMillis(d.CompileMillis))
	} else if languageOf(fn.runtime()) == nil { // only a module is code to compile
		f.add("compiled", "before; the same code is used again")
	}
	switch {
	case d.Snapshot && d.InitMillis == 0 && d.ImageBytes == 0:
		f.add("start", "before; the same snapshot is used again")
	case d.Snapshot:
		f.add("start", formatMillis(d.InitMillis))
		f.add("snapshot", formatSize(d.ImageBytes))
	default:
		f.add("start", formatMillis(d.InitMillis))
	}
	for _, note := range d.Notes {
		f.add("note", note)
	}
	for _, s := range reply.Schedules {
		f.add("schedule", s.Expression+", as "+s.Name+addedOrThere(s.Created))
	}
	for _, w := range reply.Watches {
		keys := "all keys"
		if len(w.Prefixes) > 0 {
			keys = "keys " + strings.Join(w.Prefixes, ", ")
		}
		f.add("watch", "bucket "+w.Bucket+", "+keys+addedOrThere(w.Created))
	}
	if len(reply.Routes) == 0 && len(reply.Schedules)+len(reply.Watches) > 0 {
		return f.b.Bytes()
	}
	if len(reply.Routes) == 0 {
		fmt.Fprintf(&f.b, "\nNo route leads to it yet. Call it, or add a route:\n")
		fmt.Fprintf(&f.b, "  ledge invoke %s --payload '{}'\n  ledge route add 'GET /%s' %s\n", name, name, name)
		return f.b.Bytes()
	}
	if address == "" { // it is not known where to call them
		for _, r := range reply.Routes {
			f.add("route", r.Route)
		}
		return f.b.Bytes()
	}
	f.b.WriteString("\n")
	for _, r := range reply.Routes {
		f.b.WriteString("  " + oneLine(curlLine(address, r)) + "\n")
	}
	return f.b.Bytes()
}

// addedOrThere tells what a deploy made from what it found.
func addedOrThere(created bool) string {
	if created {
		return " (added)"
	}
	return " (was there)"
}

// curlLine is a command that calls a route. Parameters are filled with their
// own names: curl would take {name} for a list to expand.
func curlLine(address string, r route) string {
	method, path, found := strings.Cut(r.Route, " ")
	if !found { // $default
		method, path = "ANY", "/"
	}
	path = strings.NewReplacer("{", "", "+}", "", "}", "").Replace(path)
	var b bytes.Buffer
	b.WriteString("curl ")
	switch method {
	case "GET", "ANY":
	case "HEAD":
		b.WriteString("--head ")
	case "POST", "PUT", "PATCH":
		b.WriteString("-X " + method + " -H 'Content-Type: application/json' -d '{}' ")
	default:
		b.WriteString("-X " + shellQuote(method) + " ")
	}
	b.WriteString(shellQuote(address + path))
	return b.String()
}
