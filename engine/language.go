package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"ledge/engine/bundle"
	"ledge/engine/capi"
	"ledge/engine/javascript"
	"ledge/engine/python"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// language is an interpreter that runs the code of functions. All of them share
// its compiled code and its base image: the interpreter as it is when it has
// started and knows no function yet.
type language struct {
	name        string
	bundle      *bundle.Bundle
	missing     error // why there is no bundle
	precompiled fs.FS

	mu    sync.Mutex
	start *start             // nil: nobody has needed the language yet
	codes []*wasmtime.Module // of starts that were forgotten
}

// start is one attempt to make a language ready. Its fields are set when done is
// closed.
type start struct {
	done chan struct{}
	err  error
	notes
	code    *wasmtime.Module // for the whole life of the Runtime
	library string           // folder
	name    string           // of the base image's state
	base    imageState
}

// notes is what the operator should know of a start.
type notes struct {
	compiled    bool
	compileTime time.Duration
	note        string
}

func newLanguages() map[string]*language {
	open := func(name string, open func() (*bundle.Bundle, error), precompiled fs.FS) *language {
		l := &language{name: name, precompiled: precompiled}
		l.bundle, l.missing = open()
		return l
	}
	return map[string]*language{
		RuntimePython:     open(RuntimePython, python.Open, python.Precompiled()),
		RuntimeJavaScript: open(RuntimeJavaScript, javascript.Open, javascript.Precompiled()),
	}
}

// libraryRoot is where an interpreter finds its library.
const libraryRoot = "/usr/lib/ledge"

// Exports of a language runtime; engine/python/guest and engine/javascript/guest
// say what each does.
const (
	languageInitialize = "_initialize"
	languageStart      = "ledge_start"
	languageLoad       = "ledge_load"
	languageRestored   = "ledge_restored"
	languageInvoke     = "ledge_invoke"
)

// ready returns the language when it can run functions. The first call makes it
// so, which goes on when the caller goes away: on a small device that takes long,
// and the next one will want it too.
func (r *Runtime) ready(ctx context.Context, l *language) (*start, error) {
	if l.missing != nil {
		return nil, &DeployError{Op: "runtime", Why: l.name + ": " + l.missing.Error(), Hint: "use a release of the node, or run make runtimes before make build", Err: l.missing}
	}
	s := r.begin(context.WithoutCancel(ctx), l)
	select {
	case <-s.done:
		return s, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.closing:
		return nil, ErrClosed
	}
}

// begin starts to make the language ready, unless that has begun.
func (r *Runtime) begin(ctx context.Context, l *language) *start {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start != nil {
		return l.start
	}
	s := &start{done: make(chan struct{})}
	l.start = s
	r.making.RLock()
	go func() {
		defer r.making.RUnlock()
		s.err = r.prepare(ctx, l, s)
		debug.FreeOSMemory() // unpacking and capturing left tens of megabytes of garbage
		if s.err != nil {
			l.mu.Lock()
			l.start = nil // the next one tries again
			l.mu.Unlock()
		}
		close(s.done)
	}()
	return s
}

// forget makes the next who needs the language make it ready again, because files
// of s are gone. Programs may still run its code.
func (r *Runtime) forget(l *language, s *start) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start == s {
		l.start = nil
		l.codes = append(l.codes, s.code)
	}
}

// expect makes a language ready in the background where that takes long because
// its code is not among the artifacts, as after an update of the node. The caller
// holds changing, and closed is not set.
func (r *Runtime) expect(l *language) {
	if l.missing != nil {
		return
	}
	if _, err := os.Stat(filepath.Join(r.artifacts.dir, r.codeOfLanguage(l)+artifactSuffix)); err == nil {
		return
	}
	r.begin(context.Background(), l)
}

func (r *Runtime) prepare(ctx context.Context, l *language, s *start) (err error) {
	if s.library, err = r.unpackLibrary(l); err != nil {
		return err
	}
	if s.code, err = r.languageCode(ctx, l, s); err != nil {
		return err
	}
	s.name = r.baseName(l)
	var ok bool
	if s.base, ok, err = r.artifacts.loadState(s.name); err == nil && ok {
		var image *wasmtime.Module
		if image, err = r.artifacts.open(s.base.Image); image != nil {
			image.Close()
			return nil
		}
	}
	if err == nil {
		err = r.captureBase(ctx, l, s)
	}
	if err != nil {
		s.code.Close()
		return fmt.Errorf("start %s: %w", l.name, err)
	}
	return nil
}

func (r *Runtime) baseName(l *language) string {
	return r.artifacts.name("base", []byte(l.bundle.Recipe), []byte(l.bundle.Files[bundle.CodeFile].SHA256), []byte(l.bundle.Files[bundle.ImageFile].SHA256))
}

func (r *Runtime) codeOfLanguage(l *language) string {
	return r.artifacts.name("code", []byte(l.bundle.Files[bundle.CodeFile].SHA256))
}

// librarySuffix marks folders among the artifacts.
const librarySuffix = ".library"

func (r *Runtime) unpackLibrary(l *language) (string, error) {
	dir := filepath.Join(r.artifacts.dir, r.baseName(l)+librarySuffix)
	has, err := l.bundle.Unpack(dir)
	if !has {
		dir = ""
	}
	return dir, err
}

// languageCode returns the compiled interpreter: from the artifacts, else as the
// build compiled it, else compiled here, which takes a small device a minute.
func (r *Runtime) languageCode(ctx context.Context, l *language, s *start) (*wasmtime.Module, error) {
	name := r.codeOfLanguage(l)
	module, err := r.artifacts.open(name)
	if module != nil || err != nil {
		return module, err
	}
	if module, err = r.openPrecompiled(l, name); module != nil || err != nil {
		return module, err
	}
	wasm, err := l.bundle.Read(bundle.CodeFile)
	if err != nil {
		return nil, err
	}
	if r.cfg.Log != nil {
		r.cfg.Log.Info("compiling a language runtime for this processor, once", "runtime", l.name)
	}
	began := time.Now()
	module, s.compiled, err = r.artifacts.compile(ctx, name, wasm)
	s.compileTime = time.Since(began)
	if s.compiled && err == nil {
		s.note = fmt.Sprintf("%s was compiled for this processor, which took %.1f s; it is kept for the next functions", l.name, s.compileTime.Seconds())
		if r.cfg.Log != nil {
			r.cfg.Log.Info("compiled the language runtime", "runtime", l.name, "took", s.compileTime)
		}
	}
	return module, err
}

// openPrecompiled stores the code that the build compiled among the artifacts. It
// returns nil where there is none for this machine.
func (r *Runtime) openPrecompiled(l *language, name string) (*wasmtime.Module, error) {
	data, err := readPrecompiled(l, r.machine.layout)
	if err != nil || data == nil {
		return nil, err
	}
	if err := r.artifacts.store(name+artifactSuffix, data); err != nil {
		return nil, err
	}
	return r.artifacts.open(name) // nil where libwasmtime does not take it
}

// buildLanguage is build for a function that an interpreter runs.
func (r *Runtime) buildLanguage(ctx context.Context, f *Function) (*program, Deployment, error) {
	var d Deployment
	l := r.languages[f.Runtime]
	if most := r.machine.layout.maxMemory; f.Limits.Memory > int64(most) {
		return nil, d, memoryOfNode(f, most)
	}
	for try := 0; ; try++ {
		p, d, s, err := r.buildOn(ctx, f, l)
		if try > 0 || s == nil || err == nil || !errors.Is(err, errBaseGone) {
			return p, d, err
		}
		r.forget(l, s) // the artifacts are a cache: what is gone is made again
	}
}

// buildOn builds the function on the language as it is ready now.
func (r *Runtime) buildOn(ctx context.Context, f *Function, l *language) (*program, Deployment, *start, error) {
	var d Deployment
	known := l.isReady()
	s, err := r.ready(ctx, l)
	if err != nil {
		return nil, d, nil, err
	}
	if s.library != "" {
		if _, err := os.Stat(s.library); err != nil {
			return nil, d, s, errBaseGone
		}
	}
	if !known && s.note != "" {
		d.Compiled, d.CompileTime = s.compiled, s.compileTime
		d.Notes = append(d.Notes, s.note)
	}
	if s.base.Memory > f.Limits.Memory {
		need := (s.base.Memory + 1<<20 - 1) >> 20
		return nil, d, s, &DeployError{Op: "memory", Why: fmt.Sprintf("%s starts with %d MB, the function may have %d MB", l.name, need, f.Limits.Memory>>20),
			Hint: fmt.Sprintf("raise --memory to at least %d", need)}
	}
	p := &program{restored: true, requests: true, resettable: l.bundle.Resettable, arn: r.arn(f.Name)}
	cfg := r.languageConfig(f, l, s)
	if err := r.addLanguageSnapshot(ctx, f, l, s, p, &cfg, &d); err != nil {
		p.close()
		return nil, d, s, err
	}
	if p.template, err = r.newTemplate(cfg); err != nil {
		p.close()
		return nil, d, s, err
	}
	return p, d, s, nil
}

func (l *language) isReady() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start == nil {
		return false
	}
	select {
	case <-l.start.done:
		return true
	default:
		return false
	}
}

// addLanguageSnapshot makes cfg restore Instances with the handler loaded.
func (r *Runtime) addLanguageSnapshot(ctx context.Context, f *Function, l *language, s *start, p *program, cfg *capi.TemplateConfig, d *Deployment) error {
	name := r.languageImageName(f, l, s, cfg.Env)
	state, ok, err := r.artifacts.loadState(name)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		if !ok {
			if state, err = r.captureFunction(ctx, f, l, s, *cfg, name, d); err != nil {
				return err
			}
		}
		usable, err := r.openLanguageSnapshot(name, &state, p, cfg)
		if err != nil || usable {
			p.minimum, d.Snapshot = state.Memory, true
			return err
		}
		if try > 0 {
			return errors.New("the snapshot that was just written cannot be read back")
		}
		ok = false
	}
}

func (r *Runtime) openLanguageSnapshot(name string, state *imageState, p *program, cfg *capi.TemplateConfig) (bool, error) {
	image, err := r.artifacts.open(state.Image)
	if image == nil {
		return false, err
	}
	var delta *capi.Delta
	if state.Delta != nil {
		if delta, err = r.openDelta(name, state.Delta); delta == nil {
			image.Close()
			return false, err
		}
		p.delta = delta.File
	}
	p.modules = append(p.modules, image)
	r.useSnapshot(p, name)
	state.restoring(cfg, image)
	cfg.Delta = delta
	cfg.Init = []string{languageRestored}
	cfg.Resettable = p.resettable
	return true, nil
}

// languageConfig is what Instances of f have, but for the image.
func (r *Runtime) languageConfig(f *Function, l *language, s *start) capi.TemplateConfig {
	cfg := r.baseConfig(l, s)
	cfg.Env = r.languageEnvironment(f, l)
	cfg.Argv0 = f.Name
	cfg.Mounts[mountTask].Dir = f.CodeDir
	cfg.Mounts[mountLayers].Dir = f.LayerDir
	cfg.MemoryLimit, cfg.OutputLimit, cfg.LogLimit = f.Limits.Memory, f.Limits.ResponseBytes, f.Limits.LogBytes
	return cfg
}

// loadInput is what ledge_load gets; the handler's context shows it.
type loadInput struct {
	Handler   string `json:"handler"`
	Function  string `json:"function"`
	Version   string `json:"version"`
	Memory    int64  `json:"memory"` // MB
	ARN       string `json:"arn"`
	LogGroup  string `json:"log_group"`
	LogStream string `json:"log_stream"`
}

func (r *Runtime) encodeLoadInput(f *Function) ([]byte, error) {
	arn := r.arn(f.Name)
	if own := f.ownQualifier(); own != "" {
		arn += ":" + own
	}
	return json.Marshal(loadInput{Handler: f.Handler, Function: f.Name, Version: f.Version, Memory: f.Limits.Memory >> 20,
		ARN: arn, LogGroup: "/aws/lambda/" + f.Name, LogStream: f.Version})
}

// languageImageName covers all that loading the handler can see and is not the
// outside world's.
func (r *Runtime) languageImageName(f *Function, l *language, s *start, env []string) string {
	input, _ := r.encodeLoadInput(f) // strings always encode
	return r.artifacts.name("image", []byte(s.base.Image), f.content(), []byte(strings.Join(env, "\x00")), input)
}

// keepLanguage keeps what a language shares: it may be in the making.
func (r *Runtime) keepLanguage(l *language, keep map[string]bool) {
	if l.bundle == nil {
		return
	}
	name := r.baseName(l)
	keep[name] = true
	keep[r.codeOfLanguage(l)] = true
	if state, ok, err := r.artifacts.loadState(name); ok && err == nil {
		keep[state.Image] = true
	}
}

func (r *Runtime) keepOfLanguage(f *Function, keep map[string]bool) {
	l := r.languages[f.Runtime]
	if l.bundle == nil {
		return
	}
	base, ok, err := r.artifacts.loadState(r.baseName(l))
	if !ok || err != nil {
		return // it is captured again, and this with it
	}
	name := r.languageImageName(f, l, &start{base: base}, r.languageEnvironment(f, l))
	keep[name] = true
	if state, ok, err := r.artifacts.loadState(name); ok && err == nil {
		keep[state.Image] = true
	}
}

// raised turns the error object of a language into a FunctionError.
func raised(object string) *FunctionError {
	e := &FunctionError{}
	var parts struct {
		Type       string   `json:"errorType"`
		Message    string   `json:"errorMessage"`
		StackTrace []string `json:"stackTrace"` // Python's
		Trace      []string `json:"trace"`      // Node's
	}
	if err := json.Unmarshal([]byte(object), &parts); err != nil || parts.Type == "" {
		const enough = 1000
		return &FunctionError{Type: "Runtime.Unknown", Message: strings.ToValidUTF8(object[:min(len(object), enough)], "?")}
	}
	e.Type, e.Message, e.Object = parts.Type, parts.Message, json.RawMessage(object)
	if e.Trace = parts.StackTrace; e.Trace == nil {
		e.Trace = parts.Trace
	}
	return e
}
