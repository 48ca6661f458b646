package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"
)

// content is what the bundle of these tests has.
var content = map[string]string{
	CodeFile:                 "the code",
	ImageFile:                "the image",
	"library/a.zip":          strings.Repeat("library ", 10000),
	"library/deep/er/b.text": "b",
	"library/empty":          "",
}

func compressed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bundleFiles returns the files of a bundle that is right; change may make it wrong.
func bundleFiles(t *testing.T, change func(m *Manifest, files fstest.MapFS)) fstest.MapFS {
	t.Helper()
	m := Manifest{Name: "python", Version: "3", Recipe: "r", Files: map[string]File{}}
	files := fstest.MapFS{}
	for name, text := range content {
		m.Files[name] = Describe([]byte(text))
		files[name+Suffix] = &fstest.MapFile{Data: compressed(t, text)}
	}
	if change != nil {
		change(&m, files)
	}
	if files[ManifestFile] == nil {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		files[ManifestFile] = &fstest.MapFile{Data: text}
	}
	return files
}

func TestOpen(t *testing.T) {
	b, err := Open(bundleFiles(t, nil))
	if err != nil || b.Name != "python" || b.Recipe != "r" {
		t.Fatalf("%+v, %v", b, err)
	}
	for name, want := range content {
		if got, err := b.Read(name); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if _, err := b.Read("nothing"); err == nil {
		t.Error("a file that is not there was read")
	}
	if _, err := Open(fstest.MapFS{"README": {}}); !errors.Is(err, ErrMissing) {
		t.Errorf("an empty bundle: %v", err)
	}
	for name, text := range map[string]string{"cut": `{"name":"python"`, "empty": "", "no object": `[]`, "no files": `{"name":"python"}`, "no image": `{"files":{"code.wasm":{}}}`} {
		files := fstest.MapFS{ManifestFile: {Data: []byte(text)}}
		if _, err := Open(files); err == nil || errors.Is(err, ErrMissing) {
			t.Errorf("manifest that is %s: %v", name, err)
		}
	}
}

// A file that is not what the manifest says is never handed out.
func TestReadDamaged(t *testing.T) {
	packed := CodeFile + Suffix
	for name, damage := range map[string]func(m *Manifest, files fstest.MapFS){
		"missing":            func(_ *Manifest, files fstest.MapFS) { delete(files, packed) },
		"empty":              func(_ *Manifest, files fstest.MapFS) { files[packed].Data = nil },
		"cut":                func(_ *Manifest, files fstest.MapFS) { files[packed].Data = files[packed].Data[:10] },
		"no zstd":            func(_ *Manifest, files fstest.MapFS) { files[packed].Data = []byte("the code") },
		"another's":          func(_ *Manifest, files fstest.MapFS) { files[packed] = files[ImageFile+Suffix] },
		"other content":      func(_ *Manifest, files fstest.MapFS) { files[packed].Data = compressed(t, "the cod3") },
		"longer":             func(m *Manifest, _ fstest.MapFS) { m.Files[CodeFile] = File{Size: 9, SHA256: m.Files[CodeFile].SHA256} },
		"shorter":            func(m *Manifest, _ fstest.MapFS) { m.Files[CodeFile] = File{Size: 7, SHA256: m.Files[CodeFile].SHA256} },
		"larger than memory": func(m *Manifest, _ fstest.MapFS) { m.Files[CodeFile] = File{Size: 1 << 62} },
		"of negative size":   func(m *Manifest, _ fstest.MapFS) { m.Files[CodeFile] = File{Size: -1} },
		"without hash":       func(m *Manifest, _ fstest.MapFS) { m.Files[CodeFile] = File{Size: 8} },
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Open(bundleFiles(t, damage))
			if err != nil {
				t.Fatal(err)
			}
			if data, err := b.Read(CodeFile); err == nil || !strings.Contains(err.Error(), CodeFile) {
				t.Errorf("%q, %v", data, err)
			}
			if data, err := b.Read(ImageFile); err != nil || string(data) != content[ImageFile] {
				t.Errorf("the other file: %q, %v", data, err)
			}
		})
	}
}

// checkLibrary checks that dir has the library of content and nothing half.
func checkLibrary(t *testing.T, dir string) {
	t.Helper()
	have := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		have[LibraryDir+"/"+filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(content)
	delete(want, CodeFile)
	delete(want, ImageFile)
	if !maps.Equal(have, want) {
		t.Errorf("the library has %d files, want %d", len(have), len(want))
	}
}

// Unpack makes the library, leaves a good one alone and repairs any other.
func TestUnpack(t *testing.T) {
	b, err := Open(bundleFiles(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	a := "a.zip"
	for name, damage := range map[string]func(dir string) error{
		"nothing there":  os.RemoveAll,
		"good":           func(string) error { return nil },
		"removed file":   func(dir string) error { return os.Remove(filepath.Join(dir, a)) },
		"removed folder": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "deep")) },
		"cut file":       func(dir string) error { return os.Truncate(filepath.Join(dir, a), 100) },
		"empty file":     func(dir string) error { return os.Truncate(filepath.Join(dir, a), 0) },
		"file of zeros": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, a), make([]byte, len(content["library/a.zip"])), 0o600)
		},
		"longer file":     func(dir string) error { return os.Truncate(filepath.Join(dir, a), 1<<20) },
		"unfinished file": func(dir string) error { return os.Rename(filepath.Join(dir, a), filepath.Join(dir, a+".tmp")) },
		"read-only file": func(dir string) error {
			return errors.Join(os.Truncate(filepath.Join(dir, a), 5), os.Chmod(filepath.Join(dir, a), 0o400))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "library")
			if has, err := b.Unpack(dir); !has || err != nil {
				t.Fatal(has, err)
			}
			checkLibrary(t, dir)
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			if has, err := b.Unpack(dir); !has || err != nil {
				t.Fatal(has, err)
			}
			checkLibrary(t, dir)
		})
	}
}

// A library that is good is not written again: other processes may have it mapped.
func TestUnpackTouchesNothing(t *testing.T) {
	b, err := Open(bundleFiles(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := b.Unpack(dir); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(filepath.Join(dir, "a.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Unpack(dir); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(filepath.Join(dir, "a.zip")); err != nil || !os.SameFile(before, after) {
		t.Errorf("it is another file: %v", err)
	}
}

func TestUnpackFails(t *testing.T) {
	t.Run("without library", func(t *testing.T) {
		b, err := Open(bundleFiles(t, func(m *Manifest, _ fstest.MapFS) {
			maps.DeleteFunc(m.Files, func(name string, _ File) bool { return strings.HasPrefix(name, LibraryDir) })
		}))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "library")
		if has, err := b.Unpack(dir); has || err != nil {
			t.Errorf("%v, %v", has, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the folder was made: %v", err)
		}
	})
	t.Run("damaged bundle", func(t *testing.T) {
		b, err := Open(bundleFiles(t, func(_ *Manifest, files fstest.MapFS) { files["library/a.zip"+Suffix].Data = []byte("x") }))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Unpack(t.TempDir()); err == nil {
			t.Error("a damaged library was unpacked")
		}
	})
	t.Run("a folder in the way", func(t *testing.T) {
		b, err := Open(bundleFiles(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "a.zip", "x"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Unpack(dir); err == nil {
			t.Error("unpacked over a folder")
		}
	})
	t.Run("names that lead out", func(t *testing.T) {
		outside := t.TempDir()
		b, err := Open(bundleFiles(t, func(m *Manifest, files fstest.MapFS) {
			m.Files["library/../../escaped"] = Describe([]byte("x"))
			files["library/../../escaped"+Suffix] = &fstest.MapFile{Data: compressed(t, "x")}
		}))
		if err == nil {
			_, err = b.Unpack(filepath.Join(outside, "a", "library"))
		}
		if _, statErr := os.Stat(filepath.Join(outside, "escaped")); statErr == nil || err == nil {
			t.Errorf("it was unpacked outside: %v", err)
		}
	})
}

func TestCompiled(t *testing.T) {
	machine := "machine code"
	facts, err := json.Marshal(Compiled{Code: "c", Key: "k", File: Describe([]byte(machine))})
	if err != nil {
		t.Fatal(err)
	}
	files := func() fstest.MapFS {
		return fstest.MapFS{"wide.json": {Data: facts}, "wide" + CompiledSuffix: {Data: compressed(t, machine)}}
	}
	c, err := OpenCompiled(files(), "wide")
	if err != nil || c.Code != "c" || c.Key != "k" {
		t.Fatalf("%+v, %v", c, err)
	}
	if got, err := c.Read(); err != nil || string(got) != machine {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := OpenCompiled(files(), "narrow"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
	for name, damage := range map[string]func(fstest.MapFS){
		"facts":         func(f fstest.MapFS) { f["wide.json"].Data = []byte("{") },
		"size":          func(f fstest.MapFS) { f["wide.json"].Data = []byte(`{"Size":1000000000000}`) },
		"negative size": func(f fstest.MapFS) { f["wide.json"].Data = []byte(`{"Size":-5}`) },
		"missing":       func(f fstest.MapFS) { delete(f, "wide"+CompiledSuffix) },
		"content":       func(f fstest.MapFS) { f["wide"+CompiledSuffix].Data = compressed(t, "machine cod3") },
		"compression":   func(f fstest.MapFS) { f["wide"+CompiledSuffix].Data = []byte(machine) },
	} {
		f := files()
		damage(f)
		c, err := OpenCompiled(f, "wide")
		if err == nil {
			_, err = c.Read()
		}
		if err == nil {
			t.Errorf("damaged %s was read", name)
		}
	}
}
