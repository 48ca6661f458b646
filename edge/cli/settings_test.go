package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// serveWith runs serve and returns the settings that it was called with.
func serveWith(t *testing.T, toml string, env map[string]string, args ...string) (ServeSettings, outcome, string) {
	t.Helper()
	data := t.TempDir()
	if toml != "" {
		writeFile(t, data+"/"+settingsFile, toml)
	}
	var got ServeSettings
	o := commandLine{
		args: append([]string{"serve", "--data", data}, args...),
		env:  env,
		serve: func(_ context.Context, s ServeSettings) error {
			got = s
			return nil
		},
	}.run(t)
	return got, o, data
}

func TestSettingsPrecedence(t *testing.T) {
	const file = "http = ':1'\nmax-instances = 1\nidle-timeout = 90\n"
	env := map[string]string{"LEDGE_HTTP": ":2", "LEDGE_MAX_INSTANCES": "2"}
	for _, c := range []struct {
		name string
		toml string
		env  map[string]string
		args []string
		want ServeSettings
	}{
		{"defaults", "", nil, nil, ServeSettings{
			HTTP: ":8080", Control: "127.0.0.1:9000", IdleTimeout: 5 * time.Minute, DrainTimeout: 10 * time.Second, ClockWait: time.Minute, LogLevel: "info"}},
		{"file", file, nil, nil, ServeSettings{
			HTTP: ":1", Control: "127.0.0.1:9000", MaxInstances: 1, IdleTimeout: 90 * time.Second, DrainTimeout: 10 * time.Second, ClockWait: time.Minute, LogLevel: "info"}},
		{"environment over file", file, env, nil, ServeSettings{
			HTTP: ":2", Control: "127.0.0.1:9000", MaxInstances: 2, IdleTimeout: 90 * time.Second, DrainTimeout: 10 * time.Second, ClockWait: time.Minute, LogLevel: "info"}},
		{"flag over environment", file, env, []string{"--http", ":3"}, ServeSettings{
			HTTP: ":3", Control: "127.0.0.1:9000", MaxInstances: 2, IdleTimeout: 90 * time.Second, DrainTimeout: 10 * time.Second, ClockWait: time.Minute, LogLevel: "info"}},
		{"queue", "queue-jobs = 5\nqueue-bytes = \"1GB\"\n", nil, []string{"--queue-when-full", "drop-oldest"}, ServeSettings{
			HTTP: ":8080", Control: "127.0.0.1:9000", IdleTimeout: 5 * time.Minute, DrainTimeout: 10 * time.Second, ClockWait: time.Minute,
			Queue: QueueSettings{Jobs: 5, Bytes: 1 << 30, WhenFull: "drop-oldest"}, LogLevel: "info"}},
		{"everything", "log-level = \"warn\" # quiet\njson = true\naddress-bits = 39\n", nil,
			[]string{"--control", "[::1]:0", "--memory-budget", "1.5GiB", "--drain-timeout", "0", "--clock-wait", "5", "--json=false"}, ServeSettings{
				HTTP: ":8080", Control: "[::1]:0", MemoryBudget: 3 << 29, AddressBits: 39, IdleTimeout: 5 * time.Minute, ClockWait: 5 * time.Second, LogLevel: "warn"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, o, data := serveWith(t, c.toml, c.env, c.args...)
			o.want(t, 0, "", "")
			c.want.Data = data
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestSettingsErrors(t *testing.T) {
	for _, c := range []struct {
		toml   string
		env    map[string]string
		args   []string
		exit   int
		stderr string // DIR stands for the data folder
	}{
		{"# first\nhtpp = ':1'\n", nil, nil, 1, "ledge: DIR/ledge.toml:2: unknown key \"htpp\"\n  did you mean http?\n"},
		{"data = '/x'\n", nil, nil, 1, "ledge: DIR/ledge.toml:1: unknown key \"data\"\n  known keys: http, control, memory-budget, max-instances, address-bits, idle-timeout, drain-timeout, clock-wait, queue-jobs, queue-bytes, queue-when-full, log-level, json\n"},
		{"http = 8080\n", nil, nil, 1, "ledge: DIR/ledge.toml:1: http: wants text in quotes, not a number\n  see: ledge serve --help\n"},
		{"http = ':x'\n", nil, []string{"--http", ":1"}, 1, "ledge: DIR/ledge.toml:1: http: \":x\" has no port number from 0 to 65535\n  see: ledge serve --help\n"},
		{"http\n", nil, nil, 1, "ledge: DIR/ledge.toml:1: expected key = value\n"},
		{"", map[string]string{"LEDGE_LOG_LEVEL": "loud"}, nil, 1, "ledge: environment: LEDGE_LOG_LEVEL: \"loud\" is not debug, info, warn or error\n  see: ledge serve --help\n"},
		{"", map[string]string{"LEDGE_JSON": "maybe"}, nil, 2, "ledge: LEDGE_JSON: \"maybe\" is neither true nor false\n  usage: ledge serve [flags]\n  see: ledge serve --help\n"},
		{"", nil, []string{"--address-bits", "48"}, 2, "ledge: --address-bits: \"48\" is not 39, 47 or 0 (probe)\n  usage: ledge serve [flags]\n  see: ledge serve --help\n"},
		{"", nil, []string{"--endpoint", "http://x"}, 2, "ledge: serve does not take --endpoint; the address to listen on is --control\n  usage: ledge serve [flags]\n  see: ledge serve --help\n"},
		{"", nil, []string{"--http", "8080"}, 2, "ledge: --http: \"8080\" is not an address; write :8080 or 127.0.0.1:8080\n  usage: ledge serve [flags]\n  see: ledge serve --help\n"},
	} {
		_, o, data := serveWith(t, c.toml, c.env, c.args...)
		o.want(t, c.exit, "", strings.ReplaceAll(c.stderr, "DIR", data))
	}
}

func TestServeEnds(t *testing.T) {
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		err    error
		exit   int
		stderr string
	}{
		{"well", t.Context(), nil, 0, ""},
		{"told to stop", stopped, context.Canceled, 0, ""},
		{"with an error", t.Context(), errors.New("listen: address already in use"), 1, "ledge: listen: address already in use\n"},
		{"with advice", t.Context(), &Error{Code: "InUse", Message: "in use", Hint: "choose another"}, 1, "ledge: in use\n  choose another\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			commandLine{
				args:  []string{"serve", "--data", t.TempDir()},
				ctx:   c.ctx,
				serve: func(context.Context, ServeSettings) error { return c.err },
			}.run(t).want(t, c.exit, "", c.stderr)
		})
	}
}

func TestDataFolder(t *testing.T) {
	for _, c := range []struct{ flag, env, want string }{
		{"", "", "./ledge-data"},
		{"", "/env", "/env"},
		{"/flag", "/env", "/flag"},
	} {
		a := app{data: c.flag, env: Env{Getenv: func(string) string { return c.env }}}
		if got := a.dataFolder(); got != c.want {
			t.Errorf("flag %q, environment %q: got %s, want %s", c.flag, c.env, got, c.want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"64": 64 << 20, "64MB": 64 << 20, "64 MiB": 64 << 20, "1GiB": 1 << 30, "1g": 1 << 30,
		"1.5G": 3 << 29, "512k": 512 << 10, "100b": 100, "0": 0,
		"": -1, "MB": -1, "-1": -1, "1TB": -1, "1e3": -1, "0x10": -1, "NaN": -1, "Inf": -1, "1.2.3": -1, "99999999999G": -1,
	} {
		got, err := parseSize(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"3s": 3 * time.Second, "30": 30 * time.Second, "0.5": time.Second / 2, "1m30s": 90 * time.Second, "150ms": 150 * time.Millisecond, "0": 0,
		"": -1, "-3s": -1, "3": 3 * time.Second, "3x": -1, "1e9": -1, "9999999999999": -1,
	} {
		got, err := parseDuration(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
	}
}
