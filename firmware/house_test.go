package firmware_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the top of the source tree.
const root = ".."

// mayImport says which parts of the house may import which. main.go is "".
var mayImport = map[string][]string{
	"":          {"edge", "scheduler", "firmware", "engine", "persist"},
	"edge":      {"engine", "persist"},
	"scheduler": {"engine", "persist"},
	"engine":    nil,
	"persist":   nil,
	"firmware":  nil,
}

// topLevel is all that may lie at the top.
var topLevel = []string{
	"main.go", "engine", "edge", "persist", "scheduler", "firmware", "testdata", "go.mod", "go.sum",
	"README.md", "CONTRIBUTING.md", "LICENSE", "NOTICE", "Makefile", ".ci", ".gitignore", ".git",
	"bin", "build", "dist", "ledge-data", // made by make, never committed
}

// requires are the modules that go.mod may name, each for a reason that
// CONTRIBUTING.md gives.
var requires = []string{
	"github.com/bytecodealliance/wasmtime-go/v44", "github.com/go-jose/go-jose/v4", "github.com/robfig/cron/v3", "github.com/spf13/cobra",
	"github.com/klauspost/compress", "github.com/valyala/fasthttp", "go.etcd.io/bbolt", "golang.org/x/sys",
}

// The sources are read here and not by the go tool, whose answer go test would
// cache.
func TestHouse(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(topLevel, e.Name()) {
			t.Errorf("%s does not belong at the top", e.Name())
		}
	}
	documented := map[string]bool{}
	eachSource(t, func(name string, file *ast.File) {
		part := strings.Split(path.Dir(name), "/")[0]
		if part == "." {
			part = ""
		}
		allowed, ok := mayImport[part]
		if !ok {
			t.Errorf("%s is in no part of the house", name)
		}
		for _, i := range file.Imports {
			imported, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "ledge/")
			if !ours {
				continue
			}
			sibling := strings.Split(imported, "/")[0]
			// The tests of the whole look into the store that a node left behind.
			if file.Name.Name == "firmware_test" && sibling == "persist" {
				continue
			}
			if sibling != part && !slices.Contains(allowed, sibling) {
				t.Errorf("%s imports ledge/%s", name, imported)
			}
		}
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		if regexp.MustCompile(`^(util|utils|common|types|helper|helpers|manager|base)$`).MatchString(file.Name.Name) {
			t.Errorf("%s: %s is no name for a package", name, file.Name.Name)
		}
		dir := path.Dir(name)
		documented[dir] = documented[dir] || file.Doc != nil
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no comment", dir)
		}
	}
	if len(documented) < 10 {
		t.Errorf("only %d packages were found", len(documented))
	}
}

// eachSource calls visit with every Go file of the module.
func eachSource(t *testing.T, visit func(name string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator)))
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "build" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		visit(name, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDependencies(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.Contains(line, "// indirect") || !strings.Contains(fields[0], ".") {
			continue
		}
		found++
		if !slices.Contains(requires, fields[0]) {
			t.Errorf("go.mod requires %s; is it worth it? then add it here and to CONTRIBUTING.md", fields[0])
		}
	}
	if found != len(requires) {
		t.Errorf("go.mod requires %d modules, the list has %d", found, len(requires))
	}
}
