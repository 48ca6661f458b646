package persist

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// WriteZip writes the code with that hash to w as a zip archive. Equal code
// gives equal bytes, but hardly those that were uploaded: they are not kept, so
// the archive's own SHA-256 is not CodeInfo.Sha256Base64. ErrNotFound, with
// nothing written; after any other error w has part of an archive.
func (c *Code) WriteZip(w io.Writer, hash string) error {
	files, err := c.files(hash)
	if err != nil {
		return err
	}
	archive := zip.NewWriter(w)
	for _, f := range files {
		if err := addToZip(archive, c.Path(hash), f); err != nil {
			return fmt.Errorf("pack %s: %w", f.path, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("finish archive: %w", err)
	}
	return nil
}

// storedFile is a file of a code folder.
type storedFile struct {
	path string // relative, with slashes
	exec bool
}

// files returns the files of the code with that hash in order of their paths, or
// ErrNotFound.
func (c *Code) files(hash string) (files []storedFile, err error) {
	folder := c.Path(hash)
	if folder == "" {
		return nil, fmt.Errorf("code %q: %w", hash, ErrNotFound)
	}
	err = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		files = append(files, storedFile{path: filepath.ToSlash(name), exec: info.Mode()&0o100 != 0})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("code %s: %w", hash, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("list code %s: %w", hash, err)
	}
	slices.SortFunc(files, func(a, b storedFile) int { return cmp.Compare(a.path, b.path) })
	return files, nil
}

func addToZip(archive *zip.Writer, folder string, f storedFile) error {
	file, err := os.Open(filepath.Join(folder, filepath.FromSlash(f.path)))
	if err != nil {
		return err
	}
	defer file.Close()                                           // opened for reading: closing loses nothing
	header := &zip.FileHeader{Name: f.path, Method: zip.Deflate} // no time: it would be today's
	header.SetMode(0o644)
	if f.exec {
		header.SetMode(0o755)
	}
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(entry, file)
	return err
}
