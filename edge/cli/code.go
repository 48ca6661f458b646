package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// maxUpload bounds what is sent as a function's code, in bytes: AWS Lambda's
	// limit for a direct upload.
	maxUpload = 50 << 20
	// maxUnpacked bounds a folder's files together, in bytes: AWS Lambda's limit
	// for unpacked code.
	maxUnpacked = 250 << 20
)

// code is what a deploy uploads: one Wasm module or a zip.
type code struct {
	name string // for people: where it came from
	blob []byte
}

// Why a file cannot be deployed, by what its name ends with.
const (
	languageWhy  = "this version of the node runs WebAssembly only; compile the function to WASI preview 1 or use an Extism PDK"
	watHint      = "compile it first: wat2wasm %s -o %s"
	sourceAdvice = "compile it to WebAssembly first, for example: GOOS=wasip1 GOARCH=wasm go build -o hello.wasm ."
)

// readCode reads what PATH names: a .wasm, a .zip, a folder, or "-" for one of
// the first two on standard input.
func (a *app) readCode(ctx context.Context, path string) (code, error) {
	if path == "-" {
		blob, err := readLimited(a.env.Stdin)
		return checkCode("standard input", blob, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return code{}, unreadable(path, err)
	}
	if info.IsDir() {
		blob, err := zipFolder(ctx, path)
		if err != nil {
			return code{}, err
		}
		return checkCode(path, blob, nil)
	}
	if err := refuseSource(path); err != nil {
		return code{}, err
	}
	if !info.Mode().IsRegular() {
		return code{}, badCode(path+" is neither a file nor a folder", "")
	}
	if info.Size() > maxUpload {
		return code{}, tooLarge(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return code{}, unreadable(path, err)
	}
	defer f.Close() // opened for reading: closing loses nothing
	blob, err := readLimited(f)
	return checkCode(path, blob, err)
}

// refuseSource tells what to do with files that are not code yet.
func refuseSource(path string) error {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".wat", ".wast":
		return badCode(path+" is WebAssembly text, not a module",
			fmt.Sprintf(watHint, shellQuote(path), shellQuote(strings.TrimSuffix(path, filepath.Ext(path))+".wasm")))
	case ".py", ".js", ".mjs", ".cjs", ".ts":
		return badCode(path+" needs a language runtime that this version does not have", languageWhy)
	case ".go", ".rs", ".c", ".cc", ".cpp", ".zig":
		return badCode(path+" is source code", sourceAdvice)
	}
	return nil
}

// readLimited reads one byte more than may be uploaded, no more.
func readLimited(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, maxUpload+1))
}

// checkCode looks at what was read, so that the commonest mistakes cost no
// upload. The node checks everything again, and thoroughly.
func checkCode(name string, blob []byte, err error) (code, error) {
	switch {
	case err != nil:
		return code{}, unreadable(name, err)
	case len(blob) == 0:
		return code{}, badCode(name+" is empty", "")
	case len(blob) > maxUpload:
		return code{}, tooLarge(name)
	case !bytes.HasPrefix(blob, []byte("\x00asm")) && !bytes.HasPrefix(blob, []byte("PK\x03\x04")):
		return code{}, badCode(name+" is neither a Wasm module nor a zip",
			"deploy a .wasm, a .zip or a folder that holds a bootstrap.wasm")
	}
	return code{name, blob}, nil
}

func tooLarge(name string) error {
	return badCode(fmt.Sprintf("%s is too large: at most %s can be uploaded", name, formatSize(maxUpload)),
		"strip the module (wasm-opt -O --strip-debug), or leave out files that it does not read")
}

func badCode(message, hint string) error {
	return &Error{Code: codeBadCode, Message: message, Hint: hint}
}

// unreadable shortens the error of a file operation to its cause.
func unreadable(name string, err error) error {
	why := err.Error()
	var operation *fs.PathError
	if errors.As(err, &operation) {
		why = operation.Err.Error()
	}
	return &Error{Code: codeBadCode, Message: fmt.Sprintf("cannot read %s: %s", name, why), Err: err}
}
