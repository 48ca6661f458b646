package capi

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Which paths lead where: never out of the mount, over a link, or to what is
// neither file nor folder.
func TestFilePaths(t *testing.T) {
	g := newFileGuest(t, hostileFolder(t), nil)
	long := strings.Repeat("n", 255)
	sub, errno := g.open(task, "sub", 2, 0)
	if errno != success {
		t.Fatal(errno)
	}
	for _, test := range []struct {
		dir  uint64
		path string
		want int
		text string // of the file
	}{
		{task, "a.txt", success, "hello world"},
		{task, "./a.txt", success, "hello world"},
		{task, ".//.///a.txt", success, "hello world"},
		{task, "sub/b.txt", success, "bb"},
		{task, "sub//deep/./c.txt", success, "c"},
		{task, "sub/../a.txt", success, "hello world"},
		{task, "sub/deep/../../a.txt", success, "hello world"},
		{task, "nope/../a.txt", success, "hello world"}, // as text
		{task, "ö 😀", success, "unicode"},
		{task, long, success, "long"},
		{sub, "b.txt", success, "bb"},
		{sub, "../a.txt", success, "hello world"}, // it is in the same mount
		{library, "b.txt", success, "bb"},
		{library, "deep/c.txt", success, "c"},
		{task, "", noEnt, ""},
		{task, "nope", noEnt, ""},
		{task, "nope/x", noEnt, ""},
		{task, "a.txt/x", notDir, ""},
		{task, "a.txt/.", success, "hello world"},
		{task, "A.TXT", noEnt, ""},
		{task, "..", perm, ""},
		{task, "../", perm, ""},
		{task, "../a.txt", perm, ""},
		{task, "./..", perm, ""},
		{task, "sub/../..", perm, ""},
		{task, "sub/../../" + "a.txt", perm, ""},
		{task, strings.Repeat("../", 300) + "etc/passwd", perm, ""},
		{library, "../a.txt", perm, ""},
		{sub, "../../a.txt", perm, ""},
		{task, "/", perm, ""},
		{task, "/a.txt", perm, ""},
		{task, "//a.txt", perm, ""},
		{task, "/etc/passwd", perm, ""},
		{task, "a.txt\x00", inval, ""},
		{task, "\x00", inval, ""},
		{task, "..\x00", inval, ""},
		{task, "...", noEnt, ""},
		{task, ".. ", noEnt, ""},
		{task, "..\\..\\etc", noEnt, ""},
		{task, "%2e%2e/a.txt", noEnt, ""},
		{task, long + "n", longer, ""},
		{task, strings.Repeat("x/", 1000), longer, ""},
		{task, strings.Repeat("n", 2000), longer, ""},
		{task, strings.Repeat("./", 2000) + "a.txt", success, "hello world"},
		{task, strings.Repeat("sub/../", 1000) + "a.txt", success, "hello world"},
		{task, "out", loop, ""},
		{task, "up", loop, ""},
		{task, "up/x", loop, ""},
		{task, "root/etc/passwd", loop, ""},
		{task, "inside", loop, ""},
		{task, "insidedir/b.txt", loop, ""},
		{task, "self", loop, ""},
		{task, "dangling", loop, ""},
		{task, "sub/out", loop, ""},
		{task, "fifo", acces, ""},
		{nowhere, "x", noEnt, ""},
		{nowhere, "..", perm, ""},
		{0, "a.txt", badf, ""},
		{2, "a.txt", badf, ""},
		{99, "a.txt", badf, ""},
		{math.MaxUint32, "a.txt", badf, ""},
	} {
		fd, errno := g.open(test.dir, test.path, 0, 0)
		if errno != test.want {
			t.Errorf("open %d %.60q: %d, want %d", test.dir, test.path, errno, test.want)
		}
		statErrno := g.call("path_filestat_get", []byte(test.path), test.dir, 0, dataAt, uint64(len(test.path)), outAt)
		if statErrno != test.want {
			t.Errorf("stat %d %.60q: %d, want %d", test.dir, test.path, statErrno, test.want)
		}
		if statErrno == success {
			if kind, size := g.u64(outAt+16), g.u64(outAt+32); kind != 4 || size != uint64(len(test.text)) {
				t.Errorf("stat %d %.60q: type %d, %d bytes", test.dir, test.path, kind, size)
			}
		}
		if errno == success {
			if text, errno := g.read(fd, 100); text != test.text || errno != success {
				t.Errorf("%.60q holds %q, %d", test.path, text, errno)
			}
			if errno := g.call("fd_close", nil, fd); errno != success {
				t.Errorf("close %d: %d", fd, errno)
			}
		}
	}
	// A socket cannot be opened by anybody; the kernel says so in its own way.
	if _, errno := g.open(task, "socket", 0, 0); errno == success {
		t.Error("a socket was opened")
	}
}

// What a path leads to must be what is asked for, and nothing can be written.
func TestFileOpenFlags(t *testing.T) {
	g := newFileGuest(t, hostileFolder(t), nil)
	const create, directory, exclusive, truncate, write = 1, 2, 4, 8, 1 << 6
	for _, test := range []struct {
		path          string
		flags, rights uint64
		want          int
	}{
		{"sub", 0, 0, success},
		{"sub", directory, 0, success},
		{".", directory, 0, success},
		{"a.txt", directory, 0, notDir},
		{"a.txt", 0, 1 << 1, success},
		{"a.txt", 0, write, roFS},
		{"a.txt", create, 0, roFS},
		{"a.txt", truncate, 0, roFS},
		{"new", create, 0, roFS},
		{"new", create | exclusive, write, roFS},
		{"../new", create, 0, perm},
		{"a.txt", 0, math.MaxUint64, roFS},
		{"fifo", directory, 0, notDir},
	} {
		fd, errno := g.open(task, test.path, test.flags, test.rights)
		if errno != test.want {
			t.Errorf("open %s with %d, %#x: %d, want %d", test.path, test.flags, test.rights, errno, test.want)
		}
		if errno == success {
			g.call("fd_close", nil, fd)
		}
	}
}

// Whatever number is no open descriptor is refused, by every call; a folder is no
// file; a file is no folder; nothing can be changed.
func TestFileDescriptors(t *testing.T) {
	g := newFileGuest(t, hostileFolder(t), nil)
	file, dir, closed := g.mustOpen("a.txt"), g.mustOpen("sub"), g.mustOpen("a.txt")
	if errno := g.call("fd_close", nil, closed); errno != success {
		t.Fatal(errno)
	}
	bad := []uint64{closed, closed + 1, 511, 512, 1 << 20, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32}
	for name, types := range fileCalls {
		for _, fd := range bad {
			args := make([]uint64, len(types))
			args[0] = fd
			switch name {
			case "path_symlink":
				args[2], args[0] = fd, dataAt
			case "path_link", "path_rename":
			case "fd_renumber":
				args[1] = file
			}
			if errno := g.call(name, nil, args...); errno != badf {
				t.Errorf("%s of descriptor %d: %d", name, fd, errno)
			}
		}
	}
	for _, test := range []struct {
		name string
		args []uint64
		want int
	}{
		{"fd_read", []uint64{dir, dataAt, 0, outAt}, isDir},
		{"fd_read", []uint64{task, dataAt, 0, outAt}, isDir},
		{"fd_pread", []uint64{dir, dataAt, 0, 0, outAt}, isDir},
		{"fd_readdir", []uint64{file, outAt, 100, 0, outAt + 200}, notDir},
		{"path_open", []uint64{file, 0, dataAt, 1, 0, 0, 0, 0, outAt}, notDir},
		{"path_filestat_get", []uint64{file, 0, dataAt, 1, outAt}, notDir},
		{"fd_prestat_get", []uint64{dir, outAt}, badf},
		{"fd_prestat_get", []uint64{file, outAt}, badf},
		{"fd_prestat_get", []uint64{6, outAt}, badf},
		{"fd_prestat_get", []uint64{task, outAt}, success},
		{"fd_prestat_dir_name", []uint64{task, outAt, 9}, success},
		{"fd_prestat_dir_name", []uint64{task, outAt, 8}, longer},
		{"fd_prestat_dir_name", []uint64{task, outAt, 0}, longer},
		{"fd_write", []uint64{file, dataAt, 0, outAt}, badf},
		{"fd_pwrite", []uint64{file, dataAt, 0, 0, outAt}, roFS},
		{"fd_allocate", []uint64{file, 0, 1}, roFS},
		{"fd_filestat_set_size", []uint64{file, 0}, roFS},
		{"fd_filestat_set_times", []uint64{file, 0, 0, 0}, roFS},
		{"path_create_directory", []uint64{task, dataAt, 1}, roFS},
		{"path_remove_directory", []uint64{task, dataAt, 1}, roFS},
		{"path_unlink_file", []uint64{task, dataAt, 1}, roFS},
		{"path_rename", []uint64{task, dataAt, 1, task, dataAt, 1}, roFS},
		{"path_link", []uint64{task, 0, dataAt, 1, task, dataAt, 1}, roFS},
		{"path_symlink", []uint64{dataAt, 1, task, dataAt, 1}, roFS},
		{"path_filestat_set_times", []uint64{task, 0, dataAt, 1, 0, 0, 0}, roFS},
		{"path_readlink", []uint64{task, dataAt, 1, outAt, 10, outAt + 16}, inval},
		{"fd_sync", []uint64{file}, success},
		{"fd_advise", []uint64{file, 0, 0, 0}, success},
		{"fd_fdstat_set_flags", []uint64{file, 4}, success},
		{"fd_fdstat_get", []uint64{file, outAt}, success},
		{"fd_filestat_get", []uint64{dir, outAt}, success},
		{"fd_filestat_get", []uint64{nowhere, outAt}, success},
		{"fd_close", []uint64{file}, success},
		{"fd_close", []uint64{file}, badf},
	} {
		if errno := g.call(test.name, []byte("x"), test.args...); errno != test.want {
			t.Errorf("%s %v: %d, want %d", test.name, test.args, errno, test.want)
		}
	}
}

// Pointers that lead out of the guest's memory are refused, whatever the call.
func TestFilePointers(t *testing.T) {
	g := newFileGuest(t, hostileFolder(t), nil)
	file, dir := g.mustOpen("a.txt"), g.mustOpen("sub")
	for _, at := range []uint64{memory, memory - 1, math.MaxUint32, math.MaxUint32 - 7, 1 << 31} {
		for _, test := range []struct {
			name string
			args []uint64
		}{
			{"fd_read", []uint64{file, at, 1, outAt}},
			{"fd_read", []uint64{file, dataAt, 1, at}},
			{"fd_pread", []uint64{file, at, 1, 0, outAt}},
			{"fd_pread", []uint64{file, dataAt, 1, 0, at}},
			{"fd_fdstat_get", []uint64{file, at}},
			{"fd_filestat_get", []uint64{file, at}},
			{"fd_seek", []uint64{file, 0, 0, at}},
			{"fd_tell", []uint64{file, at}},
			{"fd_readdir", []uint64{dir, at, 100, 0, outAt}},
			{"fd_readdir", []uint64{dir, outAt, 100, 0, at}},
			{"fd_readdir", []uint64{dir, outAt, math.MaxUint32, 0, outAt}},
			{"fd_prestat_get", []uint64{task, at}},
			{"fd_prestat_dir_name", []uint64{task, at, 9}},
			{"fd_prestat_dir_name", []uint64{task, outAt, math.MaxUint32}},
			{"path_open", []uint64{task, 0, at, 5, 0, 0, 0, 0, outAt}},
			{"path_open", []uint64{task, 0, dataAt, 1, 0, 0, 0, 0, at}},
			{"path_open", []uint64{task, 0, dataAt, math.MaxUint32, 0, 0, 0, 0, outAt}},
			{"path_filestat_get", []uint64{task, 0, at, 5, outAt}},
			{"path_filestat_get", []uint64{task, 0, dataAt, 1, at}},
		} {
			if errno := g.call(test.name, []byte{0, 0, 0, 0, 0, 0, 0, 0}, test.args...); errno != fault {
				t.Errorf("%s %#x: %d", test.name, test.args, errno)
			}
		}
	}
	// The vectors themselves lead out.
	vector := func(at, n uint32) []byte {
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, at), n)
	}
	for _, v := range [][]byte{vector(memory, 1), vector(0, math.MaxUint32), vector(memory-1, 2), vector(math.MaxUint32, math.MaxUint32)} {
		if errno := g.call("fd_read", v, file, dataAt, 1, outAt); errno != fault {
			t.Errorf("read into %x: %d", v, errno)
		}
	}
	// Too many of them, and such as lie over themselves.
	if errno := g.call("fd_read", nil, file, dataAt, 1025, outAt); errno != inval {
		t.Errorf("read into 1025 vectors: %d", errno)
	}
	over := append(vector(dataAt, 8), vector(outAt, 1)...)
	if errno := g.call("fd_read", over, file, dataAt, 2, outAt+100); errno != success && errno != fault {
		t.Errorf("read over the vectors: %d", errno)
	}
	if _, errno := g.seek(file, 0, 0); errno != success {
		t.Error(errno)
	}
	if text, errno := g.read(file, 100); text != "hello world" || errno != success {
		t.Errorf("after all that: %q, %d", text, errno)
	}
}

// Offsets: from start, place and end, none below 0, none that overflows, and pread
// leaves them alone.
func TestFileOffsets(t *testing.T) {
	g := newFileGuest(t, hostileFolder(t), nil)
	fd := g.mustOpen("a.txt")
	for _, test := range []struct {
		by     int64
		whence uint64
		want   uint64
		errno  int
		text   string // that is read there, 5 bytes at most
	}{
		{6, 0, 6, success, "world"},
		{0, 1, 11, success, ""},
		{-5, 2, 6, success, "world"},
		{-8, 1, 3, success, "lo wo"},
		{0, 2, 11, success, ""},
		{100, 0, 100, success, ""},
		{-1, 0, 0, inval, ""},
		{-12, 2, 0, inval, ""},
		{0, 0, 0, success, "hello"},
		{-6, 1, 0, inval, ""},
		{math.MinInt64, 1, 0, inval, ""},
		{0, 3, 0, inval, ""},
		{0, math.MaxUint32, 0, inval, ""},
		{1 << 40, 0, 1 << 40, success, ""},
	} {
		now, errno := g.seek(fd, test.by, test.whence)
		if errno != test.errno || errno == success && now != test.want {
			t.Errorf("seek %d from %d: %d, %d; want %d, %d", test.by, test.whence, now, errno, test.want, test.errno)
		}
		if errno != success {
			continue
		}
		if text, errno := g.read(fd, 5); text != test.text || errno != success {
			t.Errorf("read at %d: %q, %d", now, text, errno)
		}
	}
	for _, at := range []int64{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - math.MaxUint32 + 1} {
		now, errno := g.seek(fd, at, 0)
		if errno != success || now != uint64(at) {
			t.Errorf("seek to %d: %d, %d", at, now, errno)
		}
		if text, errno := g.read(fd, 5); text != "" || errno != success && errno != inval {
			t.Errorf("read at %d: %q, %d", at, text, errno)
		}
		if _, errno := g.seek(fd, math.MaxInt64, 1); errno != inval {
			t.Errorf("seek far from %d: %d", at, errno)
		}
	}
	if _, errno := g.seek(fd, 2, 0); errno != success {
		t.Fatal(errno)
	}
	for _, test := range []struct {
		at    uint64
		want  string
		errno int
	}{{0, "hello", success}, {9, "ld", success}, {11, "", success}, {1 << 62, "", success}, {math.MaxInt64, "", inval}, {math.MaxUint64, "", inval}, {1 << 63, "", inval}} {
		iov := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, outAt+16), 5)
		errno := g.call("fd_pread", iov, fd, dataAt, 1, test.at, outAt)
		if errno != test.errno || errno == success && string(g.in.View()[outAt+16:][:g.u32(outAt)]) != test.want {
			t.Errorf("pread at %d: %d", test.at, errno)
		}
	}
	if errno := g.call("fd_tell", nil, fd, outAt); errno != success || g.u64(outAt) != 2 {
		t.Errorf("tell: %d, %d", errno, g.u64(outAt))
	}
}

// A folder is listed whole through buffers of any size, from any cookie on.
func TestFileReaddir(t *testing.T) {
	dir := hostileFolder(t)
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(dir, "sub", fmt.Sprintf("file-%03d", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list, err := os.ReadDir(filepath.Join(dir, "sub"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range list {
		want = append(want, e.Name())
	}
	g := newFileGuest(t, dir, nil)
	for _, fd := range []uint64{g.mustOpen("sub"), library} {
		for _, size := range []int{1, 23, 24, 25, 40, 100, 4096, 60000} {
			if got := g.entries(fd, size); !slices.Equal(got, want) {
				t.Errorf("buffer of %d: %d entries, want %d", size, len(got), len(want))
			}
		}
	}
	if got := g.entries(nowhere, 1000); len(got) != 0 {
		t.Errorf("an empty mount holds %q", got)
	}
	if errno := g.call("fd_readdir", nil, library, outAt, 0, 0, outAt+100); errno != success || g.u32(outAt+100) != 0 {
		t.Errorf("a buffer of nothing: %d", errno)
	}
	for _, cookie := range []uint64{1, 12345, math.MaxInt64 - 1, math.MaxInt64, 1 << 63, math.MaxUint64} {
		errno := g.call("fd_readdir", nil, library, outAt+16, 1000, cookie, outAt)
		if errno == success && g.u32(outAt) > 1000 {
			t.Errorf("cookie %d: %d bytes", cookie, g.u32(outAt))
		}
		if errno != success && errno != inval && errno != noEnt {
			t.Errorf("cookie %d: %d", cookie, errno)
		}
	}
	if got := g.entries(library, 4096); !slices.Equal(got, want) {
		t.Errorf("after bogus cookies: %d entries", len(got))
	}
}

// Descriptors are the lowest free ones; there is a limit; what is closed is free
// again; and all are given back with the Instance.
func TestFileMany(t *testing.T) {
	g := newFileGuest(t, hostileFolder(t), nil)
	before := openDescriptors(t)
	var fds []uint64
	errno := success
	for errno == success && len(fds) < 2000 {
		var fd uint64
		if fd, errno = g.open(task, "a.txt", 0, 0); errno == success {
			fds = append(fds, fd)
		}
	}
	if errno != mfile || len(fds) < 256 || len(fds) > 1024 {
		t.Errorf("%d files, then %d", len(fds), errno)
	}
	for i, fd := range fds {
		if fd != uint64(6+i) {
			t.Fatalf("file %d has descriptor %d", i, fd)
		}
	}
	if text, errno := g.read(fds[len(fds)-1], 5); text != "hello" || errno != success {
		t.Errorf("the last: %q, %d", text, errno)
	}
	for _, fd := range []uint64{fds[10], fds[3]} {
		if errno := g.call("fd_close", nil, fd); errno != success {
			t.Errorf("close %d: %d", fd, errno)
		}
	}
	for _, want := range []uint64{fds[3], fds[10]} {
		if fd := g.mustOpen("sub"); fd != want {
			t.Errorf("opened as %d, want %d", fd, want)
		}
	}
	g.in.Drop()
	if after := openDescriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// renumber moves a file onto another, whose own is closed.
func TestFileRenumber(t *testing.T) {
	g := newFileGuest(t, hostileFolder(t), nil)
	a, b := g.mustOpen("a.txt"), g.mustOpen("sub/b.txt")
	if _, errno := g.seek(a, 6, 0); errno != success {
		t.Fatal(errno)
	}
	for _, test := range []struct {
		from, to uint64
		want     int
	}{{a, a, success}, {a, 99, badf}, {99, a, badf}, {a, 0, badf}, {1, a, badf}, {a, math.MaxUint32, badf}, {a, b, success}, {a, b, badf}} {
		if errno := g.call("fd_renumber", nil, test.from, test.to); errno != test.want {
			t.Errorf("renumber %d to %d: %d, want %d", test.from, test.to, errno, test.want)
		}
	}
	if text, errno := g.read(b, 100); text != "world" || errno != success {
		t.Errorf("moved: %q, %d", text, errno)
	}
	if _, errno := g.read(a, 1); errno != badf {
		t.Errorf("the old number: %d", errno)
	}
}

// A guest that closes a mount, or puts another file in its place, loses that
// descriptor and nothing else: others below the mount lead where they did.
func TestFileClosedMount(t *testing.T) {
	for _, how := range []string{"closed", "replaced"} {
		t.Run(how, func(t *testing.T) {
			g := newFileGuest(t, hostileFolder(t), nil)
			sub, file := g.mustOpen("sub"), g.mustOpen("a.txt")
			errno := 0
			if how == "closed" {
				errno = g.call("fd_close", nil, task)
			} else {
				errno = g.call("fd_renumber", nil, file, task)
			}
			if errno != success {
				t.Fatal(errno)
			}
			if errno := g.call("fd_prestat_get", nil, task, outAt); errno != badf {
				t.Errorf("prestat: %d", errno)
			}
			if _, errno := g.open(sub, "b.txt", 0, 0); errno != success {
				t.Errorf("open below: %d", errno)
			}
			if errno := g.call("path_filestat_get", []byte(".."), sub, 0, dataAt, 2, outAt); errno != success || g.u64(outAt+16) != 3 {
				t.Errorf("stat of the mount's root from below: %d, type %d", errno, g.u64(outAt+16))
			}
		})
	}
}

// Open files survive into a restored Instance, with descriptor and offset; one that
// is gone meanwhile is an error and not another file.
func TestFileRestore(t *testing.T) {
	dir := hostileFolder(t)
	g := newFileGuest(t, dir, nil)
	a, closed, b, sub := g.mustOpen("a.txt"), g.mustOpen("a.txt"), g.mustOpen("sub/b.txt"), g.mustOpen("sub")
	if errno := g.call("fd_close", nil, closed); errno != success {
		t.Fatal(errno)
	}
	if text, errno := g.read(a, 6); text != "hello " || errno != success {
		t.Fatal(text, errno)
	}
	files := g.in.Files()
	if err := os.Remove(filepath.Join(dir, "sub/b.txt")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		g := newFileGuest(t, dir, files)
		if text, errno := g.read(a, 100); text != "world" || errno != success {
			t.Errorf("%q, %d", text, errno)
		}
		if _, errno := g.read(closed, 1); errno != badf {
			t.Errorf("a closed one: %d", errno)
		}
		if _, errno := g.read(b, 1); errno != noEnt {
			t.Errorf("one that is gone: %d", errno)
		}
		if got := g.entries(sub, 100); !slices.Equal(got, []string{"deep", "out"}) {
			t.Errorf("folder: %q", got)
		}
		if fd := g.mustOpen("a.txt"); fd != closed {
			t.Errorf("the next one is %d, want %d", fd, closed)
		}
	}
}

// What stat says of files and folders, and prestat of the mounts.
func TestFileStat(t *testing.T) {
	dir := hostileFolder(t)
	when := time.Unix(1700000000, 5)
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), when, when); err != nil {
		t.Fatal(err)
	}
	g := newFileGuest(t, dir, nil)
	if errno := g.call("fd_filestat_get", nil, g.mustOpen("a.txt"), outAt); errno != success {
		t.Fatal(errno)
	}
	if kind, size, modified := g.in.View()[outAt+16], g.u64(outAt+32), g.u64(outAt+48); kind != 4 || size != 11 || modified != uint64(when.UnixNano()) {
		t.Errorf("file: type %d, %d bytes, at %d", kind, size, modified)
	}
	for _, fd := range []uint64{task, library, nowhere, g.mustOpen("sub")} {
		if errno := g.call("fd_filestat_get", nil, fd, outAt); errno != success || g.in.View()[outAt+16] != 3 {
			t.Errorf("folder %d: %d, type %d", fd, errno, g.in.View()[outAt+16])
		}
	}
	for fd, name := range map[uint64]string{task: "/var/task", library: "/usr/lib/ledge", nowhere: "/empty"} {
		if errno := g.call("fd_prestat_get", nil, fd, outAt); errno != success || g.u32(outAt) != 0 || g.u32(outAt+4) != uint32(len(name)) {
			t.Errorf("prestat of %s: %d, %d", name, errno, g.u32(outAt+4))
		}
		if errno := g.call("fd_prestat_dir_name", nil, fd, outAt, uint64(len(name))); errno != success || !bytes.HasPrefix(g.in.View()[outAt:], []byte(name)) {
			t.Errorf("name of %s: %d", name, errno)
		}
	}
}
