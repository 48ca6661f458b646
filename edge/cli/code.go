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
	tree *tree // what is in the zip; nil for a module, and where it cannot be read

	folder bool      // PATH is a folder
	source *language // of the only file, where PATH is one in a language
	module string    // that file as a handler names it
}

// readCode reads what PATH names: a .wasm, a .zip, a file in a language of the
// node's, which it packs, a folder, likewise, or "-" for one of the first two on
// standard input.
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
		c, err := checkCode(path, blob, nil)
		c.folder = true
		return c, err
	}
	if why, hint := notCode(path); why != "" {
		return code{}, badCode(path+" "+why, hint)
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
	if l := languageOfFile(path); l != nil && err == nil && len(blob) <= maxUpload {
		return packSource(path, *l, blob)
	}
	return checkCode(path, blob, err)
}

// packSource makes a zip of one file in a language.
func packSource(path string, l language, text []byte) (code, error) {
	if len(bytes.TrimSpace(bytes.TrimPrefix(text, []byte(utf8Mark)))) == 0 {
		return code{}, badCode(path+" is empty", "write a handler into it: "+l.sample)
	}
	if why, hint := l.notSource(text); why != "" {
		return code{}, badCode(path+" "+why, hint)
	}
	ext := filepath.Ext(path)
	module := strings.TrimSuffix(filepath.Base(path), ext)
	if !canName(module) {
		return code{}, badCode(fmt.Sprintf("%s cannot be named by a handler, which is FILE.FUNCTION", path),
			"rename the file so that it has neither white space nor another dot")
	}
	ext = strings.ToLower(ext)
	if ext == ".js" && isESModule(text) {
		ext = ".mjs" // there is no package.json that would tell the interpreter
	}
	blob, err := zipFile(module+ext, text)
	if err != nil {
		return code{}, err
	}
	c, err := checkCode(path, blob, nil)
	c.source, c.module = &l, module
	return c, err
}

// notCode says why a file cannot be deployed, to be read after its name, and
// what to do with it; nothing where it may be code.
func notCode(path string) (why, hint string) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".wat", ".wast":
		return "is WebAssembly text, not a module", fmt.Sprintf("compile it first: wat2wasm %s -o %s",
			shellQuote(path), shellQuote(strings.TrimSuffix(path, filepath.Ext(path))+".wasm"))
	case ".ts", ".mts", ".cts", ".tsx":
		return "is TypeScript", "compile it to JavaScript first, for example: npx esbuild " + shellQuote(path) + " --bundle --format=esm --outfile=index.mjs"
	case ".go", ".rs", ".c", ".cc", ".cpp", ".zig":
		return "is source code", "compile it to WebAssembly first, for example: GOOS=wasip1 GOARCH=wasm go build -o hello.wasm ."
	}
	return "", ""
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
	case bytes.HasPrefix(blob, []byte("PK\x05\x06")): // a zip's end where its first file should begin
		return code{}, &Error{Code: codeBadCode, Message: name + " is an empty zip", Hint: "put an app.py, an index.mjs or a " + moduleFile + " at its top", Err: errNothing}
	case !bytes.HasPrefix(blob, []byte("\x00asm")) && !bytes.HasPrefix(blob, []byte("PK\x03\x04")):
		return code{}, badCode(name+" is neither a Wasm module nor a zip",
			"deploy a .wasm, a .py, a .js or .mjs, a .zip, or a folder")
	}
	c := code{name: name, blob: blob}
	if blob[0] == 'P' {
		c.tree = readTree(name, blob)
	}
	return c, nil
}

func tooLarge(name string) error {
	return badCode(fmt.Sprintf("%s is too large: at most %s can be uploaded", name, formatSize(maxUpload)),
		"leave out files that the function does not read, or strip the module (wasm-opt -O --strip-debug)")
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
