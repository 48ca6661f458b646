package persist

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// putFiles stores files by their paths.
func putFiles(t testing.TB, c *Code, files map[string]string) string {
	t.Helper()
	var entries []entry
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entries = append(entries, entry{name, files[name], 0})
	}
	info, err := c.Put(makeZip(t, entries...), CodeFiles)
	noErr(t, err)
	return info.Hash
}

// contents are the files of stored code.
func contents(t testing.TB, c *Code, hash string) map[string]string {
	t.Helper()
	files, err := c.files(hash)
	noErr(t, err)
	found := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(c.Path(hash), f.path))
		noErr(t, err)
		found[f.path] = string(text)
	}
	return found
}

func TestMerge(t *testing.T) {
	c := openCode(t, t.TempDir(), CodeLimits{})
	for _, test := range []struct {
		name   string
		layers []map[string]string
		want   map[string]string
	}{
		{"apart", []map[string]string{{"a/x": "1"}, {"a/y": "2", "z": "3"}}, map[string]string{"a/x": "1", "a/y": "2", "z": "3"}},
		{"the later wins", []map[string]string{{"a": "1", "b": "1"}, {"a": "2"}, {"a": "3", "c": "3"}}, map[string]string{"a": "3", "b": "1", "c": "3"}},
		{"folder over file", []map[string]string{{"a": "1", "b": "1"}, {"a/x/y": "2"}}, map[string]string{"a/x/y": "2", "b": "1"}},
		{"file over folder", []map[string]string{{"a/x/y": "1", "a/z": "1", "ab": "1"}, {"a": "2"}}, map[string]string{"a": "2", "ab": "1"}},
		{"and back", []map[string]string{{"a/x": "1"}, {"a": "2"}, {"a/y": "3"}}, map[string]string{"a/y": "3"}},
		{"one", []map[string]string{{"a": "1"}}, map[string]string{"a": "1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var hashes []string
			for _, files := range test.layers {
				hashes = append(hashes, putFiles(t, c, files))
			}
			merged, size, err := c.Merge(hashes)
			noErr(t, err)
			if got := contents(t, c, merged); !maps.Equal(got, test.want) {
				t.Errorf("merged %v, want %v", got, test.want)
			}
			if is, err := folderHash(c.Path(merged)); err != nil || is != merged {
				t.Errorf("its name is %s, its content %s, %v", merged, is, err)
			}
			if total, err := c.Size(merged); err != nil || total != size {
				t.Errorf("size %d, told %d, %v", total, size, err)
			}
			if again, _, err := c.Merge(hashes); err != nil || again != merged {
				t.Errorf("merged again it is %s, %v", again, err)
			}
			// As when it comes in one archive: the same content has one name.
			if whole := putFiles(t, c, test.want); whole != merged {
				t.Errorf("from an archive it is %s", whole)
			}
		})
	}
}

// Merged code outlives what it was made of, and is as executable.
func TestMergedCodeStandsAlone(t *testing.T) {
	dir := t.TempDir()
	c := openCode(t, dir, CodeLimits{})
	info, err := c.Put(makeZip(t, entry{"bin/run", "#!", 0o755}), CodeFiles)
	noErr(t, err)
	other := putFiles(t, c, map[string]string{"lib": "x"})
	merged, _, err := c.Merge([]string{info.Hash, other})
	noErr(t, err)
	c = openCode(t, dir, CodeLimits{})
	if removed, _, err := c.Collect(map[string]bool{merged: true}); err != nil || removed != 2 {
		t.Errorf("removed %d, %v", removed, err)
	}
	if got := contents(t, c, merged); !maps.Equal(got, map[string]string{"bin/run": "#!", "lib": "x"}) {
		t.Errorf("left %v", got)
	}
	if stat, err := os.Stat(filepath.Join(c.Path(merged), "bin/run")); err != nil || stat.Mode()&0o100 == 0 {
		t.Errorf("mode %v, %v", stat.Mode(), err)
	}
}

func TestMergeRefuses(t *testing.T) {
	dir := t.TempDir()
	c := openCode(t, dir, CodeLimits{Entries: 4, TotalBytes: 10})
	a, b := putFiles(t, c, map[string]string{"a": "12345", "b": "1"}), putFiles(t, c, map[string]string{"c": "12345", "d": "1"})
	many := putFiles(t, c, map[string]string{"e": "", "f": "", "g": ""})
	upper := putFiles(t, c, map[string]string{"C": ""})
	for _, test := range []struct {
		name   string
		hashes []string
		says   string
	}{
		{"too many bytes", []string{a, b}, "more than 10 bytes together"},
		{"too many files", []string{a, many}, "more than 4 entries"},
		{"names that differ in case", []string{b, upper}, "differs from \"C\" only in case"},
		{"unknown", []string{a, strings.Repeat("00", 32)}, "not found"},
		{"no hash", []string{"../x"}, "not found"},
	} {
		if _, _, err := c.Merge(test.hashes); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, codeFolder, tempPrefix+"*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A Merge that fails or crashes at any step leaves what it was made of, nothing
// that is half done, and can be done again.
func TestFaultsWhileMerging(t *testing.T) {
	for _, at := range []step{stepCodeCreate, stepCodeSync, stepCodeRename, stepCodeRenamed, stepCodeParentSync} {
		for _, crash := range []bool{false, true} {
			dir := t.TempDir()
			c := openCode(t, dir, CodeLimits{})
			a, b := putFiles(t, c, map[string]string{"a/x": "1", "b": "1"}), putFiles(t, c, map[string]string{"a/x": "2"})
			c.faults = &faults{before: func(s step) error {
				switch {
				case s == at && crash:
					panic(errFault)
				case s == at:
					return errFault
				}
				return nil
			}}
			err := untilCrash(func() error { _, _, err := c.Merge([]string{a, b}); return err })
			wantErr(t, string(at), err, errFault)

			c = openCode(t, dir, CodeLimits{})
			merged, _, err := c.Merge([]string{a, b})
			noErr(t, err)
			left, err := os.ReadDir(filepath.Join(dir, codeFolder))
			noErr(t, err)
			if len(left) != 3 {
				t.Errorf("%s, crash %t: the store has %v", at, crash, left)
			}
			for hash, want := range map[string]map[string]string{a: {"a/x": "1", "b": "1"}, b: {"a/x": "2"}, merged: {"a/x": "2", "b": "1"}} {
				if got := contents(t, c, hash); !maps.Equal(got, want) {
					t.Errorf("%s, crash %t: %v, want %v", at, crash, got, want)
				}
			}
		}
	}
}

// An archive of stored code has the same files, and is the same each time.
func TestWriteZip(t *testing.T) {
	c := openCode(t, t.TempDir(), CodeLimits{})
	info, err := c.Put(makeZip(t, entry{"bin/run", "#!/x", 0o755}, entry{"app.py", strings.Repeat("x", 5000), 0}), CodeFiles)
	noErr(t, err)
	var first, second bytes.Buffer
	noErr(t, c.WriteZip(&first, info.Hash))
	noErr(t, c.WriteZip(&second, info.Hash))
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two archives of one code differ")
	}
	again, err := c.Put(first.Bytes(), CodeFiles)
	if err != nil || again.Hash != info.Hash {
		t.Errorf("stored again it is %s, %v", again.Hash, err)
	}
	z, err := zip.NewReader(bytes.NewReader(first.Bytes()), int64(first.Len()))
	noErr(t, err)
	if len(z.File) != 2 || z.File[0].Name != "app.py" || z.File[1].Mode()&0o100 == 0 {
		t.Errorf("entries %+v", z.File)
	}
	for _, hash := range []string{strings.Repeat("00", 32), "../x", ""} {
		var b bytes.Buffer
		if err := c.WriteZip(&b, hash); b.Len() != 0 {
			t.Errorf("%q wrote %d bytes", hash, b.Len())
		} else {
			wantErr(t, hash, err, ErrNotFound)
		}
	}
	if err := c.WriteZip(brokenWriter{}, info.Hash); err == nil {
		t.Error("a writer that fails is no error")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// FuzzMerge compares overlays with what unpacking the layers one after another
// into a model of a file system gives.
func FuzzMerge(f *testing.F) {
	f.Add("a/x\na/y", "a", "a/z")
	f.Add("a\nb", "a/b/c", "b")
	f.Add("", "a", "")
	f.Fuzz(func(t *testing.T, first, second, third string) {
		if len(first)+len(second)+len(third) > 4<<10 { // the model is slow
			return
		}
		merged := map[string]mergedFile{}
		model := map[string]string{} // file to the layer that it is of
		for i, list := range []string{first, second, third} {
			folder := fmt.Sprint(i)
			var files []storedFile
			paths := claims{}
			for name := range strings.SplitSeq(list, "\n") {
				// Layers are what readArchive lets through.
				if clean, err := entryPath(&zip.File{FileHeader: zip.FileHeader{Name: name}}); err == nil && clean == name && name != "." && paths.add(name, name, false) == nil {
					files = append(files, storedFile{path: name})
				}
			}
			overlayFiles(merged, files, folder)
			for _, file := range files {
				for other := range maps.Clone(model) {
					if strings.HasPrefix(other, file.path+"/") || strings.HasPrefix(file.path, other+"/") {
						delete(model, other)
					}
				}
				model[file.path] = folder
			}
		}
		got := map[string]string{}
		for name, file := range merged {
			got[name] = file.folder
			if file.path != name {
				t.Errorf("%q is kept as %q", file.path, name)
			}
			for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
				if _, both := merged[parent]; both {
					t.Errorf("%q is a file and a folder", parent)
				}
			}
		}
		if !maps.Equal(got, model) {
			t.Errorf("merged %v, want %v", got, model)
		}
	})
}
