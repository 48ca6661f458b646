package persist

import (
	"errors"
	"fmt"
	"time"
)

// Errors that callers test for. They are wrapped with what was looked for.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("already exists")
	// ErrConflict: the record changed since it was read, or a route belongs to
	// another function.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: the record cannot be stored as it is: an empty name, a
	// control character in a key, more bytes than fit.
	ErrInvalid = errors.New("not valid")
)

// invalid returns an ErrInvalid that says what is wrong and no more: clients are shown
// it as it is.
func invalid(format string, args ...any) error { return &invalidError{fmt.Sprintf(format, args...)} }

type invalidError struct{ why string }

func (e *invalidError) Error() string { return e.why }

func (e *invalidError) Is(target error) bool { return target == ErrInvalid }

// Latest is the version name of a function's unpublished code and settings.
const Latest = "$LATEST"

// Function is one version of a function as the node stores it: settings and
// the name of its code, which lies in the code store.
type Function struct {
	Name             string            `json:"name"`
	Version          string            `json:"version"`
	Description      string            `json:"description,omitempty"`
	Runtime          string            `json:"runtime"`                    // what runs it: "wasi", "extism", "python3.13", "javascript"
	RequestedRuntime string            `json:"requestedRuntime,omitempty"` // the name that was asked for: "provided.al2023"
	Handler          string            `json:"handler,omitempty"`
	Role             string            `json:"role,omitempty"` // accepted and shown, not used
	CodeHash         string            `json:"codeHash"`       // hex SHA-256: the folder in the code store
	CodeSha256       string            `json:"codeSha256"`     // base64 SHA-256 of what was uploaded, as AWS Lambda reports it
	CodeSize         int64             `json:"codeSize"`       // bytes of what was uploaded
	Env              map[string]string `json:"env,omitempty"`
	MemoryMB         int               `json:"memoryMB"`
	TimeoutMillis    int64             `json:"timeoutMillis"`
	Concurrency      int               `json:"concurrency,omitempty"` // of all versions together; 0: the engine's default, -1: none may run
	Isolation        string            `json:"isolation"`
	AllowHosts       []string          `json:"allowHosts,omitempty"`
	AllowInvoke      []string          `json:"allowInvoke,omitempty"`  // functions that it may call; "*": all
	AllowPublish     []string          `json:"allowPublish,omitempty"` // topic filters that it may publish to
	AllowBuckets     []string          `json:"allowBuckets,omitempty"` // shared buckets that it may use; "NAME:read": only read
	NoSnapshot       bool              `json:"noSnapshot,omitempty"`
	Architectures    []string          `json:"architectures,omitempty"` // shown as sent, not used
	SnapStart        string            `json:"snapStart,omitempty"`     // "PublishedVersions": shown as sent, not used
	Layers           []LayerRef        `json:"layers,omitempty"`        // later ones win
	LayerHash        string            `json:"layerHash,omitempty"`     // the folder in the code store with the layers' files
	Tags             map[string]string `json:"tags,omitempty"`          // of Latest; those of a version are not used
	RevisionID       string            `json:"revisionId"`              // new with every write of code or settings
	Created          time.Time         `json:"created"`
	LastModified     time.Time         `json:"lastModified"`
}

// LayerRef is a layer version as a function uses it. It stays good when the
// layer version is deleted, because the function's LayerHash has its files.
type LayerRef struct {
	Name    string `json:"name"`
	Version uint64 `json:"version"`
	Size    int64  `json:"size"` // bytes of what was uploaded
}

// Alias names a version, or splits traffic between two.
type Alias struct {
	Function    string             `json:"function"`
	Name        string             `json:"name"`
	Version     string             `json:"version"`
	Weights     map[string]float64 `json:"weights,omitempty"` // other versions' share of traffic, 0 to 1
	Description string             `json:"description,omitempty"`
	RevisionID  string             `json:"revisionId"`
}

// Route sends HTTP requests to a function.
type Route struct {
	Method      string `json:"method"` // "GET", "ANY"; empty for $default
	Path        string `json:"path"`   // "/hello/{name}", "$default"
	Function    string `json:"function"`
	Qualifier   string `json:"qualifier,omitempty"`   // version or alias; empty means Latest
	Payload     string `json:"payload,omitempty"`     // "2.0" (default) or "raw"
	ContentType string `json:"contentType,omitempty"` // of raw replies
	CORS        *CORS  `json:"cors,omitempty"`
	Async       string `json:"async,omitempty"` // which requests are queued: "allow" (default) those that ask for it, "never", "always"
}

// Key identifies a route: no two have the same.
func (r Route) Key() string {
	if r.Method == "" {
		return r.Path
	}
	return r.Method + " " + r.Path
}

// CORS is a route's cross-origin policy (https://fetch.spec.whatwg.org/#http-cors-protocol).
type CORS struct {
	AllowOrigins     []string `json:"allowOrigins,omitempty"`
	AllowMethods     []string `json:"allowMethods,omitempty"`
	AllowHeaders     []string `json:"allowHeaders,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	MaxAgeSeconds    int      `json:"maxAgeSeconds,omitempty"`
	AllowCredentials bool     `json:"allowCredentials,omitempty"`
}

// State is everything that the node must make live at boot.
type State struct {
	Functions []Function // every version of every function, by name and version, Latest first
	Aliases   []Alias    // by function and name
	Routes    []Route    // by Key

	URLs        []FunctionURL  // by function and qualifier
	Provisioned []Provisioned  // by function and qualifier
	Layers      []LayerVersion // by name and version

	Generation uint64 // of the store when this was read, see Store.Generation
}
