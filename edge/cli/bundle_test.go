package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestZipFolderIsDeterministic(t *testing.T) {
	content := map[string]string{
		"bootstrap.wasm": emptyModule,
		"b/z.txt":        "z",
		"b.txt":          "b",
		"a/deep/x.bin":   strings.Repeat("x", 10_000),
		".git/HEAD":      "left out",
		"a/.DS_Store":    "left out",
		".venv/bin/x":    "left out",

		"a/__pycache__/app.pyc":   "left out",
		"node_modules/.cache/x":   "left out",
		"a/node_modules/.cache/x": "left out",
		"node_modules/x/index.js": "kept",
		"cache/.cache":            "kept",
	}
	var zips [][]byte
	for i := range 2 {
		dir := t.TempDir()
		for name, text := range content { // in a random order
			writeFile(t, filepath.Join(dir, name), text)
			when := time.Now().Add(-time.Duration(i) * time.Hour)
			if err := os.Chtimes(filepath.Join(dir, name), when, when); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, "b.txt"), []fs.FileMode{0o755, 0o700}[i]); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("b/z.txt", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		blob, err := zipFolder(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		zips = append(zips, blob)
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("the same files gave two zips")
	}

	r, err := zip.NewReader(bytes.NewReader(zips[0]), int64(len(zips[0])))
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for _, f := range r.File {
		list.WriteString(f.Name + " " + f.Mode().String() + "\n")
		if !f.Modified.Equal(packedAt()) {
			t.Errorf("%s has the time %s", f.Name, f.Modified)
		}
		body, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		want, ok := content[f.Name]
		if f.Name == "link" {
			want, ok = "z", true
		}
		if !ok || string(text) != want {
			t.Errorf("%s holds %d bytes, want %d", f.Name, len(text), len(want))
		}
	}
	const want = "a/deep/x.bin -rw-r--r--\nb/z.txt -rw-r--r--\nb.txt -rwxr-xr-x\nbootstrap.wasm -rw-r--r--\n" +
		"cache/.cache -rw-r--r--\nlink -rw-r--r--\nnode_modules/x/index.js -rw-r--r--\n"
	if list.String() != want {
		t.Errorf("entries:\n%swant:\n%s", list.String(), want)
	}
}

func TestZipFolderRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(t *testing.T, dir string)
		want  string
	}{
		{"link out", func(t *testing.T, dir string) { link(t, "/etc/hostname", dir+"/secret") }, "secret is a link to nothing inside the folder"},
		{"link up", func(t *testing.T, dir string) { link(t, "../x", dir+"/up") }, "up is a link to nothing inside the folder"},
		{"broken link", func(t *testing.T, dir string) { link(t, "none", dir+"/broken") }, "broken is a link to nothing inside the folder"},
		{"link to a folder", func(t *testing.T, dir string) { link(t, ".", dir+"/loop") }, "loop is a link to a folder"},
		{"pipe", func(t *testing.T, dir string) {
			if err := syscall.Mkfifo(dir+"/pipe", 0o600); err != nil {
				t.Fatal(err)
			}
		}, "pipe is not a regular file"},
		{"too much", func(t *testing.T, dir string) {
			writeFile(t, dir+"/bootstrap.wasm", "")
			if err := os.Truncate(dir+"/bootstrap.wasm", maxUnpacked+1); err != nil { // a hole: it takes no room
				t.Fatal(err)
			}
		}, "are larger than 250 MB together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.build(t, dir)
			_, err := zipFolder(t.Context(), dir)
			var told *Error
			if !errors.As(err, &told) || !strings.Contains(told.Message, c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestZipFolderStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	writeFile(t, dir+"/bootstrap.wasm", emptyModule)
	if _, err := zipFolder(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}
