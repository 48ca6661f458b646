package persist

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// CodeLimits bound what Put unpacks. A field that is 0 takes the value of
// DefaultCodeLimits.
type CodeLimits struct {
	Entries    int   // entries of an archive, folders too
	FileBytes  int64 // one file, unpacked
	TotalBytes int64 // all files, unpacked
	Ratio      int64 // unpacked size against that of the archive, from 16 MiB on
}

// DefaultCodeLimits are AWS Lambda's 250 MB for unpacked code and what no honest
// archive reaches.
func DefaultCodeLimits() CodeLimits {
	return CodeLimits{Entries: 10_000, FileBytes: 250 << 20, TotalBytes: 250 << 20, Ratio: 200}
}

func (l CodeLimits) withDefaults() CodeLimits {
	d := DefaultCodeLimits()
	if l.Entries <= 0 {
		l.Entries = d.Entries
	}
	if l.FileBytes <= 0 {
		l.FileBytes = d.FileBytes
	}
	if l.TotalBytes <= 0 {
		l.TotalBytes = d.TotalBytes
	}
	if l.Ratio <= 0 {
		l.Ratio = d.Ratio
	}
	return l
}

// CodeInfo describes stored code.
type CodeInfo struct {
	Hash         string // lower-case hex SHA-256 of the unpacked files; names the folder
	Sha256Base64 string // of what was uploaded, as AWS Lambda reports it
	Size         int64  // bytes of what was uploaded
}

// putGrace is for how long Collect spares what Put stored and nobody is known
// to use: a deploy compiles between storing the code and naming it.
const putGrace = 10 * time.Minute

const (
	codeFolder = "code"
	tempPrefix = ".tmp-"
)

// Code is the code store: folders that never change, named by what is in them.
// Its methods may be called concurrently.
type Code struct {
	dir    string
	limits CodeLimits
	now    func() time.Time
	faults *faults

	mu     sync.Mutex           // held while a folder appears or disappears
	recent map[string]time.Time // hash -> Put, until it was in use or the grace is over
}

// OpenCode opens the code store in dir/code, creates it where it is missing and
// removes what a crash left half done. Only one Code may be open on a folder.
func OpenCode(dir string, limits CodeLimits) (*Code, error) {
	c := &Code{
		dir:    filepath.Join(dir, codeFolder),
		limits: limits.withDefaults(),
		now:    time.Now,
		recent: make(map[string]time.Time),
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("create code store: %w", err)
	}
	// The folder itself must outlive a power cut, as what is put in it does.
	if err := syncFile(dir); err != nil {
		return nil, fmt.Errorf("sync data folder: %w", err)
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, fmt.Errorf("list code store: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(c.dir, e.Name())); err != nil {
			return nil, fmt.Errorf("remove unfinished code: %w", err)
		}
	}
	return c, nil
}

// Path returns the folder of the code with that hash, whether or not it is
// there, or "" for what is not a hash. Its files must not be changed.
func (c *Code) Path(hash string) string {
	if !isHash(hash) {
		return ""
	}
	return filepath.Join(c.dir, hash)
}

// Size returns the bytes of all files of the code with that hash, or
// ErrNotFound.
func (c *Code) Size(hash string) (int64, error) {
	folder := c.Path(hash)
	if folder == "" {
		return 0, fmt.Errorf("code %q: %w", hash, ErrNotFound)
	}
	size, err := folderSize(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("code %s: %w", hash, ErrNotFound)
	}
	return size, err
}

// Collect removes the code whose hash is not in inUse. It spares code that was
// Put in the last ten minutes and that no Collect has seen in use yet, because
// its function may be about to be stored. freed counts bytes of files.
//
// inUse should be read from the store right before. Where a folder cannot be
// removed, Collect goes on with the others and returns the first error.
func (c *Code) Collect(inUse map[string]bool) (removed int, freed int64, err error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return 0, 0, fmt.Errorf("list code store: %w", err)
	}
	for _, e := range entries {
		hash := e.Name()
		if !isHash(hash) {
			continue
		}
		size, gone, oneErr := c.collectOne(hash, inUse[hash])
		if oneErr != nil && err == nil {
			err = fmt.Errorf("remove code %s: %w", hash, oneErr)
		}
		if gone {
			removed++
			freed += size
		}
	}
	return removed, freed, err
}

// collectOne removes one folder unless it is needed. It is renamed first, so
// that a crash never leaves half a folder under the name of the whole.
func (c *Code) collectOne(hash string, inUse bool) (size int64, gone bool, err error) {
	c.mu.Lock()
	put, isRecent := c.recent[hash]
	if inUse || isRecent && c.now().Sub(put) >= putGrace {
		delete(c.recent, hash)
		isRecent = false
	}
	if inUse || isRecent {
		c.mu.Unlock()
		return 0, false, nil
	}
	folder := filepath.Join(c.dir, hash)
	retired := filepath.Join(c.dir, tempPrefix+"old-"+hash)
	err = c.retire(folder, retired)
	c.mu.Unlock()
	if err != nil {
		return 0, false, err
	}
	if size, err = folderSize(retired); err != nil {
		return 0, true, err
	}
	if err := c.faults.at(stepCodeRemove); err != nil {
		return size, true, err
	}
	return size, true, os.RemoveAll(retired)
}

func (c *Code) retire(folder, retired string) error {
	if err := c.faults.at(stepCodeRetire); err != nil {
		return err
	}
	if err := os.RemoveAll(retired); err != nil { // of a removal that failed before
		return err
	}
	return os.Rename(folder, retired)
}

func folderSize(folder string) (size int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		return nil
	})
	return size, err
}

func isHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// isModule reports whether blob starts as a Wasm module does
// (https://webassembly.github.io/spec/core/binary/modules.html#binary-magic).
func isModule(blob []byte) bool { return bytes.HasPrefix(blob, []byte("\x00asm")) }

// isArchive reports whether blob starts as a zip file does, an empty one too.
func isArchive(blob []byte) bool {
	return bytes.HasPrefix(blob, []byte("PK\x03\x04")) || bytes.HasPrefix(blob, []byte("PK\x05\x06"))
}
