package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// defaultData is the data folder where neither --data nor LEDGE_DATA names one.
const defaultData = "./ledge-data"

// settingsFile is read from the data folder by serve.
const settingsFile = "ledge.toml"

// ServeSettings are what serve runs with, after flags, environment, ledge.toml
// and defaults were put together. Every field is valid and filled in.
type ServeSettings struct {
	Data    string // folder of everything that the node keeps; it may not exist yet
	HTTP    string // listen address of the gateway, host:port
	Control string // listen address of the control plane, besides its socket

	MemoryBudget int64 // bytes for all Instances; 0: half of the machine's memory
	MaxInstances int   // Instances at the same time; 0: what the engine finds right
	AddressBits  int   // 39 or 47; 0: probe the kernel
	IdleTimeout  time.Duration
	DrainTimeout time.Duration // how long running Invocations may take at shutdown
	ClockWait    time.Duration // how long schedules wait at start for a clock that is right
	Queue        QueueSettings
	LogLevel     string // "debug", "info", "warn" or "error"
	JSON         bool   // the appliance's own log is JSON lines
}

// QueueSettings bound the queue of events that nobody waits for.
type QueueSettings struct {
	Jobs     int    // events at most; 0: what the queue finds right
	Bytes    int64  // of events at most; 0: likewise
	WhenFull string // "reject", also where it is empty, or "drop-oldest"
}

func defaultSettings() ServeSettings {
	return ServeSettings{
		HTTP:         ":8080",
		Control:      "127.0.0.1:9000",
		IdleTimeout:  5 * time.Minute,
		DrainTimeout: 10 * time.Second,
		ClockWait:    time.Minute,
		LogLevel:     "info",
	}
}

// setting is one thing that can be set on the command line (--key), in the
// environment (LEDGE_KEY) and in ledge.toml (key).
type setting struct {
	key   string
	value string // stands for the value in the help
	help  string
	kinds []valueKind // that ledge.toml may use
	set   func(s *ServeSettings, text string) error
}

// variable is the setting's name in the environment.
func (s setting) variable() string {
	return "LEDGE_" + strings.ToUpper(strings.ReplaceAll(s.key, "-", "_"))
}

func (s setting) accepts(kind valueKind) bool {
	for _, k := range s.kinds {
		if k == kind {
			return true
		}
	}
	return false
}

// serveSettings lists all settings of serve except the data folder, which says
// where ledge.toml is and so cannot be in it.
func serveSettings() []setting {
	return []setting{
		{"http", "ADDRESS", "listen address of the functions' HTTP routes (default :8080)", []valueKind{kindText},
			func(s *ServeSettings, text string) error { return setAddress(&s.HTTP, text) }},
		{"control", "ADDRESS", "listen address of the control plane (default 127.0.0.1:9000)", []valueKind{kindText},
			func(s *ServeSettings, text string) error { return setAddress(&s.Control, text) }},
		{"memory-budget", "SIZE", "memory for all functions together: 512, 512MB or 1GiB (default: half of the machine's)", []valueKind{kindText, kindNumber},
			func(s *ServeSettings, text string) (err error) { s.MemoryBudget, err = parseSize(text); return err }},
		{"max-instances", "N", "function instances at the same time (default: chosen from the memory budget)", []valueKind{kindNumber},
			func(s *ServeSettings, text string) error { return setInteger(&s.MaxInstances, text, 0, 100_000) }},
		{"address-bits", "BITS", "bits of address space: 39 or 47 (default: probed)", []valueKind{kindNumber},
			setAddressBits},
		{"idle-timeout", "DURATION", "how long an instance that nobody calls is kept (default 5m)", []valueKind{kindText, kindNumber},
			func(s *ServeSettings, text string) (err error) { s.IdleTimeout, err = parseDuration(text); return err }},
		{"drain-timeout", "DURATION", "how long running invocations may take at shutdown (default 10s)", []valueKind{kindText, kindNumber},
			func(s *ServeSettings, text string) (err error) { s.DrainTimeout, err = parseDuration(text); return err }},
		{"clock-wait", "DURATION", "how long schedules wait at start for a clock that is wrong to be set (default 60s)", []valueKind{kindText, kindNumber},
			func(s *ServeSettings, text string) (err error) { s.ClockWait, err = parseDuration(text); return err }},
		{"queue-jobs", "N", "events in the queue at most (default 100000)", []valueKind{kindNumber},
			func(s *ServeSettings, text string) error { return setInteger(&s.Queue.Jobs, text, 1, 10_000_000) }},
		{"queue-bytes", "SIZE", "size of all events in the queue at most (default 256MB)", []valueKind{kindText, kindNumber},
			func(s *ServeSettings, text string) (err error) { s.Queue.Bytes, err = parseSize(text); return err }},
		{"queue-when-full", "POLICY", "what a full queue does with an event: reject it, or drop-oldest to make room (default reject)", []valueKind{kindText},
			setWhenFull},
		{"log-level", "LEVEL", "debug, info, warn or error (default info)", []valueKind{kindText},
			setLogLevel},
		{"json", "", "", []valueKind{kindBool}, // its flag is one of every command
			func(s *ServeSettings, text string) (err error) { s.JSON, err = strconv.ParseBool(text); return err }},
	}
}

// sources are where resolveSettings looks, in the order of precedence.
type sources struct {
	flag   func(key string) (string, bool) // false: not given
	getenv func(string) string             // an empty variable counts as unset
	file   string                          // of ledge.toml, for messages
	lines  []tomlEntry
}

// resolveSettings puts the settings together. It checks all sources, so that a
// mistake in ledge.toml is told even where a flag overrides it. Errors name
// the source: *usageError for a flag, *Error for the rest.
func resolveSettings(from sources) (ServeSettings, error) {
	s := defaultSettings()
	known := serveSettings()
	byKey := make(map[string]setting, len(known))
	for _, k := range known {
		byKey[k.key] = k
	}

	for _, line := range from.lines {
		k, ok := byKey[line.Key]
		if !ok {
			return s, unknownKey(from.file, line, known)
		}
		if !k.accepts(line.Kind) {
			return s, badSetting(fmt.Sprintf("%s:%d", from.file, line.Line), k.key, fmt.Errorf("wants %s, not %s", k.kinds[0], line.Kind))
		}
		if err := k.set(&s, line.Value); err != nil {
			return s, badSetting(fmt.Sprintf("%s:%d", from.file, line.Line), k.key, err)
		}
	}
	for _, k := range known {
		if text := from.getenv(k.variable()); text != "" {
			if err := k.set(&s, text); err != nil {
				return s, badSetting("environment", k.variable(), err)
			}
		}
		if text, given := from.flag(k.key); given {
			if err := k.set(&s, text); err != nil {
				return s, usagef("--%s: %s", k.key, err)
			}
		}
	}
	return s, nil
}

func badSetting(where, key string, err error) error {
	return &Error{
		Code:    codeBadSetting,
		Message: fmt.Sprintf("%s: %s: %s", where, key, err),
		Hint:    "see: ledge serve --help",
		Err:     err,
	}
}

func unknownKey(file string, line tomlEntry, known []setting) error {
	e := &Error{Code: codeBadSetting, Message: fmt.Sprintf("%s:%d: unknown key %q", file, line.Line, line.Key)}
	keys := make([]string, len(known))
	for i, k := range known {
		keys[i] = k.key
	}
	if best := nearest(line.Key, keys); best != "" {
		e.Hint = "did you mean " + best + "?"
	} else {
		e.Hint = "known keys: " + strings.Join(keys, ", ")
	}
	return e
}

// readSettingsFile reads ledge.toml from the data folder. A file or folder
// that does not exist has no settings.
func readSettingsFile(data string) (file string, lines []tomlEntry, err error) {
	file = inFolder(data, settingsFile)
	f, err := os.Open(filepath.Clean(file))
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil, nil
	}
	if err != nil {
		return file, nil, &Error{Code: codeBadSetting, Message: "cannot read the settings: " + err.Error(), Err: err}
	}
	defer f.Close() // opened for reading: closing loses nothing
	text, err := io.ReadAll(io.LimitReader(f, maxTomlBytes+1))
	if err != nil {
		return file, nil, &Error{Code: codeBadSetting, Message: "cannot read the settings: " + err.Error(), Err: err}
	}
	lines, err = parseTOML(string(text))
	if err != nil {
		message := file + ": " + err.Error()
		var bad *tomlError
		if errors.As(err, &bad) {
			message = fmt.Sprintf("%s:%d: %s", file, bad.Line, bad.Why)
		}
		return file, nil, &Error{Code: codeBadSetting, Message: message, Err: err}
	}
	return file, lines, nil
}

// inFolder joins as filepath.Join does, but keeps a leading "./": messages show
// paths as people wrote them.
func inFolder(folder, name string) string {
	return strings.TrimRight(folder, "/") + "/" + name
}

func setAddress(into *string, text string) error {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("%q is not an address; write :8080 or 127.0.0.1:8080", text)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port number from 0 to 65535", text)
	} else if strconv.FormatUint(number, 10) != port {
		return fmt.Errorf("%q has an odd port number", text)
	}
	*into = text
	return nil
}

func setInteger(into *int, text string, least, most int) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return fmt.Errorf("%q is not a whole number from %d to %d", text, least, most)
	}
	*into = n
	return nil
}

func setAddressBits(s *ServeSettings, text string) error {
	switch text {
	case "0", "39", "47":
		s.AddressBits, _ = strconv.Atoi(text) // one of the three: it parses
		return nil
	}
	return fmt.Errorf("%q is not 39, 47 or 0 (probe)", text)
}

func setWhenFull(s *ServeSettings, text string) error {
	switch text {
	case "reject", "drop-oldest":
		s.Queue.WhenFull = text
		return nil
	}
	return fmt.Errorf("%q is not reject or drop-oldest", text)
}

func setLogLevel(s *ServeSettings, text string) error {
	switch text {
	case "debug", "info", "warn", "error":
		s.LogLevel = text
		return nil
	}
	return fmt.Errorf("%q is not debug, info, warn or error", text)
}
