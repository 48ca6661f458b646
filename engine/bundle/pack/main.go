// Command pack writes the bundle of a language runtime: it takes the runtime's
// module apart, sees to it that it can be stopped at a deadline, and compresses
// the pieces. It is a part of `make runtimes`.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"

	"ledge/engine/bundle"
	"ledge/engine/wasmbin"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run() error {
	runtime := flag.String("runtime", "", "the runtime's module: `FILE`.wasm")
	library := flag.String("library", "", "`FOLDER` of files that the runtime reads at /usr/lib/ledge; may be absent")
	out := flag.String("out", "", "`FOLDER` of the bundle")
	var m bundle.Manifest
	flag.StringVar(&m.Name, "name", "", "the language")
	flag.StringVar(&m.Version, "version", "", "of the interpreter")
	flag.StringVar(&m.Recipe, "recipe", "", "key of the recipe")
	flag.Parse()
	if *runtime == "" || *out == "" || m.Name == "" {
		flag.Usage()
		return errors.New("-runtime, -out and -name are needed")
	}
	wasm, err := os.ReadFile(*runtime)
	if err != nil {
		return err
	}
	files, err := split(wasm, &m)
	if err != nil {
		return fmt.Errorf("%s: %w", *runtime, err)
	}
	if err := addLibrary(*library, files); err != nil {
		return err
	}
	m.Files = map[string]bundle.File{}
	// The manifest goes first and comes last: without it there is no bundle.
	manifest := filepath.Join(*out, bundle.ManifestFile)
	if err := os.Remove(manifest); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for name, data := range files {
		m.Files[name] = bundle.Describe(data)
		if err := compress(filepath.Join(*out, filepath.FromSlash(name)+bundle.Suffix), data); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(manifest, append(text, '\n'), 0o644)
}

// split takes the module apart and fills the manifest's facts about it in.
func split(wasm []byte, m *bundle.Manifest) (map[string][]byte, error) {
	module, err := wasmbin.Parse(wasm)
	if err != nil {
		return nil, err
	}
	if stoppable, changed, err := module.Interruptible(0); err != nil {
		return nil, err
	} else if changed {
		if module, err = wasmbin.Parse(stoppable); err != nil {
			return nil, err
		}
	}
	parts, err := module.Split()
	if err != nil {
		return nil, err
	}
	for _, i := range module.Imports() {
		m.Imports = append(m.Imports, bundle.Import{Module: i.Module, Name: i.Name})
	}
	m.Imports = append(m.Imports, bundle.Import{Module: wasmbin.ImportModule, Name: wasmbin.ImportMemory})
	if m.Resettable, err = module.Resettable(); err != nil {
		return nil, err
	}
	m.Globals, m.Tables, m.Memory, m.StartExport = parts.Globals, parts.Tables, parts.Memory, parts.StartExport
	return map[string][]byte{bundle.CodeFile: parts.Code, bundle.ImageFile: parts.Image}, nil
}

func addLibrary(dir string, files map[string][]byte) error {
	if dir == "" {
		return nil
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		files[path.Join(bundle.LibraryDir, name)] = data
		return err
	})
}

// compress uses the zstd command, whose highest levels no Go package has.
func compress(to string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	plain := to + ".tmp"
	if err := os.WriteFile(plain, data, 0o644); err != nil {
		return err
	}
	defer os.Remove(plain)
	command := exec.Command("zstd", "-q", "-f", "--ultra", "-22", "-o", to, plain)
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	return nil
}
