package persist

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// exercise is an operation that reaches steps of the store. It begins with a
// data folder where prepare has stored the function "kept" and was told so, and runs
// with faults at one of the steps.
type exercise struct {
	name    string
	steps   []step
	prepare func(t *testing.T, dir string)
	run     func(dir string, faults *faults) error
	// tolerates says that the operation succeeds where the step fails.
	tolerates bool
}

func exercises() []exercise {
	// open opens a store and does what is given with it.
	open := func(then func(s *Store) error) func(string, *faults) error {
		return func(dir string, faults *faults) error {
			s, err := Open(dir, Options{faults: faults})
			if err != nil {
				return err
			}
			return errors.Join(then(s), s.Close())
		}
	}
	nothing := func(*Store) error { return nil }
	return []exercise{{
		name: "deploy", steps: []step{stepCommit, stepCommitted},
		prepare: keepFunction,
		run: open(func(s *Store) error {
			_, err := s.PutFunction(testFunction("new"), "", []Route{{Path: "/1", Method: "GET"}, {Path: "/2", Method: "GET"}})
			return err
		}),
	}, {
		name: "first start", steps: []step{stepMigrate, stepOpenSync},
		prepare: func(*testing.T, string) {},
		run:     open(nothing),
	}, {
		name: "start with a record that is damaged", steps: []step{stepSetRecords},
		prepare: func(t *testing.T, dir string) {
			keepFunction(t, dir)
			s := openStore(t, dir, Options{})
			noErr(t, s.update(0, func(c *change) error { return c.putBytes(bucketFunctions, versionKey("bad", 0), []byte("[")) }))
			closeStore(t, s)
		},
		run: open(nothing),
	}, {
		name: "start with a database that is damaged",
		steps: []step{stepSetAside, stepSetAsideSync,
			stepRestoreCopy, stepRestoreSync, stepRestoreRename, stepRestoreRenamed},
		prepare: func(t *testing.T, dir string) {
			keepFunction(t, dir)
			noErr(t, open(backUp)(dir, nil))
			damage(t, dir)
		},
		run: open(nothing),
	}, {
		name: "backup",
		steps: []step{stepBackupCreate, stepBackupCopy, stepBackupSeal, stepBackupSync,
			stepBackupRename, stepBackupRenamed},
		prepare: func(t *testing.T, dir string) {
			keepFunction(t, dir)
			noErr(t, open(backUp)(dir, nil))
		},
		run: open(backUp),
	}, {
		name: "note of damage", steps: []step{stepSuspect}, tolerates: true,
		prepare: keepFunction,
		run:     open(func(s *Store) error { s.suspectIfDamaged(ErrDamaged); return nil }),
	}}
}

func keepFunction(t *testing.T, dir string) {
	s := openStore(t, dir, Options{})
	_, err := s.PutFunction(testFunction("kept"), "", nil)
	noErr(t, err)
	closeStore(t, s)
}

func backUp(s *Store) error { _, err := s.Backup(context.Background()); return err }

// Where a step fails, and where the power is cut there, the store opens again, with
// what was acknowledged, and with what was under way whole or not at all. The same
// holds of its backup, when the database is lost after that.
func TestEveryStepOfTheStore(t *testing.T) {
	for _, e := range exercises() {
		for _, at := range e.steps {
			t.Run(e.name+"/"+string(at), func(t *testing.T) {
				dir, cut := t.TempDir(), t.TempDir()
				e.prepare(t, dir)
				reached := 0
				err := e.run(dir, &faults{before: func(s step) error {
					if s != at {
						return nil
					}
					if reached++; reached == 1 {
						copyFolder(t, dir, cut) // what a process that is killed now leaves
					}
					return errFault
				}})
				if reached == 0 {
					t.Fatal("the step is not reached")
				}
				if e.tolerates {
					noErr(t, err)
				} else {
					wantErr(t, "the operation", err, errFault)
				}
				kept := e.name != "first start"
				for _, left := range []string{dir, cut} {
					checkLeft(t, left, kept)
					if _, err := os.Stat(filepath.Join(left, backupFile)); err == nil {
						damage(t, left)
						checkLeft(t, left, kept)
					}
					noErr(t, e.run(left, nil)) // the next time it succeeds
					checkLeft(t, left, kept)
				}
			})
		}
	}
}

// checkLeft opens a store that a fault left behind.
func checkLeft(t *testing.T, dir string, kept bool) {
	t.Helper()
	s := openStore(t, dir, Options{LockTimeout: 5 * time.Second})
	defer closeStore(t, s)
	state, err := s.Load()
	noErr(t, err)
	names := map[string]bool{}
	for _, fn := range state.Functions {
		names[fn.Name] = true
	}
	if names["kept"] != kept {
		t.Errorf("functions are %v; recovered: %s", names, s.Recovered())
	}
	if routes := len(state.Routes); names["new"] && routes != 2 || !names["new"] && routes != 0 {
		t.Errorf("the function is there: %t, with %d routes", names["new"], routes)
	}
	for _, name := range []string{backupNew, restoringFile} { // cut off in the middle
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s stayed behind: %v", name, err)
		}
	}
}

// copyFolder copies the files of a folder as they are now.
func copyFolder(t testing.TB, from, to string) {
	t.Helper()
	noErr(t, os.CopyFS(to, os.DirFS(from)))
}

// A step that is declared is exercised by a test, so that no fsync or rename is added
// that nothing ever fails at.
func TestEveryStepHasATest(t *testing.T) {
	exercised := map[string]bool{}
	for _, e := range exercises() {
		for _, at := range e.steps {
			exercised[string(at)] = true
		}
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, "faults.go", nil, 0)
	noErr(t, err)
	steps := map[string]string{} // name -> value
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == 1 && len(spec.Values) == 1 {
			if value, ok := spec.Values[0].(*ast.BasicLit); ok {
				steps[spec.Names[0].Name], err = strconv.Unquote(value.Value)
				noErr(t, err)
			}
		}
		return true
	})
	if len(steps) < 20 {
		t.Fatalf("of faults.go only %d steps were read", len(steps))
	}
	// Those of code and logs have tests of their own, which list them.
	var others strings.Builder
	for _, name := range []string{"code_test.go", "codemerge_test.go", "log_test.go"} {
		text, err := os.ReadFile(name)
		noErr(t, err)
		others.Write(text)
	}
	for name, value := range steps {
		if !exercised[value] && !strings.Contains(others.String(), name) {
			t.Errorf("no test fails at %s (%q)", name, value)
		}
	}
	checkCallsHaveSteps(t)
}

// checkCallsHaveSteps looks for calls that change the disk in a way that a power cut
// can fall into, in functions that name no step.
func checkCallsHaveSteps(t *testing.T) {
	t.Helper()
	// Without a step of their own: what a caller names the step for, and a folder that is
	// made again when it is missing.
	without := []string{"syncFile", "mend", "OpenCode"}
	sources, err := filepath.Glob("*.go")
	noErr(t, err)
	found := 0
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		noErr(t, err)
		for _, decl := range parsed.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil || slices.Contains(without, fn.Name.Name) {
				continue
			}
			var durable []string
			steps := false
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					switch n.Sel.Name {
					case "Rename", "Sync", "Commit":
						durable = append(durable, n.Sel.Name)
					case "Update": // of a database; hashes have one too
						if db, ok := n.X.(*ast.Ident); ok && db.Name == "db" {
							durable = append(durable, n.Sel.Name)
						}
					}
				case *ast.Ident:
					if n.Name == "syncFile" {
						durable = append(durable, n.Name)
					}
					steps = steps || strings.HasPrefix(n.Name, "step")
				}
				return true
			})
			found += len(durable)
			if len(durable) > 0 && !steps {
				t.Errorf("%s: %s calls %s and names no step of faults.go", source, fn.Name.Name, strings.Join(durable, ", "))
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d such calls were found", found)
	}
}
