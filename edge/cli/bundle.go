package cli

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// moduleFile is the file that the node runs.
	moduleFile = "bootstrap.wasm"
	// maxEntries bounds the files of a folder.
	maxEntries = 10_000
)

// zipFolder packs a folder into a zip in memory. The same files give the same
// bytes: entries are in the order of their paths, all have the same time, and
// of their modes only whether they can be executed. Folders have no entries of
// their own.
//
// A symbolic link to a file inside the folder is packed as that file. Any other
// link is an error, and so are devices, sockets and pipes: better than a
// function that lacks a file. Left out is what tools leave behind: see leftOut.
func zipFolder(ctx context.Context, folder string) ([]byte, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, unreadable(folder, err)
	}
	defer root.Close() // opened for reading: closing loses nothing

	b := bundle{folder: folder, root: root}
	b.zip = zip.NewWriter(&b.out)
	// WalkDir goes through each folder by name, so the order is always the same.
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return unreadable(b.at(name), err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return b.visit(name, entry)
	})
	if err != nil {
		return nil, err
	}
	if b.entries == 0 {
		return nil, b.empty()
	}
	if err := b.zip.Close(); err != nil {
		return nil, fmt.Errorf("finish the zip of %s: %w", folder, err)
	}
	return b.out.Bytes(), nil
}

// bundle is a zip being made from a folder.
type bundle struct {
	folder  string
	root    *os.Root
	out     bytes.Buffer
	zip     *zip.Writer
	entries int
	left    string // the first that was left out; empty: nothing was
	bytes   int64  // unpacked
}

// at is a file's path as people know it.
func (b *bundle) at(name string) string { return filepath.Join(b.folder, filepath.FromSlash(name)) }

func (b *bundle) visit(name string, entry fs.DirEntry) error {
	if entry.IsDir() {
		if leftOut(name, entry) {
			b.left = cmp.Or(b.left, name)
			return fs.SkipDir
		}
		return nil
	}
	if leftOut(name, entry) {
		b.left = cmp.Or(b.left, name)
		return nil
	}
	// Root follows links, and refuses those that lead out of the folder.
	info, err := b.root.Stat(filepath.FromSlash(name))
	linked := entry.Type()&fs.ModeSymlink != 0
	switch {
	case err != nil && linked:
		return badCode(b.at(name)+" is a link to nothing inside the folder", "copy the file to where the link is, or remove the link")
	case err != nil:
		return unreadable(b.at(name), err)
	case linked && info.IsDir():
		return badCode(b.at(name)+" is a link to a folder", "only links to files are followed: copy the folder, or remove the link")
	case !info.Mode().IsRegular():
		return badCode(b.at(name)+" is not a regular file", "remove it from the folder")
	}
	if b.entries++; b.entries > maxEntries {
		return badCode(fmt.Sprintf("%s holds more than %d files", b.folder, maxEntries), "leave out what the function does not read")
	}
	if info.Size() > maxUnpacked-b.bytes { // before minutes go into packing it
		return b.tooMuch()
	}
	return b.add(name, info.Mode())
}

// leftOut reports whether a file or folder is none of the function's: history,
// caches, and a virtual environment, whose interpreter the node does not use.
func leftOut(name string, entry fs.DirEntry) bool {
	if !entry.IsDir() {
		return entry.Name() == ".DS_Store"
	}
	switch entry.Name() {
	case ".git", "__pycache__", ".venv":
		return true
	}
	return name == "node_modules/.cache" || strings.HasSuffix(name, "/node_modules/.cache")
}

// empty is the error for a folder without a file to deploy.
func (b *bundle) empty() error {
	const hint = "put an app.py, an index.mjs or a " + moduleFile + " into it"
	message := b.folder + " is an empty folder"
	if b.left != "" {
		message = fmt.Sprintf("%s holds nothing to deploy: %s is left out", b.folder, b.left)
	}
	return &Error{Code: codeBadCode, Message: message, Hint: hint, Err: errNothing}
}

// errNothing is of a folder or a zip that has no file.
var errNothing = errors.New("nothing to deploy")

func (b *bundle) tooMuch() error {
	return badCode(fmt.Sprintf("the files in %s are larger than %s together", b.folder, formatSize(maxUnpacked)),
		"leave out what the function does not read")
}

// packedAt is the time of every entry: the earliest that a zip can hold.
func packedAt() time.Time { return time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC) }

func (b *bundle) add(name string, mode fs.FileMode) error {
	f, err := b.root.Open(filepath.FromSlash(name))
	if err != nil {
		return unreadable(b.at(name), err)
	}
	defer f.Close() // opened for reading: closing loses nothing

	w, err := b.zip.CreateHeader(zipHeader(name, mode&0o111 != 0))
	if err != nil {
		return fmt.Errorf("add %s to the zip: %w", b.at(name), err)
	}
	// What is read counts, not what stat said: the file may be growing.
	n, err := io.Copy(w, io.LimitReader(f, maxUnpacked-b.bytes+1))
	b.bytes += n
	if err != nil {
		return unreadable(b.at(name), err)
	}
	if b.bytes > maxUnpacked {
		return b.tooMuch()
	}
	if b.out.Len() > maxUpload {
		return badCode(fmt.Sprintf("%s is too large: at most %s can be uploaded, packed", b.folder, formatSize(maxUpload)),
			"leave out what the function does not read")
	}
	return nil
}

// zipHeader describes an entry so that nothing but its name and whether it can
// be executed tells it from others.
func zipHeader(name string, exec bool) *zip.FileHeader {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: packedAt()}
	header.SetMode(0o644)
	if exec {
		header.SetMode(0o755)
	}
	return header
}

// zipFile packs one file as zipFolder packs a folder that has only it.
func zipFile(name string, content []byte) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.CreateHeader(zipHeader(name, false))
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", name, err)
	}
	return out.Bytes(), nil
}
