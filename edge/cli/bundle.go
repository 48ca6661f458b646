package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
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
// function that lacks a file. Left out are .git and .DS_Store.
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
	if err := b.checkModule(); err != nil {
		return nil, err
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
	bytes   int64    // unpacked
	top     []string // names of the files directly in the folder
}

// at is a file's path as people know it.
func (b *bundle) at(name string) string { return filepath.Join(b.folder, filepath.FromSlash(name)) }

func (b *bundle) visit(name string, entry fs.DirEntry) error {
	if entry.IsDir() {
		if entry.Name() == ".git" {
			return fs.SkipDir
		}
		return nil
	}
	if entry.Name() == ".DS_Store" {
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
	if path.Dir(name) == "." {
		b.top = append(b.top, name)
	}
	if info.Size() > maxUnpacked-b.bytes { // before minutes go into packing it
		return b.tooMuch()
	}
	return b.add(name, info.Mode())
}

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

	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: packedAt()}
	header.SetMode(0o644)
	if mode&0o111 != 0 {
		header.SetMode(0o755)
	}
	w, err := b.zip.CreateHeader(header)
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

// checkModule makes sure that the node will know which file to run.
func (b *bundle) checkModule() error {
	var modules []string
	var source error
	for _, name := range b.top {
		if name == moduleFile {
			return nil
		}
		if strings.HasSuffix(name, ".wasm") {
			modules = append(modules, name)
		}
		source = errors.Join(source, refuseSource(b.at(name)))
	}
	switch {
	case len(modules) == 1:
		return nil
	case len(modules) > 1:
		return badCode(fmt.Sprintf("%s holds several modules: %s", b.folder, strings.Join(modules, ", ")),
			"name the one to run "+moduleFile)
	}
	var why *Error
	if errors.As(source, &why) {
		return badCode(fmt.Sprintf("%s holds no Wasm module, and %s", b.folder, why.Message), why.Hint)
	}
	return badCode(b.folder+" holds no Wasm module at its top", "put a "+moduleFile+" there")
}
