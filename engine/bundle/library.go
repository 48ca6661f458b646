package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"maps"
)

// LibraryDir is the folder of a bundle whose files a runtime reads.
const LibraryDir = "library"

// Unpack makes dir a folder with the library's files and returns false where the
// runtime has none. What is there already is checked and, where a power cut or
// anything else has damaged it, made again.
func (b *Bundle) Unpack(dir string) (bool, error) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		if strings.HasPrefix(name, LibraryDir+"/") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return false, nil
	}
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(name, LibraryDir+"/")))
		data, err := os.ReadFile(path)
		if err == nil && Describe(data) == b.Files[name] {
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("check the library of %s: %w", b.Name, err)
		}
		if data, err = b.Read(name); err != nil {
			return false, err
		}
		if err := replace(path, data); err != nil {
			return false, fmt.Errorf("unpack the library of %s: %w", b.Name, err)
		}
	}
	return true, nil
}

func replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	return nil
}
