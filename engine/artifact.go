package engine

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// artifacts keeps compiled modules on disk so that each is compiled once. A
// file is named by what it was made from, and is only opened when its MAC,
// made with the device's key and over its name too, is right; any other is
// deleted and made again. They are a cache: losing them costs time.
type artifacts struct {
	dir     string
	key     [32]byte
	machine *machine
	// compiling is held while a module is compiled: it takes all cores.
	compiling chan struct{}
	write     func(path string, data []byte) error // replaced by tests of full disks
}

const (
	artifactSuffix = ".cwasm"
	macSuffix      = ".mac"
)

func newArtifacts(dir string, key [32]byte, m *machine) (*artifacts, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for artifacts: %w", err)
	}
	leftovers, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if err != nil {
		return nil, err
	}
	for _, path := range leftovers {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove unfinished artifact: %w", err)
		}
	}
	return &artifacts{dir: dir, key: key, machine: m, compiling: make(chan struct{}, 1), write: writeFile}, nil
}

// name returns the name of the artifact that is made from the given parts.
func (a *artifacts) name(kind string, parts ...[]byte) string {
	h := sha256.New()
	for _, part := range append([][]byte{[]byte(a.machine.id), []byte(kind)}, parts...) {
		sum := sha256.Sum256(part)
		h.Write(sum[:])
	}
	return kind + "-" + hex.EncodeToString(h.Sum(nil))
}

// open returns the compiled module of that name, or nil where there is none
// that can be trusted.
func (a *artifacts) open(name string) (*wasmtime.Module, error) {
	file, err := a.verified(name + artifactSuffix)
	if file == nil {
		return nil, err
	}
	defer file.Close()
	// By descriptor: the file that was verified is the file that is mapped.
	module, err := wasmtime.NewModuleDeserializeFile(a.machine.engine, fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil && strings.Contains(err.Error(), "os error") {
		return nil, fmt.Errorf("map artifact: %w", err) // the process lacks something, not the file
	}
	if err != nil {
		// It is ours, but libwasmtime does not take it: made by another build.
		a.remove(name + artifactSuffix)
		return nil, nil
	}
	return module, nil
}

// verified opens a file whose MAC is right. Otherwise it removes the file and
// returns nil.
func (a *artifacts) verified(base string) (*os.File, error) {
	path := filepath.Join(a.dir, base)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open artifact: %w", err)
	}
	want, err := os.ReadFile(path + macSuffix)
	var have []byte
	if err == nil {
		have, err = a.mac(base, file)
	}
	if err == nil && hmac.Equal(want, have) {
		return file, nil
	}
	file.Close()
	if lacking(err) {
		return nil, fmt.Errorf("check artifact: %w", err) // nothing is known of the file
	}
	a.remove(base)
	return nil, nil
}

// lacking reports whether err says that the process is short of something, and
// nothing of the file.
func lacking(err error) bool {
	for _, short := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EINTR, syscall.EAGAIN} {
		if errors.Is(err, short) {
			return true
		}
	}
	return false
}

func (a *artifacts) remove(base string) {
	// Nothing depends on these removals: what stays is refused again.
	_ = os.Remove(filepath.Join(a.dir, base+macSuffix))
	_ = os.Remove(filepath.Join(a.dir, base))
}

func (a *artifacts) mac(base string, content io.Reader) ([]byte, error) {
	h := hmac.New(sha256.New, a.key[:])
	fmt.Fprintf(h, "ledge artifact %d %s ", len(base), base)
	if _, err := io.Copy(h, content); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// store writes a file and its MAC. The MAC comes last: without it the file is
// not trusted.
func (a *artifacts) store(base string, data []byte) error {
	mac, err := a.mac(base, strings.NewReader(string(data)))
	if err != nil {
		return err
	}
	path := filepath.Join(a.dir, base)
	if err := a.write(path, data); err != nil {
		return fmt.Errorf("store artifact: %w", err)
	}
	if err := a.write(path+macSuffix, mac); err != nil {
		a.remove(base)
		return fmt.Errorf("store artifact: %w", err)
	}
	return nil
}

// load returns the state file of that name, or nil.
func (a *artifacts) load(base string) ([]byte, error) {
	file, err := a.verified(base)
	if file == nil {
		return nil, err
	}
	defer file.Close()
	const limit = 16 << 20
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(file, limit))
}

// compile returns the module of that name: from disk, or compiled from wasm and
// stored. compiled says which.
func (a *artifacts) compile(ctx context.Context, name string, wasm []byte) (module *wasmtime.Module, compiled bool, err error) {
	select {
	case a.compiling <- struct{}{}:
		defer func() { <-a.compiling }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	if module, err = a.open(name); module != nil || err != nil {
		return module, false, err
	}
	fresh, err := wasmtime.NewModule(a.machine.engine, wasm)
	if err != nil {
		return nil, false, &DeployError{Op: "compile", Why: firstLine(err.Error()), Hint: "check the module with wasm-validate", Err: err}
	}
	// It is opened from disk even now, so that the machine code is a mapped file
	// that the kernel may drop and not memory of the process.
	data, err := fresh.Serialize()
	fresh.Close()
	if err != nil {
		return nil, true, fmt.Errorf("serialize module: %w", err)
	}
	if err := a.store(name+artifactSuffix, data); err != nil {
		return nil, true, err
	}
	if module, err = a.open(name); err == nil && module == nil {
		err = errors.New("the artifact that was just written cannot be read back")
	}
	return module, true, err
}

// collect removes the artifacts that keep does not name.
func (a *artifacts) collect(keep map[string]bool) (removed int, err error) {
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return 0, fmt.Errorf("list artifacts: %w", err)
	}
	for _, entry := range entries {
		base := entry.Name()
		name, _, _ := strings.Cut(base, ".")
		if keep[name] || strings.HasSuffix(base, ".tmp") {
			continue
		}
		if err := os.RemoveAll(filepath.Join(a.dir, base)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("remove artifact: %w", err)
		}
		removed++
	}
	return removed, nil
}

// writeFile writes the file whole or not at all. It does not wait for the
// disk: the MAC tells a torn file from a good one.
func writeFile(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // two may write the same
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
