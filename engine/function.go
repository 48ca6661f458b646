package engine

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"ledge/engine/outbound"
)

// Latest is the version name of a function's unpublished code, as in AWS Lambda.
const Latest = "$LATEST"

// Names of the runtimes that this engine runs.
const (
	RuntimeWASI       = "wasi"       // a WASI preview 1 command: event on stdin, result on stdout
	RuntimeExtism     = "extism"     // a reactor that follows the Extism PDK ABI
	RuntimePython     = "python3.13" // AWS Lambda's handler(event, context), in CPython
	RuntimeJavaScript = "javascript" // AWS Lambda's exports.handler, in QuickJS
)

// ModuleFile is the name of the Wasm module inside a Function's CodeDir.
const ModuleFile = "bootstrap.wasm"

var runtimes = []string{RuntimeWASI, RuntimeExtism, RuntimePython, RuntimeJavaScript}

// language reports whether an interpreter runs the function's code.
func (f *Function) language() bool {
	return f.Runtime == RuntimePython || f.Runtime == RuntimeJavaScript
}

// Isolation says what an Invocation may find of the Invocations before it.
type Isolation string

const (
	// IsolationReuse is AWS Lambda's semantics: a warm Instance serves many
	// Invocations, one at a time. It is the default.
	IsolationReuse Isolation = "reuse"
	// IsolationFresh gives each Invocation an Instance restored from the Snapshot.
	IsolationFresh Isolation = "fresh"
)

// Function is one deployable version of a function: what to run, how, and
// within which Limits. It is a value; the engine keeps its own copy.
type Function struct {
	Name    string
	Version string // Latest or a decimal number
	Runtime string // one of the Runtime constants
	// Handler is what to call. RuntimeExtism: an export; empty where the module has
	// only one. RuntimePython and RuntimeJavaScript: file.function.
	Handler string

	// CodeDir is a folder that never changes while the function exists. For
	// RuntimeWASI and RuntimeExtism it holds ModuleFile. Guests read it at /var/task.
	CodeDir string
	// CodeHash identifies the content of CodeDir: lower-case hex SHA-256.
	CodeHash string

	// LayerDir is a folder with the content of the function's layers, merged in their
	// order, which never changes while the function exists; empty for none. Guests
	// read it at /opt, and languages find packages in it where AWS Lambda's do:
	// https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
	LayerDir string
	// LayerHash identifies the content of LayerDir as CodeHash does that of CodeDir;
	// empty for none.
	LayerHash string

	Env       map[string]string
	Limits    Limits // zero fields take DefaultLimits
	Isolation Isolation
	// AllowHosts lists what the function may call, in the patterns of package
	// outbound: "https://example.com", "*.example.com:8443", "192.168.1.20". None means
	// no outgoing calls.
	AllowHosts []string
	// AllowInvoke names the functions that this one may invoke; "*" is all.
	AllowInvoke []string
	// AllowPublish lists MQTT topic filters to which the function may publish.
	AllowPublish []string
	// AllowBuckets names the shared buckets of data that the function may use: NAME to
	// read and write, NAME:read to read. Its own bucket it always may.
	AllowBuckets []string
	// NoSnapshot runs the module's initialisation for every new Instance
	// instead of restoring a Snapshot of it.
	NoSnapshot bool
}

// Limits bound what one function may use. The zero value of a field means the
// field's default.
type Limits struct {
	Memory        int64         // bytes of linear memory for one Instance
	Timeout       time.Duration // wall time of one Invocation
	Concurrency   int           // Invocations at the same time of all versions together, see SetConcurrency
	RequestBytes  int64         // payload of one Invocation
	ResponseBytes int64         // result of one Invocation
	LogBytes      int64         // log of one Invocation; the rest is dropped and said so
	HostCalls     int           // calls of the node in one Invocation, those that log aside
}

// NoConcurrency is the Limits.Concurrency of a function of which every Invocation is
// throttled: AWS Lambda's reserved concurrency of 0.
const NoConcurrency = -1

// DefaultLimits are AWS Lambda's where Lambda has the limit.
func DefaultLimits() Limits {
	return Limits{
		Memory:        128 << 20,
		Timeout:       3 * time.Second,
		Concurrency:   64,
		RequestBytes:  6 << 20,
		ResponseBytes: 6 << 20,
		LogBytes:      256 << 10,
		HostCalls:     10_000,
	}
}

// Bounds of what Validate accepts. MaxTimeout is AWS Lambda's.
const (
	MinMemory      = 1 << 20
	MaxMemory      = 4 << 30
	MinTimeout     = time.Millisecond
	MaxTimeout     = 15 * time.Minute
	MaxConcurrency = 1000
	MaxPayload     = 64 << 20
	MaxEnvBytes    = 4 << 10
	MaxHostCalls   = 1 << 30
	maxHandler     = 128
)

// namePattern is AWS Lambda's for function names.
var namePattern = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,64}$`)

// ValidName reports whether name may name a function.
func ValidName(name string) bool { return namePattern.MatchString(name) }

var (
	versionPattern = regexp.MustCompile(`^(\$LATEST|[1-9][0-9]{0,9})$`)
	envPattern     = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`)
	handlerPattern = regexp.MustCompile(`^[^\s.][^\s]*\.[^\s.]+$`)
	hashPattern    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// withDefaults returns f with every zero limit and mode replaced by its default.
func (f Function) withDefaults() Function {
	d := DefaultLimits()
	l := &f.Limits
	if l.Memory == 0 {
		l.Memory = d.Memory
	}
	if l.Timeout == 0 {
		l.Timeout = d.Timeout
	}
	if l.Concurrency == 0 {
		l.Concurrency = d.Concurrency
	}
	if l.RequestBytes == 0 {
		l.RequestBytes = d.RequestBytes
	}
	if l.ResponseBytes == 0 {
		l.ResponseBytes = d.ResponseBytes
	}
	if l.LogBytes == 0 {
		l.LogBytes = d.LogBytes
	}
	if l.HostCalls == 0 {
		l.HostCalls = d.HostCalls
	}
	if f.Isolation == "" {
		f.Isolation = IsolationReuse
	}
	if f.Version == "" {
		f.Version = Latest
	}
	return f
}

// clone returns a copy that shares nothing with f.
func (f Function) clone() Function {
	f.Env = maps.Clone(f.Env)
	f.AllowHosts = slices.Clone(f.AllowHosts)
	f.AllowInvoke = slices.Clone(f.AllowInvoke)
	f.AllowPublish = slices.Clone(f.AllowPublish)
	f.AllowBuckets = slices.Clone(f.AllowBuckets)
	return f
}

// Validate returns a *DeployError that names the first field that is wrong and
// what would be right, or nil. It looks only at the settings, not at the code.
func (f Function) Validate() error {
	f = f.withDefaults()
	l := f.Limits
	switch {
	case !ValidName(f.Name):
		return invalid("name", fmt.Sprintf("%q is not a function name", f.Name), "use 1 to 64 letters, digits, - and _")
	case !versionPattern.MatchString(f.Version):
		return invalid("version", fmt.Sprintf("%q is not a version", f.Version), "use $LATEST or a number")
	case !slices.Contains(runtimes, f.Runtime):
		return invalid("runtime", fmt.Sprintf("%q is not a runtime of this node", f.Runtime), "use "+strings.Join(runtimes, ", "))
	case f.language() && !handlerPattern.MatchString(f.Handler):
		return invalid("handler", fmt.Sprintf("%q is not a handler", f.Handler), "use file.function, for example app.handler")
	case f.language() && f.NoSnapshot:
		return invalid("snapshot", f.Runtime+" functions always start from one", "do what must happen in each instance in a hook that runs after the restore")
	case f.Isolation != IsolationReuse && f.Isolation != IsolationFresh:
		return invalid("isolation", fmt.Sprintf("%q is not an isolation mode", f.Isolation), "use reuse or fresh")
	case !hashPattern.MatchString(f.CodeHash):
		return invalid("code hash", fmt.Sprintf("%q is not a SHA-256 in lower-case hex", f.CodeHash), "let the store compute it")
	case (f.LayerDir == "") != (f.LayerHash == "") || f.LayerHash != "" && !hashPattern.MatchString(f.LayerHash):
		return invalid("layer hash", fmt.Sprintf("%q is not a SHA-256 in lower-case hex for the folder %q", f.LayerHash, f.LayerDir), "let the store compute it")
	case l.Memory < MinMemory || l.Memory > MaxMemory:
		return invalid("memory", fmt.Sprintf("%d bytes is out of range", l.Memory), "use 1 MB to 4096 MB")
	case l.Timeout < MinTimeout || l.Timeout > MaxTimeout:
		return invalid("timeout", fmt.Sprintf("%s is out of range", l.Timeout), "use 1ms to 15m")
	case !validConcurrency(l.Concurrency):
		return invalidConcurrency(l.Concurrency)
	case l.RequestBytes < 1 || l.RequestBytes > MaxPayload:
		return invalid("request limit", fmt.Sprintf("%d bytes is out of range", l.RequestBytes), "use 1 byte to 64 MB")
	case l.ResponseBytes < 1 || l.ResponseBytes > MaxPayload:
		return invalid("response limit", fmt.Sprintf("%d bytes is out of range", l.ResponseBytes), "use 1 byte to 64 MB")
	case l.LogBytes < 0 || l.LogBytes > MaxPayload:
		return invalid("log limit", fmt.Sprintf("%d bytes is out of range", l.LogBytes), "use 0 to 64 MB")
	case l.HostCalls < 1 || l.HostCalls > MaxHostCalls:
		return invalid("host call limit", fmt.Sprintf("%d calls is out of range", l.HostCalls), fmt.Sprintf("use 1 to %d", MaxHostCalls))
	}
	size := 0
	for name, value := range f.Env {
		if !envPattern.MatchString(name) {
			return invalid("environment", fmt.Sprintf("%q is not a variable name", name), "start with a letter, then letters, digits and _")
		}
		for i := 0; i < len(value); i++ {
			if value[i] == 0 {
				return invalid("environment", name+" holds a zero byte", "encode the value, for example in base64")
			}
		}
		size += len(name) + len(value)
	}
	if size > MaxEnvBytes {
		return invalid("environment", fmt.Sprintf("%d bytes are more than 4096", size), "keep large settings in a file of the code")
	}
	if len(f.Handler) > maxHandler {
		return invalid("handler", fmt.Sprintf("%d characters are more than %d", len(f.Handler), maxHandler), "use a shorter name")
	}
	return f.validatePermissions()
}

// validatePermissions is Validate for what the function may reach.
func (f *Function) validatePermissions() error {
	for _, name := range f.AllowInvoke {
		if name != "*" && !ValidName(name) {
			return invalid("function that may be invoked", fmt.Sprintf("%q is not a function name", name), "use a name, or * for all")
		}
	}
	for _, filter := range f.AllowPublish {
		if err := checkFilter(filter); err != nil {
			return invalid("topic filter", fmt.Sprintf("%q: %s", filter, err), "use for example sensors/+/alarm or sensors/#")
		}
	}
	for _, bucket := range f.AllowBuckets {
		if name, _ := strings.CutSuffix(bucket, readOnly); !sharedBucket(name) {
			return invalid("bucket", fmt.Sprintf("%q is not a shared bucket", bucket), "use NAME, or NAME:read to only read; a name has 1 to 63 letters, digits, _ . and -, and does not begin with "+ownBucketPrefix)
		}
	}
	for _, host := range f.AllowHosts {
		if _, err := outbound.ParsePattern(host); err != nil {
			return invalid("allowed host", err.Error(), outbound.PatternHint)
		}
	}
	return nil
}

// readOnly ends an entry of AllowBuckets that lets a function read only.
const readOnly = ":read"

var bucketPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$`)

// sharedBucket reports whether name may be that of a bucket that functions share.
func sharedBucket(name string) bool {
	return bucketPattern.MatchString(name) && !strings.HasPrefix(name, ownBucketPrefix)
}
