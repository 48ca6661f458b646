package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// commands are all of them, with arguments that are enough.
func commands() [][]string {
	return [][]string{
		{"serve"}, {"deploy", "hello", "x.wasm"}, {"invoke", "hello"}, {"ls"}, {"get", "hello"}, {"rm", "hello"},
		{"route", "add", "GET /x", "hello"}, {"route", "ls"}, {"route", "rm", "GET /x"},
		{"logs", "hello"}, {"version"}, {"completion", "bash"},
	}
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		args   []string
		stderr string
	}{
		{nil, "ledge: \"ledge\" needs a command\n  one of: alias, api, audit, completion, deploy, failed, feed, get, invoke, keys, kv, layer, logs, ls, publish, queue, rm, route, schedule, serve, url, version\n  usage: ledge [flags]\n  see: ledge --help\n"},
		{[]string{"deplyo"}, "ledge: unknown command \"deplyo\" for \"ledge\"\n  did you mean deploy?\n  usage: ledge [flags]\n  see: ledge --help\n"},
		{[]string{"frobnicate", "x"}, "ledge: unknown command \"frobnicate\" for \"ledge\"\n  usage: ledge [flags]\n  see: ledge --help\n"},
		{[]string{"route"}, "ledge: \"ledge route\" needs a command\n  one of: add, ls, rm\n  usage: ledge route [flags]\n  see: ledge route --help\n"},
		{[]string{"route", "ad"}, "ledge: unknown command \"ad\" for \"ledge route\"\n  did you mean add?\n  usage: ledge route [flags]\n  see: ledge route --help\n"},
		{[]string{"deploy", "hello"}, "ledge: ledge deploy needs PATH\n  usage: ledge deploy NAME PATH [flags]\n  see: ledge deploy --help\n"},
		{[]string{"ls", "x", "y"}, "ledge: ledge ls does not take \"y\"\n  usage: ledge ls [NAME] [flags]\n  see: ledge ls --help\n"},
		{[]string{"rm"}, "ledge: ledge rm needs NAME\n  usage: ledge rm NAME[:VERSION]... [flags]\n  see: ledge rm --help\n"},
		{[]string{"deploy", "--memroy", "1"}, "ledge: unknown flag: --memroy\n  did you mean --memory?\n  usage: ledge deploy NAME PATH [flags]\n  see: ledge deploy --help\n"},
		{[]string{"logs", "x", "-q"}, "ledge: unknown shorthand flag: 'q' in -q\n  usage: ledge logs NAME [flags]\n  see: ledge logs --help\n"},
		{[]string{"logs", "a:1"}, "ledge: \"a:1\" names a version or an alias; this command takes a whole function: a\n  usage: ledge logs NAME [flags]\n  see: ledge logs --help\n"},
		{[]string{"get", "../x"}, "ledge: \"../x\" is not a function name\n  use 1 to 64 letters, digits, - and _\n  usage: ledge get NAME[:QUALIFIER] [flags]\n  see: ledge get --help\n"},
		{[]string{"invoke", "a:b", "--qualifier", "c"}, "ledge: \"b:c\" is not a version or an alias\n  use a number, $LATEST or the name of an alias\n  usage: ledge invoke NAME[:QUALIFIER] [flags]\n  see: ledge invoke --help\n"},
		{[]string{"ls", "--data", "x", "--endpoint", "y"}, "ledge: --data and --endpoint both name a node; give one of them\n  usage: ledge ls [NAME] [flags]\n  see: ledge ls --help\n"},
		{[]string{"ls", "--endpoint", "ftp://x"}, "ledge: --endpoint: \"ftp://x\" is not the URL of a node\n  write http://HOST:PORT\n  usage: ledge ls [NAME] [flags]\n  see: ledge ls --help\n"},
		{[]string{"logs", "x", "--since", "yesterday"}, "ledge: --since: \"yesterday\" is neither a duration (10m) nor a time (2026-11-23T10:00:00Z)\n  usage: ledge logs NAME [flags]\n  see: ledge logs --help\n"},
		{[]string{"help", "frob"}, "ledge: there is no help on \"frob\"\n  usage: ledge help [COMMAND] [flags]\n  see: ledge help --help\n"},
		{[]string{"ls", "--json", "--nope"}, `{"error":{"code":"Usage","message":"unknown flag: --nope","hint":"usage: ledge ls [NAME] [flags]\nsee: ledge ls --help"}}` + "\n"},
	} {
		commandLine{args: c.args}.run(t).want(t, 2, "", c.stderr)
	}
}

func TestHelpOfEveryCommand(t *testing.T) {
	for _, args := range append(commands(), []string{"route"}, []string{}) {
		for len(args) > 0 && !isCommand(args[len(args)-1]) {
			args = args[:len(args)-1]
		}
		flag := commandLine{args: append(append([]string{}, args...), "--help")}.run(t)
		if flag.exit != 0 || flag.stderr != "" {
			t.Errorf("%v --help: exit %d: %s", args, flag.exit, flag.stderr)
		}
		for _, part := range []string{"Usage:", "Examples:", "  ledge " + strings.Join(args, " "), "--json", "--data DIR"} {
			if !strings.Contains(flag.stdout, part) {
				t.Errorf("%v --help lacks %q:\n%s", args, part, flag.stdout)
			}
		}
		if strings.Contains(flag.stdout, "(default )") || strings.Contains(flag.stdout, " int ") {
			t.Errorf("%v --help shows a flag badly:\n%s", args, flag.stdout)
		}
		word := commandLine{args: append([]string{"help"}, args...)}.run(t)
		if word.exit != 0 || word.stdout != flag.stdout {
			t.Errorf("help %v is not as --help: exit %d\n%s", args, word.exit, word.stdout)
		}
	}
}

func isCommand(word string) bool {
	return word == "route" || word == "add" || commandLineHas(word)
}

func commandLineHas(word string) bool {
	for _, c := range commands() {
		if c[0] == word || c[0] == "route" && c[1] == word {
			return true
		}
	}
	return false
}

func TestNoNodeRuns(t *testing.T) {
	module := t.TempDir() + "/x.wasm"
	writeFile(t, module, emptyModule)
	t.Chdir(t.TempDir())
	for _, args := range commands() {
		switch args[0] {
		case "serve", "version", "completion":
			continue
		case "deploy":
			args = []string{"deploy", "hello", module}
		}
		commandLine{args: args}.run(t).want(t, 1, "", ""+
			"ledge: cannot reach the appliance at ./ledge-data/control.sock: connect: no such file or directory\n"+
			"  is it running? start it with: ledge serve --data ./ledge-data\n")
	}
	commandLine{args: []string{"ls"}, env: map[string]string{"LEDGE_DATA": "/no such/dir", "LEDGE_JSON": "1"}}.run(t).want(t, 1, "",
		`{"error":{"code":"Unreachable","message":"cannot reach the appliance at /no such/dir/control.sock: connect: no such file or directory","hint":"is it running? start it with: ledge serve --data '/no such/dir'"}}`+"\n")
}

// brokenWriter fails as a full disk does.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
}

func TestOutputThatCannotBeWritten(t *testing.T) {
	commandLine{args: []string{"completion", "bash"}, stdout: brokenWriter{}}.run(t).
		want(t, 1, "", "ledge: write to standard output: write /dev/stdout: no space left on device\n")
}

func TestErrorsAreSafeToShow(t *testing.T) {
	e := &Error{Code: "x", Message: "bad \x1b[2Jname \u202e", Hint: "first\nsecond\a"}
	const want = "ledge: bad \\x1b[2Jname \\u202e\n  first\n  second\\x07\n"
	if got := string(renderError(e)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var back struct {
		Error struct{ Code, Message, Hint string }
	}
	text := renderErrorJSON(e)
	if err := json.Unmarshal(text, &back); err != nil || back.Error.Message != e.Message || bytes.Count(text, []byte("\n")) != 1 {
		t.Errorf("%v: %s", err, text)
	}
}

func TestErrorUnwraps(t *testing.T) {
	if !errors.Is(&Error{Err: syscall.ENOSPC}, syscall.ENOSPC) {
		t.Error("the cause of an Error is lost")
	}
}
