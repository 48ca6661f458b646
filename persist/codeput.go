package persist

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// fewFiles is how many files are synced one by one. Beyond it one sync of the
// whole file system is faster, although it flushes what others wrote too.
const fewFiles = 32

// CodeKind says what uploaded code must be.
type CodeKind uint8

const (
	// CodeModule is a Wasm module, or an archive that has one at its top. The
	// module is stored as bootstrap.wasm, whatever its name was.
	CodeModule CodeKind = iota
	// CodeFiles is an archive of any files, for a language runtime that finds
	// its own among them. They are stored under their names.
	CodeFiles
)

// Put stores uploaded code and returns after it is on disk. blob is of that
// kind, an archive being a zip; it is only read. Code that is there already is
// not stored again, unless what is there was damaged.
//
// An *ArchiveError says what is wrong with blob. After any error the store is
// as it was.
func (c *Code) Put(blob []byte, kind CodeKind) (CodeInfo, error) {
	fill, err := c.reader(blob, kind)
	if err != nil {
		return CodeInfo{}, err
	}
	hash, err := c.store(fill)
	if err != nil {
		return CodeInfo{}, err
	}
	sum := sha256.Sum256(blob)
	return CodeInfo{
		Hash:         hash,
		Sha256Base64: base64.StdEncoding.EncodeToString(sum[:]),
		Size:         int64(len(blob)),
	}, nil
}

// store makes a folder of what fill writes and returns its hash after it is on disk.
func (c *Code) store(fill func(*codeTree) error) (hash string, err error) {
	temp, err := os.MkdirTemp(c.dir, tempPrefix)
	if err != nil {
		return "", fmt.Errorf("create code folder: %w", err)
	}
	tree := &codeTree{root: temp, folders: map[string]bool{}, faults: c.faults}
	err = fill(tree)
	if err == nil {
		err = tree.sync()
	}
	if err == nil {
		hash = tree.hash()
		err = c.install(temp, hash)
	}
	if err != nil {
		// Not deferred: see faults. What stays behind is removed by OpenCode.
		return "", errors.Join(err, os.RemoveAll(temp))
	}
	return hash, nil
}

// reader returns what writes the files of blob, whatever it is.
func (c *Code) reader(blob []byte, kind CodeKind) (func(*codeTree) error, error) {
	switch {
	case isModule(blob) && kind == CodeFiles:
		return nil, &ArchiveError{Why: "the code is a Wasm module, and the function's runtime is for a language", Hint: "choose the runtime wasi, extism or provided.al2023"}
	case isModule(blob):
		if int64(len(blob)) > c.limits.FileBytes {
			return nil, &ArchiveError{Why: fmt.Sprintf("the module is larger than %d bytes", c.limits.FileBytes)}
		}
		return func(t *codeTree) error {
			return t.add(moduleFile, false, func(w io.Writer) error {
				_, err := w.Write(blob)
				return err
			})
		}, nil
	case isArchive(blob):
		files, err := readArchive(blob, kind, c.limits)
		if err != nil {
			return nil, err
		}
		return func(t *codeTree) error {
			for _, f := range files {
				if err := t.add(f.path, f.exec, f.copyTo); err != nil {
					return err
				}
			}
			return nil
		}, nil
	case len(blob) == 0 && kind == CodeFiles:
		return nil, &ArchiveError{Why: "the code is empty", Hint: "upload a zip archive"}
	case kind == CodeFiles:
		return nil, &ArchiveError{Why: "the code is not a zip archive", Hint: "put the files into a zip, with the handler's at its top"}
	case len(blob) == 0:
		return nil, &ArchiveError{Why: "the code is empty", Hint: "upload a Wasm module or a zip archive"}
	case bytes.HasPrefix(bytes.TrimSpace(blob[:min(len(blob), 64)]), []byte("(module")):
		return nil, &ArchiveError{Why: "the code is WebAssembly text", Hint: "compile it with wat2wasm first"}
	}
	return nil, &ArchiveError{Why: "the code is neither a Wasm module nor a zip archive", Hint: "build for wasm32-wasip1, then upload the .wasm file or a zip with it"}
}

// install gives a finished folder its name.
func (c *Code) install(temp, hash string) error {
	final := filepath.Join(c.dir, hash)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.faults.at(stepCodeRename); err != nil {
		return fmt.Errorf("rename code folder: %w", err)
	}
	// Where the code is there already, rename finds a folder that is not empty.
	err := os.Rename(temp, final)
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
		err = c.mend(temp, final, hash)
	}
	if err != nil {
		return fmt.Errorf("rename code folder: %w", err)
	}
	// From here on the code is in place. If the rest fails it is complete, but
	// perhaps not for good, and unused, so that Collect removes it.
	if err := c.faults.at(stepCodeRenamed); err != nil {
		return fmt.Errorf("rename code folder: %w", err)
	}
	if err := c.faults.at(stepCodeParentSync); err != nil {
		return fmt.Errorf("sync code store: %w", err)
	}
	// Also where another Put renamed it: that one may not have come this far.
	if err := syncFile(c.dir); err != nil {
		return fmt.Errorf("sync code store: %w", err)
	}
	c.recent[hash] = c.now()
	return nil
}

// mend replaces final by temp where final is no longer what its name says, and
// removes temp where it still is. To deploy the same code again is what people
// try first when a card has lost some of it.
func (c *Code) mend(temp, final, hash string) error {
	have, err := folderHash(final)
	if err == nil && have == hash {
		return os.RemoveAll(temp)
	}
	// A folder that cannot be read is as good as damaged.
	retired := filepath.Join(c.dir, tempPrefix+"old-"+hash)
	if err := c.retire(final, retired); err != nil {
		return err
	}
	if err := os.Rename(temp, final); err != nil {
		return err
	}
	return os.RemoveAll(retired)
}

// folderHash returns the name that the content of a folder should have.
func folderHash(folder string) (string, error) {
	tree := &codeTree{root: folder}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file", path)
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close() // opened for reading: closing loses nothing
		sum := sha256.New()
		if _, err := io.Copy(sum, file); err != nil {
			return err
		}
		f := codeFile{path: filepath.ToSlash(name), exec: info.Mode()&0o100 != 0}
		sum.Sum(f.sum[:0])
		tree.files = append(tree.files, f)
		return nil
	})
	return tree.hash(), err
}

// codeTree is a folder of code, in the making or to be checked.
type codeTree struct {
	root    string
	files   []codeFile
	folders map[string]bool // absolute; root is not among them
	faults  *faults
}

type codeFile struct {
	path string // relative, with slashes
	exec bool
	sum  [sha256.Size]byte
}

// place makes the folders of a file and returns its absolute path.
func (t *codeTree) place(path string) (full string, err error) {
	full = filepath.Join(t.root, filepath.FromSlash(path))
	folder := filepath.Dir(full)
	if err := t.faults.at(stepCodeCreate); err != nil {
		return "", fmt.Errorf("create code file: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("create code folder: %w", err)
	}
	for folder != t.root && !t.folders[folder] {
		t.folders[folder] = true
		folder = filepath.Dir(folder)
	}
	return full, nil
}

// add creates a file at a path that readArchive has checked.
func (t *codeTree) add(path string, exec bool, fill func(io.Writer) error) error {
	full, err := t.place(path)
	if err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if exec {
		mode = 0o755
	}
	file, err := os.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("create code file: %w", err)
	}
	sum := &hashingWriter{w: file, hash: sha256.New()}
	err = t.faults.at(stepCodeWrite)
	if err == nil {
		err = fill(sum)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write code file: %w", err)
	}
	f := codeFile{path: path, exec: exec}
	sum.hash.Sum(f.sum[:0])
	t.files = append(t.files, f)
	return nil
}

// sync brings files and folders to disk.
func (t *codeTree) sync() error {
	if err := t.faults.at(stepCodeSync); err != nil {
		return fmt.Errorf("sync code: %w", err)
	}
	if len(t.files) > fewFiles {
		return t.syncAll()
	}
	for _, f := range t.files {
		if err := syncFile(filepath.Join(t.root, filepath.FromSlash(f.path))); err != nil {
			return fmt.Errorf("sync code file: %w", err)
		}
	}
	for folder := range t.folders {
		if err := syncFile(folder); err != nil {
			return fmt.Errorf("sync code folder: %w", err)
		}
	}
	if err := syncFile(t.root); err != nil {
		return fmt.Errorf("sync code folder: %w", err)
	}
	return nil
}

func (t *codeTree) syncAll() error {
	root, err := os.Open(t.root)
	if err != nil {
		return fmt.Errorf("sync code: %w", err)
	}
	err = unix.Syncfs(int(root.Fd()))
	if closeErr := root.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("sync code: %w", err)
	}
	return nil
}

// hash returns the name of the content: SHA-256 over the files in order of
// their paths, for each the length of the path, the path, whether it is
// executable, and the SHA-256 of its bytes. The same files give the same name
// however they were archived.
func (t *codeTree) hash() string {
	slices.SortFunc(t.files, func(a, b codeFile) int { return cmp.Compare(a.path, b.path) })
	h := sha256.New()
	for _, f := range t.files {
		var head []byte
		head = binary.BigEndian.AppendUint32(head, uint32(len(f.path)))
		head = append(head, f.path...)
		if f.exec {
			head = append(head, 1)
		} else {
			head = append(head, 0)
		}
		h.Write(head)
		h.Write(f.sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// hashingWriter hashes what it passes on.
type hashingWriter struct {
	w    io.Writer
	hash hash.Hash
}

func (h *hashingWriter) Write(p []byte) (int, error) {
	n, err := h.w.Write(p)
	h.hash.Write(p[:n])
	return n, err
}
