package persist

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const wasmHead = "\x00asm\x01\x00\x00\x00"

// entry is one entry of a zip that a test makes. A mode of 0 means 0644.
type entry struct {
	name, body string
	mode       fs.FileMode
}

func makeZip(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode == 0 {
			e.mode = 0o644
		}
		h.SetMode(e.mode)
		f, err := w.CreateHeader(h)
		noErr(t, err)
		_, err = io.WriteString(f, e.body)
		noErr(t, err)
	}
	noErr(t, w.Close())
	return b.Bytes()
}

func openCode(t testing.TB, dir string, limits CodeLimits) *Code {
	t.Helper()
	c, err := OpenCode(dir, limits)
	noErr(t, err)
	return c
}

// listTree returns the files below dir with their content and mode.
func listTree(t testing.TB, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		body, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		tree[name] = fmt.Sprintf("%v %s", info.Mode(), body)
		return err
	})
	noErr(t, err)
	return tree
}

func TestPutCode(t *testing.T) {
	module := []byte(wasmHead + "rest")
	for name, c := range map[string]struct {
		blob []byte
		want map[string]string
		kind CodeKind
	}{
		"module": {module, map[string]string{"bootstrap.wasm": "-rw-r--r-- " + string(module)}, CodeModule},
		"zip": {makeZip(t, entry{"lib/", "", fs.ModeDir | 0o755}, entry{"lib/deep/data.txt", "data", 0},
			entry{"./bootstrap.wasm", string(module), 0o755}, entry{"other.wasm", wasmHead, 0}),
			map[string]string{"bootstrap.wasm": "-rwxr-xr-x " + string(module), "lib/deep/data.txt": "-rw-r--r-- data",
				"other.wasm": "-rw-r--r-- " + wasmHead}, CodeModule},
		"zip with one module of any name": {makeZip(t, entry{"hello.wasm", string(module), 0}, entry{"sub/x.wasm", wasmHead, 0}, entry{"a", "", 0}),
			map[string]string{"bootstrap.wasm": "-rw-r--r-- " + string(module), "sub/x.wasm": "-rw-r--r-- " + wasmHead, "a": "-rw-r--r-- "}, CodeModule},
		"zip with AWS's name": {makeZip(t, entry{"bootstrap", string(module), 0o755}, entry{"a.wasm", wasmHead, 0}, entry{"b.wasm", wasmHead, 0}),
			map[string]string{"bootstrap.wasm": "-rwxr-xr-x " + string(module), "a.wasm": "-rw-r--r-- " + wasmHead, "b.wasm": "-rw-r--r-- " + wasmHead}, CodeModule},
		"zip with both names": {makeZip(t, entry{"bootstrap", wasmHead, 0}, entry{"bootstrap.wasm", string(module), 0}),
			map[string]string{"bootstrap": "-rw-r--r-- " + wasmHead, "bootstrap.wasm": "-rw-r--r-- " + string(module)}, CodeModule},
		"files without a module": {makeZip(t, entry{"app.py", "code", 0}, entry{"lib/", "", fs.ModeDir | 0o755}, entry{"./lib/run", "run", 0o755}),
			map[string]string{"app.py": "-rw-r--r-- code", "lib/run": "-rwxr-xr-x run"}, CodeFiles},
		"files with modules": {makeZip(t, entry{"index.mjs", "", 0}, entry{"a.wasm", wasmHead, 0}, entry{"b.wasm", "no Wasm", 0}),
			map[string]string{"index.mjs": "-rw-r--r-- ", "a.wasm": "-rw-r--r-- " + wasmHead, "b.wasm": "-rw-r--r-- no Wasm"}, CodeFiles},
		"files with odd names": {makeZip(t, entry{"a..b/...py", "", 0}, entry{"été.py", "", 0}, entry{"1:2/x y", "", 0}),
			map[string]string{"a..b/...py": "-rw-r--r-- ", "été.py": "-rw-r--r-- ", "1:2/x y": "-rw-r--r-- "}, CodeFiles},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := openCode(t, dir, CodeLimits{})
			info, err := store.Put(c.blob, c.kind)
			noErr(t, err)
			got := listTree(t, store.Path(info.Hash))
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
			again, err := store.Put(c.blob, c.kind)
			noErr(t, err)
			if again != info || info.Size != int64(len(c.blob)) {
				t.Errorf("put again: %+v, before %+v", again, info)
			}
			if entries, err := os.ReadDir(filepath.Join(dir, "code")); err != nil || len(entries) != 1 {
				t.Errorf("the store has %v, %v", entries, err)
			}
			size, err := store.Size(info.Hash)
			noErr(t, err)
			want := 0
			for _, content := range c.want {
				want += len(content) - len("-rw-r--r-- ")
			}
			if size != int64(want) {
				t.Errorf("Size is %d, want %d", size, want)
			}
		})
	}
}

func TestManyFilesAreSynced(t *testing.T) {
	store := openCode(t, t.TempDir(), CodeLimits{})
	entries := []entry{{"bootstrap.wasm", wasmHead, 0}}
	for i := range 3 * fewFiles {
		entries = append(entries, entry{fmt.Sprintf("lib%d/file%d", i%7, i), fmt.Sprint(i), 0})
	}
	info, err := store.Put(makeZip(t, entries...), CodeModule)
	noErr(t, err)
	if got := len(listTree(t, store.Path(info.Hash))); got != len(entries) {
		t.Errorf("%d files, want %d", got, len(entries))
	}
}

// The hash is of what is unpacked: known values hold it to its format, which
// stored databases refer to.
func TestCodeHash(t *testing.T) {
	store := openCode(t, t.TempDir(), CodeLimits{})
	hash := func(blob []byte) string { info, err := store.Put(blob, CodeModule); noErr(t, err); return info.Hash }
	plain := hash([]byte(wasmHead))
	if want := "8df6bb74650ba79bf12244a9b5337654283d84e60dcffc1b068a0f7b547b0521"; plain != want {
		t.Errorf("hash of the empty module is %s, want %s", plain, want)
	}
	ab := []entry{{"bootstrap.wasm", wasmHead, 0}, {"a", "1", 0}}
	for name, c := range map[string]struct {
		a, b []byte
		same bool
	}{
		"module and zip of it":   {[]byte(wasmHead), makeZip(t, entry{"bootstrap.wasm", wasmHead, 0}), true},
		"order of entries":       {makeZip(t, ab[0], ab[1]), makeZip(t, ab[1], ab[0]), true},
		"folders listed":         {makeZip(t, ab...), makeZip(t, ab[0], ab[1], entry{"empty/", "", fs.ModeDir | 0o755}), true},
		"mode beyond executable": {makeZip(t, ab...), makeZip(t, ab[0], entry{"a", "1", 0o600}), true},
		"executable":             {makeZip(t, ab...), makeZip(t, ab[0], entry{"a", "1", 0o755}), false},
		"content":                {makeZip(t, ab...), makeZip(t, ab[0], entry{"a", "2", 0}), false},
		"name":                   {makeZip(t, ab...), makeZip(t, ab[0], entry{"b", "1", 0}), false},
	} {
		if same := hash(c.a) == hash(c.b); same != c.same {
			t.Errorf("%s: same hash is %t, want %t", name, same, c.same)
		}
	}
}

func TestRefusedCodeChangesNothing(t *testing.T) {
	ok := entry{"bootstrap.wasm", wasmHead, 0}
	good := makeZip(t, ok, entry{"a.txt", strings.Repeat("text ", 1000), 0})
	limits := CodeLimits{Entries: 10, FileBytes: 1 << 20, TotalBytes: 2 << 20, Ratio: 100}
	var many []entry
	for i := range 11 {
		many = append(many, entry{fmt.Sprintf("f%d", i), "", 0})
	}
	flags := func(blob []byte, central, local int, set byte) []byte {
		b := bytes.Clone(blob)
		b[bytes.Index(b, []byte("PK\x01\x02"))+central] |= set
		b[local] |= set
		return b
	}
	for name, c := range map[string]struct {
		blob  []byte
		says  string
		files string // what CodeFiles is refused with, where that differs; "-": nothing
	}{
		"nothing":                {nil, "empty", "upload a zip archive"},
		"text":                   {[]byte("hello"), "neither", "not a zip archive"},
		"WebAssembly text":       {[]byte("\n (module)"), "wat2wasm", "not a zip archive"},
		"large module":           {append([]byte(wasmHead), make([]byte, 1<<20)...), "larger", "runtime is for a language"},
		"cut zip":                {good[:len(good)/2], "cut off or damaged", ""},
		"zip without directory":  {[]byte("PK\x03\x04 and no more"), "cut off or damaged", ""},
		"damaged content":        {damageContent(good), "cannot be unpacked", ""},
		"empty zip":              {makeZip(t), "no Wasm module", "has no files"},
		"no module":              {makeZip(t, entry{"a.py", "", 0}), "no Wasm module", "-"},
		"native bootstrap":       {makeZip(t, entry{"bootstrap", "\x7fELF", 0}), "wasm32-wasip1", "-"},
		"several modules":        {makeZip(t, entry{"a.wasm", wasmHead, 0}, entry{"b.wasm", wasmHead, 0}), "a.wasm and b.wasm", "-"},
		"module in a folder":     {makeZip(t, entry{"dist/bootstrap.wasm", wasmHead, 0}), "inside that folder", "-"},
		"module is a folder":     {makeZip(t, entry{"bootstrap.wasm/x.wasm", wasmHead, 0}), "it is a folder", "-"},
		"path upwards":           {makeZip(t, ok, entry{"../evil", "", 0}), "leads out", ""},
		"path upwards inside":    {makeZip(t, ok, entry{"a/../../evil", "", 0}), "leads out", ""},
		"absolute path":          {makeZip(t, ok, entry{"/etc/passwd", "", 0}), "absolute", ""},
		"backslash":              {makeZip(t, ok, entry{`..\evil`, "", 0}), "backslash", ""},
		"drive letter":           {makeZip(t, ok, entry{"C:/evil", "", 0}), "drive letter", ""},
		"drive letter, relative": {makeZip(t, ok, entry{"c:evil", "", 0}), "drive letter", ""},
		"network path":           {makeZip(t, ok, entry{"//host/share", "", 0}), "absolute", ""},
		"path not clean":         {makeZip(t, ok, entry{"a//b", "", 0}), "not clean", ""},
		"dot in path":            {makeZip(t, ok, entry{"a/./b", "", 0}), "not clean", ""},
		"no name":                {makeZip(t, ok, entry{"", "", 0}), "no name", ""},
		"zero byte":              {makeZip(t, ok, entry{"a\x00b", "", 0}), "control character", ""},
		"not UTF-8":              {makeZip(t, ok, entry{"a\xff", "", 0}), "UTF-8", ""},
		"long path":              {makeZip(t, ok, entry{strings.Repeat("a/", 600) + "b", "", 0}), "longer", ""},
		"long name":              {makeZip(t, ok, entry{strings.Repeat("a", 256), "", 0}), "longer", ""},
		"symbolic link":          {makeZip(t, ok, entry{"link", "/etc/passwd", fs.ModeSymlink | 0o777}), "symbolic link", ""},
		"device":                 {makeZip(t, ok, entry{"dev", "", fs.ModeDevice | 0o600}), "not a regular file", ""},
		"link to a folder":       {makeZip(t, ok, entry{"lib", "..", fs.ModeSymlink | 0o777}, entry{"lib/a", "", 0}), "symbolic link", ""},
		"named pipe":             {makeZip(t, ok, entry{"pipe", "", fs.ModeNamedPipe | 0o600}), "not a regular file", ""},
		"same name twice":        {makeZip(t, ok, ok), "two entries", ""},
		"same name, cleaned":     {makeZip(t, ok, entry{"./bootstrap.wasm", wasmHead, 0}), "two entries", ""},
		"same but for case":      {makeZip(t, ok, entry{"App.py", "", 0}, entry{"app.py", "", 0}), `it differs from "App.py" only in case`, ""},
		"folders but for case":   {makeZip(t, ok, entry{"Lib/a", "", 0}, entry{"lib/b", "", 0}), `its folder differs from "Lib" only in case`, ""},
		"cases beyond ASCII":     {makeZip(t, ok, entry{"É", "", 0}, entry{"é", "", 0}), "only in case", ""},
		"file and folder":        {makeZip(t, ok, entry{"a", "", 0}, entry{"a/b", "", 0}), "a file and a folder", ""},
		"folder and file":        {makeZip(t, ok, entry{"a/b", "", 0}, entry{"a", "", 0}), "two entries", ""},
		"many entries":           {makeZip(t, many...), "more than 10 entries", ""},
		"many folders":           {makeZip(t, ok, entry{strings.Repeat("d/", 10) + "a", "", 0}), "more than 10 entries, with the folders", ""},
		"very many entries":      {bytes.Repeat(append(makeZip(t, many...), "PK\x01\x02"...), 20), "more than 10 entries", ""},
		"large file":             {makeZip(t, ok, entry{"big", strings.Repeat("x", 1<<20+1), 0}), "larger", ""},
		"large in all":           {makeZip(t, ok, entry{"a", strings.Repeat("x", 1<<20), 0}, entry{"b", strings.Repeat("x", 1<<20), 0}), "Unzipped size must be smaller than", ""},
		"encrypted":              {flags(good, 8, 6, 1), "encrypted", ""},
		"unknown compression":    {flags(good, 10, 8, 0x40), "method", ""},
		"size that is a lie":     {lieAboutSize(good), "cannot be unpacked", ""},
		"module above the limit": {makeZip(t, entry{"bootstrap.wasm", strings.Repeat("x", 1<<20+1), 0}), "larger", ""},
	} {
		t.Run(name, func(t *testing.T) {
			says := map[CodeKind]string{CodeModule: c.says, CodeFiles: c.files}
			if c.files == "" {
				says[CodeFiles] = c.says
			}
			for kind, says := range says {
				dir := t.TempDir()
				store := openCode(t, dir, limits)
				_, err := store.Put(c.blob, kind)
				if says == "-" {
					noErr(t, err)
					continue
				}
				var archive *ArchiveError
				if !errors.As(err, &archive) || !strings.Contains(err.Error(), says) {
					t.Errorf("kind %d: error %v, want an ArchiveError that says %q", kind, err, says)
				}
				if left, err := os.ReadDir(dir + "/code"); err != nil || len(left) != 0 {
					t.Errorf("kind %d: it left %v, %v", kind, left, err)
				}
			}
		})
	}
}

// damageContent changes a byte of compressed data.
func damageContent(blob []byte) []byte {
	b := bytes.Clone(blob)
	at := bytes.Index(b, []byte("a.txt")) + len("a.txt") + 4
	b[at] ^= 0xff
	return b
}

// lieAboutSize makes the directory say that the large file is small.
func lieAboutSize(blob []byte) []byte {
	b := bytes.Clone(blob)
	at := bytes.LastIndex(b, []byte("PK\x01\x02")) + 24
	b[at], b[at+1] = 100, 0
	return b
}

func TestArchiveBomb(t *testing.T) {
	blob := makeZip(t, entry{"bootstrap.wasm", strings.Repeat("\x00", ratioFloor+1), 0})
	_, err := openCode(t, t.TempDir(), CodeLimits{}).Put(blob, CodeModule)
	var archive *ArchiveError
	if !errors.As(err, &archive) || !strings.Contains(err.Error(), "times its size") {
		t.Errorf("%d bytes that unpack to %d: %v", len(blob), ratioFloor+1, err)
	}
}

func TestPathOfNoHash(t *testing.T) {
	store := openCode(t, t.TempDir(), CodeLimits{})
	for _, hash := range []string{"", "..", "abc", strings.Repeat("A", 64), strings.Repeat("../", 21) + "a"} {
		if path := store.Path(hash); path != "" {
			t.Errorf("Path(%q) is %q", hash, path)
		}
		_, err := store.Size(hash)
		wantErr(t, "Size of "+hash, err, ErrNotFound)
	}
	_, err := store.Size(strings.Repeat("a", 64))
	wantErr(t, "Size of what is not there", err, ErrNotFound)
}

func TestCollect(t *testing.T) {
	dir := t.TempDir()
	store := openCode(t, dir, CodeLimits{})
	now := time.Now()
	store.now = func() time.Time { return now }
	put := func(body string) string {
		info, err := store.Put([]byte(wasmHead+body), CodeModule)
		noErr(t, err)
		return info.Hash
	}
	collect := func(what string, want int, inUse ...string) {
		t.Helper()
		used := map[string]bool{}
		for _, hash := range inUse {
			used[hash] = true
		}
		removed, freed, err := store.Collect(used)
		noErr(t, err)
		if removed != want || freed != int64(want*(len(wasmHead)+1)) {
			t.Errorf("%s: removed %d with %d bytes, want %d", what, removed, freed, want)
		}
	}
	a, b := put("a"), put("b")
	collect("just put", 0)
	collect("in use", 0, a, b)
	collect("one replaced", 1, b)
	if _, err := store.Size(a); !errors.Is(err, ErrNotFound) {
		t.Errorf("a is still there: %v", err)
	}
	c := put("c")
	now = now.Add(putGrace)
	collect("put long ago and never used", 1, b)
	if put("c") != c {
		t.Error("the same code got another hash")
	}
	if _, err := store.Size(c); err != nil {
		t.Errorf("what was put again: %v", err)
	}
	noErr(t, os.WriteFile(filepath.Join(dir, "code", "README"), nil, 0o600))
	store = openCode(t, dir, CodeLimits{})
	collect("after a restart", 1, b)
	if _, err := os.Stat(filepath.Join(dir, "code", "README")); err != nil {
		t.Errorf("what is no code was touched: %v", err)
	}
}

// Who deploys the same code again after a card lost some of it must get it back.
func TestPutMendsDamagedCode(t *testing.T) {
	blob := makeZip(t, entry{"bootstrap.wasm", wasmHead, 0}, entry{"lib/run", "a", 0o755})
	for name, damage := range map[string]func(folder string) error{
		"other bytes":    func(f string) error { return os.WriteFile(filepath.Join(f, "bootstrap.wasm"), []byte("x"), 0o600) },
		"cut off":        func(f string) error { return os.Truncate(filepath.Join(f, "lib", "run"), 0) },
		"a file missing": func(f string) error { return os.Remove(filepath.Join(f, "bootstrap.wasm")) },
		"a file more":    func(f string) error { return os.WriteFile(filepath.Join(f, "more"), nil, 0o600) },
		"another mode":   func(f string) error { return os.Chmod(filepath.Join(f, "lib", "run"), 0o600) },
		"a link":         func(f string) error { return os.Symlink("bootstrap.wasm", filepath.Join(f, "link")) },
		"a folder there": func(f string) error {
			return errors.Join(os.Remove(filepath.Join(f, "lib", "run")), os.Mkdir(filepath.Join(f, "lib", "run"), 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := openCode(t, dir, CodeLimits{})
			info, err := store.Put(blob, CodeModule)
			noErr(t, err)
			want := listTree(t, store.Path(info.Hash))
			noErr(t, damage(store.Path(info.Hash)))
			again, err := store.Put(blob, CodeModule)
			noErr(t, err)
			if have := listTree(t, store.Path(again.Hash)); again.Hash != info.Hash || !maps.Equal(have, want) {
				t.Errorf("the code is %v, want %v", have, want)
			}
			if entries, err := os.ReadDir(filepath.Join(dir, "code")); err != nil || len(entries) != 1 {
				t.Errorf("the code store holds %v, %v", entries, err)
			}
		})
	}
}

// A Put that fails or crashes at any step leaves either no code or all of it,
// and nothing of it stays behind after the next start.
func TestFaultsWhilePutting(t *testing.T) {
	blob := makeZip(t, entry{"bootstrap.wasm", wasmHead, 0}, entry{"lib/a", "a", 0}, entry{"lib/b", "b", 0})
	want := func() map[string]string {
		store := openCode(t, t.TempDir(), CodeLimits{})
		info, err := store.Put(blob, CodeModule)
		noErr(t, err)
		return listTree(t, store.Path(info.Hash))
	}()
	steps := []step{stepCodeCreate, stepCodeWrite, stepCodeSync, stepCodeRename, stepCodeRenamed, stepCodeParentSync}
	for _, at := range steps {
		for _, crash := range []bool{false, true} {
			for nth := range 3 {
				dir := t.TempDir()
				store := openCode(t, dir, CodeLimits{})
				reached := 0
				store.faults = &faults{before: func(s step) error {
					if s == at {
						if reached++; reached == nth+1 {
							if crash {
								panic(errFault)
							}
							return errFault
						}
					}
					return nil
				}}
				err := untilCrash(func() error { _, err := store.Put(blob, CodeModule); return err })
				if reached <= nth {
					continue // this step comes less often
				}
				wantErr(t, string(at), err, errFault)

				store = openCode(t, dir, CodeLimits{})
				left, err := os.ReadDir(filepath.Join(dir, "code"))
				noErr(t, err)
				for _, e := range left {
					if !isHash(e.Name()) {
						t.Errorf("%s, crash %t: %s stayed behind", at, crash, e.Name())
					} else if got := listTree(t, store.Path(e.Name())); fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%s, crash %t: half of the code is there: %q", at, crash, got)
					}
				}
				info, err := store.Put(blob, CodeModule)
				noErr(t, err)
				if got := listTree(t, store.Path(info.Hash)); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s, crash %t: put again: %q", at, crash, got)
				}
			}
		}
	}
}

func TestFaultsWhileCollecting(t *testing.T) {
	for at, there := range map[step]bool{stepCodeRetire: true, stepCodeRemove: false} {
		dir := t.TempDir()
		info, err := openCode(t, dir, CodeLimits{}).Put([]byte(wasmHead), CodeModule)
		noErr(t, err)
		store := openCode(t, dir, CodeLimits{})
		store.faults = failAt(at)
		_, _, err = store.Collect(nil)
		wantErr(t, string(at), err, errFault)
		store = openCode(t, dir, CodeLimits{})
		if _, err := store.Size(info.Hash); (err == nil) != there {
			t.Errorf("%s: %v", at, err)
		}
		if left, err := os.ReadDir(filepath.Join(dir, "code")); err != nil || len(left) > 1 || len(left) == 1 && !there {
			t.Errorf("%s: left are %v, %v", at, left, err)
		}
	}
}

func TestPutAndCollectConcurrently(t *testing.T) {
	store := openCode(t, t.TempDir(), CodeLimits{})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 10 {
				info, err := store.Put(fmt.Append([]byte(wasmHead), (worker+i)%5), CodeModule)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := store.Size(info.Hash); err != nil {
					t.Errorf("code vanished after Put: %v", err)
				}
				if _, _, err := store.Collect(nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzReadArchive: whatever is uploaded, what is accepted is unpacked inside its
// folder, to no more than it claims, and the same on every file system.
func FuzzReadArchive(f *testing.F) {
	ok, app := entry{"bootstrap.wasm", wasmHead, 0}, entry{"app.py", "code", 0}
	f.Add(makeZip(f, ok, entry{"lib/a.txt", "text", 0}))
	f.Add(makeZip(f, entry{"../x.wasm", wasmHead, 0}))
	f.Add(makeZip(f, ok, entry{"link", "x", fs.ModeSymlink | 0o777}))
	f.Add(makeZip(f, entry{"a.wasm", strings.Repeat("\x00", 1<<16), 0}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Add(damageContent(makeZip(f, ok, entry{"a.txt", "some text", 0})))
	f.Add(makeZip(f, app, entry{"lib/", "", fs.ModeDir | 0o755}, entry{"lib/x.py", "", 0}))
	f.Add(makeZip(f, app, entry{"..", "", 0}))
	f.Add(makeZip(f, app, entry{"/etc/passwd", "", 0}))
	f.Add(makeZip(f, app, entry{`C:\x`, "", 0}, entry{"C:/x", "", 0}))
	f.Add(makeZip(f, app, entry{"App.py", "", 0}))
	f.Add(makeZip(f, app, entry{"Lib/a", "", 0}, entry{"lib/b", "", 0}))
	f.Add(makeZip(f, app, entry{"lib", "/", fs.ModeSymlink | 0o777}, entry{"lib/a", "", 0}))
	f.Add(makeZip(f, entry{strings.Repeat("d/", 400) + "app.py", "", 0}))
	f.Add(lieAboutSize(makeZip(f, app, entry{"big", strings.Repeat("x", 1<<12), 0})))
	var many []entry
	for i := range 3000 {
		many = append(many, entry{fmt.Sprint("f", i), "", 0})
	}
	f.Add(makeZip(f, many...))
	limits := CodeLimits{Entries: 8, FileBytes: 1 << 16, TotalBytes: 1 << 17, Ratio: 100}
	f.Fuzz(func(t *testing.T, blob []byte) {
		for _, kind := range []CodeKind{CodeModule, CodeFiles} {
			files, err := readArchive(blob, kind, limits)
			if err != nil {
				var archive *ArchiveError
				if !errors.As(err, &archive) || archive.Why == "" {
					t.Fatalf("error %v is no ArchiveError that says why", err)
				}
				continue
			}
			checkFiles(t, files, kind, limits)
		}
	})
}

func checkFiles(t *testing.T, files []archiveFile, kind CodeKind, limits CodeLimits) {
	module, inodes := false, map[string]bool{}
	var total countingWriter
	for _, file := range files {
		lower := strings.ToLower(file.path)
		if !filepath.IsLocal(file.path) || strings.Contains(file.path, `\`) || inodes[lower] || file.path != filepath.Clean(file.path) {
			t.Fatalf("path %q", file.path)
		}
		if mode := file.zip.Mode(); !mode.IsRegular() {
			t.Fatalf("%q is %s", file.path, mode)
		}
		for at := lower; at != "."; at = filepath.Dir(at) {
			inodes[at] = true
		}
		module = module || file.path == moduleFile
		before := total
		if err := file.copyTo(&total); err == nil && int64(total-before) != file.size {
			t.Fatalf("%q: %d bytes, not %d", file.path, total-before, file.size)
		}
		if int64(total-before) > file.size+1 {
			t.Fatalf("%q unpacks to more than it says", file.path)
		}
	}
	if len(files) == 0 || len(inodes) > limits.Entries || int64(total) > limits.TotalBytes+int64(len(files)) {
		t.Fatalf("%d files, with their folders %d, %d bytes", len(files), len(inodes), total)
	}
	if kind == CodeModule && !module {
		t.Fatal("no module")
	}
}

type countingWriter int64

func (w *countingWriter) Write(p []byte) (int, error) {
	*w += countingWriter(len(p))
	return len(p), nil
}
