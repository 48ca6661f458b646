package capi

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Error numbers of WASI that these tests expect.
const (
	success = 0
	acces   = 2
	badf    = 8
	fault   = 21
	inval   = 28
	isDir   = 31
	loop    = 32
	mfile   = 33
	longer  = 37
	noEnt   = 44
	notDir  = 54
	perm    = 63
	roFS    = 69
)

// Descriptors of the mounts of fileGuest.
const (
	task    = 3
	library = 4
	nowhere = 5 // a mount without a folder
)

// fileCalls are the calls on files and what they take: i for i32, l for i64.
var fileCalls = map[string]string{
	"fd_read": "iiii", "fd_pread": "iiili", "fd_close": "i", "fd_fdstat_get": "ii", "fd_filestat_get": "ii",
	"fd_seek": "ilii", "fd_tell": "ii", "fd_readdir": "iiili", "fd_renumber": "ii", "fd_prestat_get": "ii",
	"fd_prestat_dir_name": "iii", "fd_fdstat_set_flags": "ii", "fd_sync": "i", "fd_advise": "illi", "fd_allocate": "ill",
	"fd_write": "iiii", "fd_pwrite": "iiili", "fd_filestat_set_size": "il", "fd_filestat_set_times": "illi",
	"path_open": "iiiiillii", "path_filestat_get": "iiiii", "path_readlink": "iiiiii", "path_create_directory": "iii",
	"path_filestat_set_times": "iiiilli", "path_link": "iiiiiii", "path_remove_directory": "iii", "path_rename": "iiiiii",
	"path_symlink": "iiiii", "path_unlink_file": "iii",
}

// Where fileGuest has what: the arguments of a call from 0 on, its result, bytes
// that the call is given, and room for what it gives.
const (
	resultAt = 120
	dataAt   = 128
	outAt    = 16 << 10
	memory   = 2 << 16
)

// fileGuest is a module that makes the calls that a test wants.
type fileGuest struct {
	t  *testing.T
	in *Instance
}

func fileModule() string {
	var b strings.Builder
	b.WriteString(`(module (import "ledge" "input_read" (func $input (param i32)))` + "\n")
	for name, types := range fileCalls {
		fmt.Fprintf(&b, `(import "wasi_snapshot_preview1" %q (func $%s (param %s) (result i32)))`+"\n", name, name, strings.NewReplacer("i", " i32", "l", " i64").Replace(types))
	}
	fmt.Fprintf(&b, `(memory (export "memory") %d) (func (export "nothing"))`, memory>>16)
	for name, types := range fileCalls {
		fmt.Fprintf(&b, `(func (export %q) (call $input (i32.const 0)) (i32.store (i32.const %d) (call $%s`, name, resultAt, name)
		for i, kind := range types {
			fmt.Fprintf(&b, " (%s.load (i32.const %d))", map[rune]string{'i': "i32", 'l': "i64"}[kind], 8*i)
		}
		b.WriteString(")))\n")
	}
	return b.String() + ")"
}

// newFileGuest returns a guest that sees dir as its first mount and dir/sub as its
// second.
func newFileGuest(t *testing.T, dir string, files []File) *fileGuest {
	t.Helper()
	engine := newEngine(t)
	in := instance(t, template(t, engine, NewNode(0, false), TemplateConfig{ABI: Language, Code: compile(t, engine, fileModule()), Entry: "nothing",
		Mounts: []Mount{{"/var/task", dir}, {"/usr/lib/ledge", filepath.Join(dir, "sub")}, {"/empty", ""}}, Files: files}), noHost{})
	if outcome := in.Instantiate(time.Second); outcome != OK {
		t.Fatalf("outcome %d: %s", outcome, in.Message())
	}
	return &fileGuest{t, in}
}

// call makes a call with data at dataAt and returns its error number.
func (g *fileGuest) call(name string, data []byte, args ...uint64) int {
	g.t.Helper()
	input := make([]byte, dataAt, dataAt+len(data))
	for i, a := range args {
		binary.LittleEndian.PutUint64(input[8*i:], a)
	}
	if outcome := g.in.Run(name, append(input, data...), 10*time.Second); outcome != OK {
		g.t.Fatalf("%s %v: outcome %d: %s", name, args, outcome, g.in.Message())
	}
	return int(binary.LittleEndian.Uint32(g.in.View()[resultAt:]))
}

func (g *fileGuest) u32(at int) uint32 { return binary.LittleEndian.Uint32(g.in.View()[at:]) }
func (g *fileGuest) u64(at int) uint64 { return binary.LittleEndian.Uint64(g.in.View()[at:]) }

func (g *fileGuest) open(dir uint64, path string, flags, rights uint64) (fd uint64, errno int) {
	g.t.Helper()
	errno = g.call("path_open", []byte(path), dir, 0, dataAt, uint64(len(path)), flags, rights, 0, 0, outAt)
	return uint64(g.u32(outAt)), errno
}

// mustOpen opens what is there.
func (g *fileGuest) mustOpen(path string) uint64 {
	g.t.Helper()
	fd, errno := g.open(task, path, 0, 0)
	if errno != success {
		g.t.Fatalf("open %s: %d", path, errno)
	}
	return fd
}

// read reads n bytes into outAt+16.
func (g *fileGuest) read(fd uint64, n int) (string, int) {
	g.t.Helper()
	iov := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, outAt+16), uint32(n))
	errno := g.call("fd_read", iov, fd, dataAt, 1, outAt)
	if errno != success {
		return "", errno
	}
	return string(g.in.View()[outAt+16:][:g.u32(outAt)]), errno
}

func (g *fileGuest) seek(fd uint64, by int64, whence uint64) (uint64, int) {
	g.t.Helper()
	errno := g.call("fd_seek", nil, fd, uint64(by), whence, outAt)
	return g.u64(outAt), errno
}

// entries lists a folder through a buffer of the given size, as wasi-libc does: from
// the last whole entry on, and with a larger buffer where not one fits.
func (g *fileGuest) entries(fd uint64, size int) (names []string) {
	g.t.Helper()
	const head = 24
	cookie := uint64(0)
	for range 10000 {
		if errno := g.call("fd_readdir", nil, fd, outAt+16, uint64(size), cookie, outAt); errno != success {
			g.t.Fatalf("readdir from %d: %d", cookie, errno)
		}
		used := int(g.u32(outAt))
		if used > size {
			g.t.Fatalf("%d bytes in a buffer of %d", used, size)
		}
		list, whole := g.in.View()[outAt+16:][:used], 0
		for len(list) >= head {
			n := int(binary.LittleEndian.Uint32(list[16:]))
			if len(list) < head+n {
				break
			}
			cookie = binary.LittleEndian.Uint64(list)
			if name := string(list[head : head+n]); name != "." && name != ".." {
				names = append(names, name)
			}
			list = list[head+n:]
			whole++
		}
		switch {
		case used < size:
			slices.Sort(names)
			return names
		case whole == 0:
			size *= 2
		}
	}
	g.t.Fatal("the folder does not end")
	return nil
}

// hostileFolder is a folder with everything that a file system may have.
func hostileFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	for path, text := range map[string]string{outside: "secret", dir + "/a.txt": "hello world", dir + "/sub/b.txt": "bb", dir + "/sub/deep/c.txt": "c", dir + "/empty/x": "",
		dir + "/ö 😀": "unicode", dir + "/" + strings.Repeat("n", 255): "long"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"out": outside, "up": "../", "root": "/", "inside": "a.txt", "insidedir": "sub", "self": "self", "dangling": "nope", "sub/out": outside} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // the name of a socket must be short
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return dir
}
