package cli

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// inUTF16 is text as Windows' editors save "Unicode".
func inUTF16(text string, mark bool, order binary.AppendByteOrder) string {
	if mark {
		text = utf8Mark + text
	}
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

// Files that are not what their names say are named as what they are, alone and
// in a folder.
func TestDeployOfWhatIsNoSource(t *testing.T) {
	const utf8Hint = "\n  save it as UTF-8\n"
	const noText = ": it holds bytes that no text has\n  deploy the text that the program was written as\n"
	for name, c := range map[string]struct{ file, text, says string }{
		"UTF-16":               {"app.py", inUTF16(pyLambda, true, binary.LittleEndian), "is UTF-16 text" + utf8Hint},
		"UTF-16, big-endian":   {"app.py", inUTF16(pyLambda, true, binary.BigEndian), "is UTF-16 text" + utf8Hint},
		"UTF-16, no mark":      {"app.py", inUTF16(pyLambda, false, binary.LittleEndian), "is UTF-16 text" + utf8Hint},
		"UTF-16, no mark, big": {"index.mjs", inUTF16(jsHandler, false, binary.BigEndian), "is UTF-16 text" + utf8Hint},
		"UTF-32":               {"index.mjs", "\xff\xfe\x00\x00e\x00\x00\x00", "is UTF-32 text" + utf8Hint},
		"UTF-32, big-endian":   {"index.js", "\x00\x00\xfe\xff\x00\x00\x00e", "is UTF-32 text" + utf8Hint},
		"random bytes":         {"app.py", "\x8f\x02\xfe\xd1\x11\x90", "is not Python source" + noText},
		"zero bytes":           {"app.py", "x = 1\n\x00\x00\x00\x00", "is not Python source" + noText},
		"a program":            {"index.js", "\x7fELF\x02\x01\x01\x00\xff\xff", "is not JavaScript source" + noText},
		"a module":             {"app.py", emptyModule, "is a Wasm module\n  give it a name that ends in .wasm\n"},
		"a zip":                {"index.mjs", "PK\x03\x04\x14\x00", "is a zip\n  give it a name that ends in .zip\n"},
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := deployNode(t, reply(200, deployed))
			dir := t.TempDir()
			path := filepath.Join(dir, c.file)
			writeFile(t, path, c.text)
			n.run("deploy", "hello", path).want(t, 1, "", "ledge: "+path+" "+c.says)
			module := strings.TrimSuffix(c.file, filepath.Ext(c.file))
			for _, flags := range [][]string{nil, {"--handler", module + ".run"}} {
				n.run(append([]string{"deploy", "hello", dir}, flags...)...).want(t, 1, "", "ledge: "+c.file+" in "+dir+" "+c.says)
			}
		})
	}
}

// Text that interpreters read is not refused.
func TestDeployOfUnusualSource(t *testing.T) {
	for name, c := range map[string]struct{ file, text, handler string }{
		"UTF-8 with a mark":             {"app.py", utf8Mark + "def lambda_handler(event, context): ...\n", "app.lambda_handler"},
		"JavaScript with a mark":        {"index.mjs", utf8Mark + jsHandler, "index.handler"},
		"an ES module with a mark":      {"index.js", utf8Mark + jsHandler, "index.handler"},
		"CRLF":                          {"app.py", "import json\r\ndef lambda_handler(event, context):\r\n    return 1\r\n", "app.lambda_handler"},
		"Latin-1":                       {"app.py", "# coding: latin-1\nx = '\xe9'\n" + pyLambda, "app.lambda_handler"},
		"a form feed":                   {"app.py", "x = '\xe9'\f\n" + pyLambda, "app.lambda_handler"},
		"a zero in a JavaScript string": {"index.mjs", "const x = '\x00';\n" + jsHandler, "index.handler"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			writeFile(t, path, c.text)
			code, err := new(app).readCode(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := code.program(nil, nil, nil); err != nil || *p.handler != c.handler {
				t.Errorf("%+v, %v, want %s", p, err, c.handler)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "index.js")
	writeFile(t, path, utf8Mark+jsHandler)
	if code, err := new(app).readCode(t.Context(), path); err != nil || code.tree.files["index.mjs"] == nil {
		t.Errorf("an ES module with a mark is packed as %v, %v", code.tree, err)
	}
}

// A file with other functions says which; one without any, how to write one.
func TestDeployOfAFileWithoutAHandler(t *testing.T) {
	for name, c := range map[string]struct{ file, text, hint string }{
		"one":         {"a.py", "def _own(): ...\ndef run(event, context): ...\n", "say which to call, such as: --handler a.run"},
		"several":     {"a.py", "async def a(): ...\ndef b(): ...\ndef b(): ...\n  def c(): ...\n", "say which to call, such as: --handler a.a\n  it has a, b"},
		"ES module":   {"a.mjs", "export const run = 1; export async function go() {}\n", "say which to call, such as: --handler a.run\n  it has run, go"},
		"default":     {"a.mjs", "export default async () => {}\n", "say which to call, such as: --handler a.default"},
		"CommonJS":    {"a.cjs", "exports.run = () => {}\n", "say which to call, such as: --handler a.run"},
		"none":        {"a.py", "x = 1\n", "say which to call: --handler a.FUNCTION\n  or write one: def lambda_handler(event, context): return {}"},
		"none, in JS": {"a.js", "1\n", "say which to call: --handler a.FUNCTION\n  or write one: export const handler = async (event) => ({})"},
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := deployNode(t, reply(200, deployed))
			path := filepath.Join(t.TempDir(), c.file)
			writeFile(t, path, c.text)
			n.run("deploy", "hello", path).want(t, 1, "", "ledge: "+path+" has no function called lambda_handler or handler\n  "+c.hint+"\n")
		})
	}
	for _, text := range []string{"", " \r\n\t", utf8Mark} {
		n, _ := deployNode(t, reply(200, deployed))
		path := filepath.Join(t.TempDir(), "a.mjs")
		writeFile(t, path, text)
		n.run("deploy", "hello", path).want(t, 1, "", "ledge: "+path+" is empty\n  write a handler into it: export const handler = async (event) => ({})\n")
	}
}

// packed makes a zip of files, in the order of their names' appearance.
func packed(t testing.TB, entries ...*zip.FileHeader) string {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, header := range entries {
		text := header.Comment
		header.Comment = ""
		w, err := z.CreateHeader(header)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// entry is a file of a zip; its text waits in the comment.
func entry(name, text string) *zip.FileHeader {
	return &zip.FileHeader{Name: name, Comment: text}
}

// Handlers that are in folders are named, and the mistake that put them there.
func TestDeployFindsHandlersBelow(t *testing.T) {
	const python, js = "lambda_function.lambda_handler in myproj/lambda_function.py", "index.handler in myproj/index.mjs"
	for name, c := range map[string]struct {
		files  []string
		folder string // what is said of a folder DIR with these
		zip    string // what is said of a zip FILE with these; empty: the same
		flags  []string
	}{
		"the whole folder": {
			files:  []string{"myproj/lambda_function.py", "myproj/lib/x.py"},
			folder: "found no handler at the top of DIR, but myproj/" + python + "\n  deploy DIR/myproj, so that its files are at the top\n  or say which to call: --handler myproj/lambda_function.lambda_handler\n",
			zip:    "found no handler at the top of FILE, but myproj/" + python + "\n  make the zip from inside myproj, so that its files are at the top\n  or say which to call: --handler myproj/lambda_function.lambda_handler\n",
		},
		"as macOS packs it": {
			files:  []string{"myproj/index.mjs", "__MACOSX/myproj/._index.mjs", "myproj/node_modules/x/index.mjs"},
			folder: "found no handler at the top of DIR, but myproj/" + js + "\n  deploy DIR/myproj, so that its files are at the top\n  or say which to call: --handler myproj/index.handler\n",
			zip:    "found no handler at the top of FILE, but myproj/" + js + "\n  make the zip from inside myproj, so that its files are at the top\n  or say which to call: --handler myproj/index.handler\n",
		},
		"beside other files": {
			files:  []string{"README", "src/app.py"},
			folder: "found no handler at the top of DIR, but src/app.lambda_handler in src/app.py\n  say which to call: --handler src/app.lambda_handler\n",
		},
		"several": {
			files: []string{"a/z.py", "b/c/app.py", "b/main.py"},
			folder: "found no handler at the top of DIR, but b/main.lambda_handler in b/main.py, b/c/app.lambda_handler in b/c/app.py\n" +
				"  say which to call: --handler b/main.lambda_handler\n",
		},
		"many": {
			files: []string{"a/z.py", "b/c/x.py", "b/d.py", "b/e.py", "c/f.py"},
			folder: "found no handler at the top of DIR, but a/z.lambda_handler in a/z.py, b/d.lambda_handler in b/d.py, b/e.lambda_handler in b/e.py and 2 more\n" +
				"  say which to call: --handler a/z.lambda_handler\n",
		},
		"the handler of a function on AWS Lambda": {
			files:  []string{"myproj/lambda_function.py"},
			flags:  []string{"--handler", "lambda_function.run"},
			folder: "the handler lambda_function.run is in no file of DIR, which holds myproj/lambda_function.py\n  deploy DIR/myproj, so that its files are at the top\n  or write myproj/lambda_function.run\n",
			zip:    "the handler lambda_function.run is in no file of FILE, which holds myproj/lambda_function.py\n  make the zip from inside myproj, so that its files are at the top\n  or write myproj/lambda_function.run\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := deployNode(t, reply(200, deployed))
			parent := t.TempDir()
			dir, file := filepath.Join(parent, "DIR"), filepath.Join(parent, "x.zip")
			var entries []*zip.FileHeader
			for _, at := range c.files {
				text := map[string]string{".py": pyLambda, ".mjs": jsHandler}[filepath.Ext(at)]
				writeFile(t, filepath.Join(dir, at), text)
				entries = append(entries, entry(at, text))
			}
			writeFile(t, file, packed(t, entries...))
			if c.zip == "" {
				c.zip = strings.ReplaceAll(c.folder, "DIR", "FILE")
			}
			for path, want := range map[string]string{dir: strings.ReplaceAll(c.folder, "DIR", dir), file: strings.ReplaceAll(c.zip, "FILE", file)} {
				n.run(append([]string{"deploy", "hello", path}, c.flags...)...).want(t, 1, "", "ledge: "+want)
			}
		})
	}
}

func TestDeployOfNothing(t *testing.T) {
	const into = "\n  put an app.py, an index.mjs or a bootstrap.wasm into it\n"
	const atTop = "\n  put an app.py, an index.mjs or a bootstrap.wasm at its top\n"
	for name, c := range map[string]struct {
		path  string
		build func(t *testing.T, path string)
		says  string
	}{
		"an empty folder":              {"dapp.py", func(t *testing.T, path string) { folder(t, path) }, "is an empty folder" + into},
		"empty folders":                {"d", func(t *testing.T, path string) { folder(t, path+"/a/b") }, "is an empty folder" + into},
		"nothing but what is left out": {"d", func(t *testing.T, path string) { writeFile(t, path+"/.git/HEAD", "") }, "holds nothing to deploy: .git is left out" + into},
		"an empty zip":                 {"x.zip", func(t *testing.T, path string) { writeFile(t, path, packed(t)) }, "is an empty zip" + atTop},
		"a zip of folders":             {"x.zip", func(t *testing.T, path string) { writeFile(t, path, packed(t, &zip.FileHeader{Name: "a/"})) }, "holds no files" + atTop},
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := deployNode(t, reply(200, deployed))
			path := filepath.Join(t.TempDir(), c.path)
			c.build(t, path)
			n.run("deploy", "hello", path).want(t, 1, "", "ledge: "+path+" "+c.says)
		})
	}
}

func folder(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// What the node refuses a zip for, it says; no handler is looked for.
func TestDeployLeavesBadZipsToTheNode(t *testing.T) {
	link := entry("app.py", "/etc/passwd")
	link.SetMode(fs.ModeSymlink | 0o777)
	encrypted := entry("app.py", pyLambda)
	encrypted.Flags = 0x1
	other := packed(t, entry("app.py", pyLambda))
	other = strings.ReplaceAll(other, "\x14\x00\x08\x00\x00\x00", "\x14\x00\x08\x00\x0c\x00") // method 12: bzip2
	for name, blob := range map[string]string{
		"path that leads out": packed(t, entry("../app.py", pyLambda)),
		"folder that does":    packed(t, entry("../", ""), entry("app.py", pyLambda)),
		"absolute path":       packed(t, entry("/app.py", pyLambda)),
		"backslash":           packed(t, entry(`lib\app.py`, pyLambda)),
		"control character":   packed(t, entry("a\npp.py", pyLambda)),
		"not UTF-8":           packed(t, entry("\xff.py", pyLambda)),
		"symbolic link":       packed(t, link),
		"encrypted":           packed(t, encrypted),
		"method":              other,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := checkCode("x.zip", []byte(blob), nil)
			if err != nil || c.tree != nil {
				t.Fatalf("%v, %v", c.tree, err)
			}
			if p, err := c.program(nil, nil, nil); err != nil || p.runtime != nil || p.handler != nil {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
	whole := packed(t, entry("./", ""), entry("./app.py", pyLambda), entry("lib/", ""))
	if c, err := checkCode("x.zip", []byte(whole), nil); err != nil || c.tree == nil {
		t.Errorf("a good zip: %v, %v", c.tree, err)
	}
}

func TestDeployOfADamagedZip(t *testing.T) {
	header := entry("app.py", pyLambda) // stored, so that its text can be changed
	blob := strings.Replace(packed(t, header), "lambda_handler", "lambda_hendler", 1)
	c, err := checkCode("x.zip", []byte(blob), nil)
	if err != nil {
		t.Fatal(err)
	}
	var told *Error
	if _, err = c.program(nil, nil, nil); !errors.As(err, &told) || told.Message != "app.py in x.zip cannot be unpacked: zip: checksum error" || !strings.Contains(told.Hint, "unzip -t") {
		t.Errorf("%v", err)
	}
}
