package persist

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// moduleFile is the name of the Wasm module in a code folder.
const moduleFile = "bootstrap.wasm"

// bootstrapFile is the name of a custom runtime's program in AWS Lambda
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html).
const bootstrapFile = "bootstrap"

// Bounds of paths in an archive: Linux's NAME_MAX, and what leaves room below
// PATH_MAX for the folder that the files go to.
const (
	maxElementBytes = 255
	maxEntryBytes   = 1024
)

// ratioFloor is the unpacked size up to which no compression ratio is suspect.
const ratioFloor = 16 << 20

// ArchiveError says why uploaded code was refused. Nothing was stored.
type ArchiveError struct {
	Entry string // path inside the archive; empty where the whole is at fault
	Why   string
	Hint  string // what to do next; may be empty
	// NoModule says that nothing else is wrong than that there is no module: the
	// archive may be the code of a language.
	NoModule bool
}

func (e *ArchiveError) Error() string {
	text := e.Why
	if e.Entry != "" {
		text = fmt.Sprintf("%q: %s", e.Entry, e.Why)
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// archiveFile is one regular file of an archive that passed all checks.
type archiveFile struct {
	path string // cleaned, relative, with slashes
	exec bool   // for its owner
	size int64  // bytes, as the archive claims; copyTo holds it to that
	zip  *zip.File
}

// readArchive lists the files of a zip archive
// (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), sorted by
// path, or returns an *ArchiveError. Nothing is unpacked yet. Folders are not
// listed: they exist as far as files lie in them.
func readArchive(blob []byte, kind CodeKind, limits CodeLimits) ([]archiveFile, error) {
	// zip.Reader makes a record of every directory entry before it can be asked
	// how many there are. Signatures are an upper bound of that; archives that
	// are stored inside may add some, hence the factor.
	if n := bytes.Count(blob, []byte("PK\x01\x02")); n > 16*limits.Entries {
		return nil, tooManyEntries(limits)
	}
	r, err := zip.NewReader(bytes.NewReader(blob), int64(len(blob)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // paths are checked below
		return nil, &ArchiveError{
			Why:  "the zip archive is cut off or damaged (" + err.Error() + ")",
			Hint: "upload it again, or check it with unzip -t",
		}
	}
	if len(r.File) > limits.Entries {
		return nil, tooManyEntries(limits)
	}
	var (
		files []archiveFile
		total int64
		paths = make(claims, len(r.File))
	)
	for _, f := range r.File {
		name, err := entryPath(f)
		if err != nil {
			return nil, err
		}
		folder := strings.HasSuffix(f.Name, "/")
		if err := paths.add(f.Name, name, folder); err != nil {
			return nil, err
		}
		if len(paths) > limits.Entries { // folders that no entry names are made too
			return nil, tooManyEntries(limits)
		}
		if folder {
			continue
		}
		if err := checkEntry(f, limits); err != nil {
			return nil, err
		}
		size := int64(f.UncompressedSize64) // checkEntry bounds it
		if total += size; total > limits.TotalBytes {
			return nil, &ArchiveError{
				Why:  fmt.Sprintf("Unzipped size must be smaller than %d bytes", limits.TotalBytes), // in AWS Lambda's words
				Hint: "leave out what the function does not need",
			}
		}
		files = append(files, archiveFile{path: name, exec: f.Mode()&0o100 != 0, size: size, zip: f})
	}
	if total > ratioFloor && total/limits.Ratio > int64(len(blob)) {
		return nil, &ArchiveError{
			Why:  fmt.Sprintf("it unpacks to more than %d times its size, as an archive made to fill disks does", limits.Ratio),
			Hint: "store large empty files outside the code",
		}
	}
	slices.SortFunc(files, func(a, b archiveFile) int { return strings.Compare(a.path, b.path) })
	if kind == CodeModule {
		return chooseModule(files)
	}
	if len(files) == 0 {
		return nil, &ArchiveError{Why: "it has no files", Hint: "put the handler's file at its top"}
	}
	return files, nil
}

func tooManyEntries(limits CodeLimits) error {
	return &ArchiveError{
		Why:  fmt.Sprintf("it has more than %d entries, with the folders that they are in", limits.Entries),
		Hint: "leave out what the function does not need",
	}
}

// entryPath returns the path of an entry, made clean, if it stays inside the
// folder that the archive is unpacked to.
func entryPath(f *zip.File) (string, error) {
	refuse := func(why, hint string) (string, error) {
		return "", &ArchiveError{Entry: f.Name, Why: why, Hint: hint}
	}
	name := strings.TrimPrefix(f.Name, "./")
	name = strings.TrimSuffix(name, "/")
	switch {
	case name == "" && f.Name == "./":
		return ".", nil
	case name == "":
		return refuse("the entry has no name", "make the archive again")
	case len(name) > maxEntryBytes:
		return refuse(fmt.Sprintf("the path is longer than %d bytes", maxEntryBytes), "use shorter names")
	case !utf8.ValidString(name):
		return refuse("the name is not UTF-8", "rename the file, or make the archive with zip")
	case strings.HasPrefix(name, "/"):
		return refuse("the path is absolute", "make the archive from inside the folder")
	case len(name) > 1 && name[1] == ':' && 'a' <= name[0]|0x20 && name[0]|0x20 <= 'z':
		return refuse("the path has a drive letter", "make the archive from inside the folder")
	case strings.Contains(name, `\`):
		return refuse("the path has a backslash", "make the archive with forward slashes")
	}
	for _, c := range name {
		if c < ' ' || c == 0x7f {
			return refuse("the name has a control character", "rename the file")
		}
	}
	for element := range strings.SplitSeq(name, "/") {
		switch {
		case element == "..":
			return refuse("the path leads out of the archive", "make the archive from inside the folder")
		case element == "" || element == ".":
			return refuse("the path is not clean", "make the archive with zip -r")
		case len(element) > maxElementBytes:
			return refuse(fmt.Sprintf("the name is longer than %d bytes", maxElementBytes), "use shorter names")
		}
	}
	return name, nil
}

// claims are the paths that an archive's entries take, and the folders that
// these are in, by their names in lower case: which files a function has must
// not depend on whether the file system tells a and A apart.
type claims map[string]claim

type claim struct {
	path   string
	folder bool
}

// add notes that an entry is at name. It refuses a second entry there, or at a
// name that differs only in case, and a file where another entry needs a
// folder. Folders may be listed twice.
func (c claims) add(entry, name string, folder bool) error {
	refuse := func(why, hint string) error { return &ArchiveError{Entry: entry, Why: why, Hint: hint} }
	const again = "make the archive again"
	there, taken := c[strings.ToLower(name)]
	switch {
	case taken && there.path != name:
		return refuse(fmt.Sprintf("it differs from %q only in case", there.path), "rename one of them")
	case taken && !(folder && there.folder):
		return refuse("the archive has two entries of that name", again)
	}
	c[strings.ToLower(name)] = claim{name, folder}
	for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
		there, taken := c[strings.ToLower(parent)]
		switch {
		case taken && there.path != parent:
			return refuse(fmt.Sprintf("its folder differs from %q only in case", there.path), "rename one of them")
		case taken && !there.folder:
			return refuse(fmt.Sprintf("%q is a file and a folder", parent), again)
		case taken:
			return nil // and so are those above
		}
		c[strings.ToLower(parent)] = claim{parent, true}
	}
	return nil
}

// checkEntry refuses what is not a regular file that can be unpacked.
func checkEntry(f *zip.File, limits CodeLimits) error {
	refuse := func(why, hint string) error { return &ArchiveError{Entry: f.Name, Why: why, Hint: hint} }
	switch mode := f.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return refuse("it is a symbolic link", "make the archive without zip's option -y, so that it has the file itself")
	case !mode.IsRegular():
		return refuse("it is not a regular file", "leave it out")
	case f.Flags&0x1 != 0: // APPNOTE 4.4.4, bit 0
		return refuse("it is encrypted", "make the archive without a password")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return refuse(fmt.Sprintf("it is compressed by method %d", f.Method), "use deflate, the default of zip")
	case f.UncompressedSize64 > uint64(limits.FileBytes):
		return refuse(fmt.Sprintf("it is larger than %d bytes", limits.FileBytes), "split it or leave it out")
	}
	return nil
}

// chooseModule makes sure that there is one module at the top, and that it is
// called bootstrap.wasm. One that is called bootstrap, as AWS Lambda's custom
// runtimes want it, and one that is the only one there are renamed.
func chooseModule(files []archiveFile) ([]archiveFile, error) {
	if slices.ContainsFunc(files, func(f archiveFile) bool { return f.path == moduleFile }) {
		return files, nil
	}
	var modules []int
	nested, native := "", false
	for i, f := range files {
		switch name := strings.ToLower(f.path); {
		case strings.HasPrefix(name, moduleFile+"/"):
			return nil, &ArchiveError{Entry: moduleFile, Why: "it is a folder", Hint: "put the module at the top under that name"}
		case f.path == bootstrapFile && f.isModule():
			return renamed(files, i), nil
		case f.path == bootstrapFile:
			native = true
		case !strings.HasSuffix(name, ".wasm"):
		case !strings.Contains(f.path, "/"):
			modules = append(modules, i)
		case nested == "":
			nested = f.path
		}
	}
	switch {
	case len(modules) == 1:
		return renamed(files, modules[0]), nil
	case len(modules) > 1:
		return nil, &ArchiveError{
			Why:  fmt.Sprintf("it has several modules, such as %s and %s", files[modules[0]].path, files[modules[1]].path),
			Hint: "name the one to run " + moduleFile,
		}
	case nested != "":
		return nil, &ArchiveError{
			Why:  "it has no module at the top, but " + nested,
			Hint: "make the archive from inside that folder, so that the module is at its top",
		}
	case native:
		return nil, &ArchiveError{
			Entry: bootstrapFile,
			Why:   "it has no Wasm module",
			Hint:  "this node runs WebAssembly: build for wasm32-wasip1 and name the result " + moduleFile,
		}
	}
	return nil, &ArchiveError{Why: "it has no Wasm module", Hint: "put the module at its top as " + moduleFile, NoModule: true}
}

// renamed returns files with the module at i under its name.
func renamed(files []archiveFile, i int) []archiveFile {
	files[i].path = moduleFile
	slices.SortFunc(files, func(a, b archiveFile) int { return strings.Compare(a.path, b.path) })
	return files
}

// isModule reports whether the file starts as a Wasm module does. One that
// cannot be unpacked does not; copyTo says why.
func (f archiveFile) isModule() bool {
	r, err := f.zip.Open()
	if err != nil {
		return false
	}
	defer r.Close()
	var head [4]byte
	_, err = io.ReadFull(r, head[:])
	return err == nil && isModule(head[:])
}

// copyTo unpacks the file to w. It returns an *ArchiveError where the archive
// is at fault, and the error of w where that is.
func (f archiveFile) copyTo(w io.Writer) error {
	damaged := func(err error) error {
		return &ArchiveError{
			Entry: f.zip.Name,
			Why:   "it cannot be unpacked (" + err.Error() + ")",
			Hint:  "upload it again, or check it with unzip -t",
		}
	}
	r, err := f.zip.Open()
	if err != nil {
		return damaged(err)
	}
	defer r.Close()
	sink := &errorKeeper{w: w}
	n, err := io.Copy(sink, io.LimitReader(r, f.size+1))
	switch {
	case sink.err != nil:
		return sink.err
	case err != nil:
		return damaged(err)
	case n != f.size:
		return damaged(fmt.Errorf("it does not have the %d bytes that the archive says", f.size))
	}
	return nil
}

// errorKeeper tells errors of a writer from those of what is copied to it.
type errorKeeper struct {
	w   io.Writer
	err error
}

func (k *errorKeeper) Write(p []byte) (int, error) {
	n, err := k.w.Write(p)
	if err != nil {
		k.err = err
	}
	return n, err
}
