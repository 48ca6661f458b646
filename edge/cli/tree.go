package cli

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// tree is what is in a zip, or in the folder that it was made from.
type tree struct {
	name  string // for people: where it came from
	files map[string]*zip.File
	paths []string // of files, in order

	broken string // what was wrong with a file that could not be unpacked; empty: nothing so far
}

// readTree lists the files of a zip, or returns nil where it cannot be read or
// has what the node refuses: the node says what is wrong with it, and better.
func readTree(name string, blob []byte) *tree {
	r, err := zip.NewReader(bytes.NewReader(blob), int64(len(blob)))
	if err != nil {
		return nil
	}
	t := &tree{name: name, files: make(map[string]*zip.File, len(r.File))}
	for _, f := range r.File {
		if refused(f) {
			return nil
		}
		if at := strings.TrimPrefix(f.Name, "./"); !strings.HasSuffix(at, "/") {
			t.files[at] = f
			t.paths = append(t.paths, at)
		}
	}
	slices.Sort(t.paths)
	return t
}

// refused reports whether the node refuses every zip with such an entry,
// whatever its runtime. It need not know all reasons.
func refused(f *zip.File) bool {
	at := strings.TrimSuffix(strings.TrimPrefix(f.Name, "./"), "/")
	folder := strings.HasSuffix(f.Name, "/")
	control := func(c rune) bool { return c < ' ' || c == 0x7f }
	switch {
	case at == "":
		return f.Name != "./"
	case !fs.ValidPath(at), strings.Contains(at, `\`), strings.ContainsFunc(at, control):
		return true
	case folder:
		return false
	}
	encrypted := f.Flags&0x1 != 0
	return !f.Mode().IsRegular() || encrypted || f.Method != zip.Store && f.Method != zip.Deflate
}

// maxSource bounds what is read of a file to find a handler in it, in bytes.
const maxSource = 8 << 20

// read returns the text of a file, without a mark of UTF-8, or nothing where
// there is none.
func (t *tree) read(at string) []byte {
	f := t.files[at]
	if f == nil {
		return nil
	}
	text, err := func() ([]byte, error) {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close() // opened for reading: closing loses nothing
		return io.ReadAll(io.LimitReader(r, maxSource))
	}()
	if err != nil {
		t.broken = fmt.Sprintf("%s in %s cannot be unpacked: %s", at, t.name, err)
		return nil
	}
	return bytes.TrimPrefix(text, []byte(utf8Mark))
}

// top returns the files at the top whose names end so.
func (t *tree) top(exts ...string) []string {
	var at []string
	for _, name := range t.paths {
		if !strings.Contains(name, "/") && slices.Contains(exts, path.Ext(name)) {
			at = append(at, name)
		}
	}
	return at
}

// hasModule reports whether the node would find a Wasm module to run.
func (t *tree) hasModule() bool { return t.files[moduleFile] != nil || len(t.top(".wasm")) == 1 }

// hasFolder reports whether one of these folders is at the top, with a file in it.
func (t *tree) hasFolder(names ...string) bool {
	return slices.ContainsFunc(t.paths, func(at string) bool {
		first, _, inFolder := strings.Cut(at, "/")
		return inFolder && slices.Contains(names, first)
	})
}

// only returns the folder that all files are in, or nothing. What macOS adds to
// zips and folders does not count.
func (t *tree) only() string {
	folder := ""
	for _, at := range t.paths {
		first, _, deep := strings.Cut(at, "/")
		switch {
		case first == "__MACOSX", first == ".DS_Store":
		case !deep, folder != "" && first != folder:
			return ""
		default:
			folder = first
		}
	}
	return folder
}

// list names the first files, those at the top before others.
func (t *tree) list() string {
	const most = 8
	if len(t.paths) == 0 {
		return "no files"
	}
	var names []string
	for _, deep := range []bool{false, true} {
		for _, at := range t.paths {
			if strings.Contains(at, "/") == deep && len(names) < most {
				names = append(names, at)
			}
		}
	}
	text := strings.Join(names, ", ")
	if more := len(t.paths) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
