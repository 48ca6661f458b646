// Command precompile compiles the language runtimes of the bundles for any
// processor of the architecture that it runs on, and writes the result where the
// packages embed it. It is a part of `make runtimes`; for another architecture it
// is cross-compiled and runs under emulation.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"ledge/engine"
	"ledge/engine/bundle"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "precompile:", err)
		os.Exit(1)
	}
}

func run() error {
	from := flag.String("bundle", "", "`FOLDER` of the bundle")
	to := flag.String("out", "", "`FOLDER` for the machine code")
	cache := flag.String("cache", "", "`FOLDER` that keeps what was compiled before")
	list := flag.String("layouts", "wide,bounded", "address space `LAYOUTS` to compile for")
	flag.Parse()
	b, err := bundle.Open(os.DirFS(*from))
	if err != nil {
		return fmt.Errorf("%s: %w", *from, err)
	}
	for _, layout := range strings.Split(*list, ",") {
		if err := provide(b, layout, *to, *cache); err != nil {
			return fmt.Errorf("%s for %s: %w", b.Name, layout, err)
		}
	}
	return nil
}

// provide sees to it that to has the machine code for a layout: it is there, or in
// the cache, or is compiled.
func provide(b *bundle.Bundle, layout, to, cache string) error {
	key := engine.PrecompileKey(layout) + " " + b.Files[bundle.CodeFile].SHA256
	if have, err := bundle.OpenCompiled(os.DirFS(to), layout); err == nil && have.Key == key {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	sum := sha256.Sum256([]byte(key))
	kept := hex.EncodeToString(sum[:8])
	if _, err := bundle.OpenCompiled(os.DirFS(cache), kept); errors.Is(err, fs.ErrNotExist) {
		if err := compile(b, layout, key, filepath.Join(cache, kept)); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	// The facts come last: without them there is no machine code.
	for _, suffix := range []string{bundle.CompiledSuffix, bundle.FactsSuffix} {
		data, err := os.ReadFile(filepath.Join(cache, kept+suffix))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, layout+suffix), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func compile(b *bundle.Bundle, layout, key, to string) error {
	started := time.Now()
	wasm, err := b.Read(bundle.CodeFile)
	if err != nil {
		return err
	}
	code, err := engine.Precompile(layout, wasm)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to+".tmp", code, 0o644); err != nil {
		return err
	}
	defer os.Remove(to + ".tmp")
	// The command: no Go package has its highest levels.
	command := exec.Command("zstd", "-q", "-f", "--ultra", "-22", "-o", to+bundle.CompiledSuffix, to+".tmp")
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	facts, err := json.Marshal(bundle.Compiled{Code: b.Files[bundle.CodeFile].SHA256, Key: key, File: bundle.Describe(code)})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "precompile: %s for %s/%s, %.1f s\n", b.Name, runtime.GOARCH, layout, time.Since(started).Seconds())
	return os.WriteFile(to+bundle.FactsSuffix, append(facts, '\n'), 0o644)
}
