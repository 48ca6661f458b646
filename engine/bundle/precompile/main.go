// Command precompile compiles the language runtimes of the bundles for any
// processor of the architecture that it runs on, and writes the result where the
// packages embed it. It is a part of `make runtimes`; for another architecture it
// is cross-compiled and runs under emulation.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
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
	list := flag.String("layouts", "wide,bounded", "address space `LAYOUTS` to compile for")
	flag.Parse()
	b, err := bundle.Open(os.DirFS(*from))
	if err != nil {
		return fmt.Errorf("%s: %w", *from, err)
	}
	for _, layout := range strings.Split(*list, ",") {
		if err := compile(b, layout, *to); err != nil {
			return fmt.Errorf("%s for %s: %w", b.Name, layout, err)
		}
	}
	return nil
}

func compile(b *bundle.Bundle, layout, to string) error {
	key := engine.PrecompileKey(layout) + " " + b.Files[bundle.CodeFile].SHA256
	if have, err := bundle.OpenCompiled(os.DirFS(to), layout); err == nil && have.Key == key {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	started := time.Now()
	wasm, err := b.Read(bundle.CodeFile)
	if err != nil {
		return err
	}
	code, err := engine.Precompile(layout, wasm)
	if err != nil {
		return err
	}
	plain := filepath.Join(to, layout+".tmp")
	if err := os.WriteFile(plain, code, 0o644); err != nil {
		return err
	}
	defer os.Remove(plain)
	// The command: no Go package has its highest levels.
	command := exec.Command("zstd", "-q", "-f", "--ultra", "-22", "-o", filepath.Join(to, layout+bundle.CompiledSuffix), plain)
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	facts, err := json.Marshal(bundle.Compiled{Code: b.Files[bundle.CodeFile].SHA256, Key: key, File: bundle.Describe(code)})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "compiled %s for %s: %.1f s\n", b.Name, layout, time.Since(started).Seconds())
	return os.WriteFile(filepath.Join(to, layout+".json"), append(facts, '\n'), 0o644)
}
