package persist

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Merge makes one code folder of several and returns its hash and the bytes of
// its files; it returns after they are on disk. Where two folders have the same
// path the later one's is taken, as AWS Lambda does with layers; a file and a
// folder of the same name count as the same path. Files are hard links where the
// file system has them, so that a merged folder costs only its folders.
//
// The result is kept as what Put stored is. ErrNotFound names the first that is
// not there. An *ArchiveError says that they have more files or bytes together
// than CodeLimits allow, or names that differ only in case. After any error the store
// is as it was.
func (c *Code) Merge(hashes []string) (hash string, size int64, err error) {
	merged := make(map[string]mergedFile)
	for _, hash := range hashes {
		files, err := c.files(hash)
		if err != nil {
			return "", 0, err
		}
		overlayFiles(merged, files, c.Path(hash))
		if len(merged) > c.limits.Entries {
			return "", 0, tooManyEntries(c.limits)
		}
	}
	hash, err = c.store(func(tree *codeTree) (err error) {
		size, err = c.fill(tree, merged)
		return err
	})
	if err != nil {
		return "", 0, err
	}
	return hash, size, nil
}

// mergedFile is a file and the code folder that it comes from.
type mergedFile struct {
	storedFile
	folder string
}

// overlayFiles puts the files of a folder over those that are there. A file takes the
// place of what is below its path and of a file that is above it.
func overlayFiles(merged map[string]mergedFile, files []storedFile, folder string) {
	own := make(map[string]bool, len(files))
	folders := make(map[string]bool) // that they are in
	for _, f := range files {
		own[f.path] = true
		for parent := path.Dir(f.path); parent != "."; parent = path.Dir(parent) {
			folders[parent] = true
		}
	}
	maps.DeleteFunc(merged, func(below string, _ mergedFile) bool {
		if own[below] || folders[below] { // the same path, or a folder now
			return true
		}
		for parent := path.Dir(below); parent != "."; parent = path.Dir(parent) {
			if own[parent] { // its folder is a file now
				return true
			}
		}
		return false
	})
	for _, f := range files {
		merged[f.path] = mergedFile{f, folder}
	}
}

// fill links or copies the files into tree and returns their bytes.
func (c *Code) fill(tree *codeTree, merged map[string]mergedFile) (size int64, err error) {
	files := slices.SortedFunc(maps.Values(merged), func(a, b mergedFile) int { return cmp.Compare(a.path, b.path) })
	paths := make(claims, len(files))
	for _, f := range files {
		// Each folder alone has no two names that differ only in case.
		if err := paths.add(f.path, f.path, false); err != nil {
			return 0, err
		}
		n, err := tree.take(filepath.Join(f.folder, filepath.FromSlash(f.path)), f.storedFile)
		if err != nil {
			return 0, err
		}
		if size += n; size > c.limits.TotalBytes {
			return 0, &ArchiveError{Why: fmt.Sprintf("the layers unpack to more than %d bytes together", c.limits.TotalBytes),
				Hint: "leave out what the function does not need"}
		}
	}
	return size, nil
}

// take adds a file of another code folder, which must not change, and returns
// its bytes: as a hard link, or as a copy where there can be no link.
func (t *codeTree) take(source string, f storedFile) (int64, error) {
	full, err := t.place(f.path)
	if err != nil {
		return 0, err
	}
	file, err := os.Open(source)
	if err != nil {
		return 0, fmt.Errorf("read code file: %w", err)
	}
	defer file.Close() // opened for reading: closing loses nothing
	var size int64
	if err := os.Link(source, full); err != nil {
		err := t.add(f.path, f.exec, func(w io.Writer) (err error) {
			size, err = io.Copy(w, file)
			return err
		})
		return size, err
	}
	sum := sha256.New()
	if size, err = io.Copy(sum, file); err != nil {
		return 0, fmt.Errorf("read code file: %w", err)
	}
	linked := codeFile{path: f.path, exec: f.exec}
	sum.Sum(linked.sum[:0])
	t.files = append(t.files, linked)
	return size, nil
}
