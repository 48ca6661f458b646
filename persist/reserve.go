package persist

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// A full disk must not keep an operator from removing what fills it: bbolt writes new
// pages also for a deletion. So the data folder holds a file that is allocated and
// never written. It is given up for a deletion that finds the disk full, and made
// again when there is room.
const (
	reserveFile  = "ledge.reserve"
	reserveBytes = 512 << 10
)

// reserve is the file at its path.
type reserve struct{ path string }

// keep makes the file where it is missing and there is room for it. Where there is
// none, or the file system cannot allocate, there is no reserve until the next time.
func (r reserve) keep() {
	if info, err := os.Stat(r.path); err == nil && info.Size() == reserveBytes {
		return
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, reserveBytes)
	if errors.Join(err, f.Close()) != nil {
		r.give()
	}
}

// give removes the file and reports whether it was there.
func (r reserve) give() bool { return os.Remove(r.path) == nil }

// reserveOf returns the reserve in a data folder.
func reserveOf(dir string) reserve { return reserve{filepath.Join(dir, reserveFile)} }

// isFull reports whether a commit failed because the disk is full.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
