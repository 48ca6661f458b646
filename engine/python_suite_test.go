package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Why tests of CPython cannot pass in the sandbox.
const (
	writesFiles = "it writes a file, and there is nowhere to write"
	needsMemory = "it needs more than the 512 MB that the function has"
)

// pythonSuite names test modules of CPython, how many of their tests must pass, and
// those that cannot, by the reason.
//
// Left out are test_zoneinfo, whose every test writes files, test_hashlib, as do
// half of its, and which takes minutes like test_math and test_statistics, and those
// of asyncio that are about sockets, threads or processes.
var pythonSuite = []struct {
	module string
	passes int
	fails  map[string][]string
}{
	{"test_json", 164, nil},
	{"test_re", 161, nil},
	{"test_datetime", 940, nil},
	{"test_decimal", 639, nil},
	{"test_collections", 99, nil},
	{"test_dict", 116, nil},
	{"test_list", 63, nil},
	{"test_str", 132, nil},
	{"test_int", 44, nil},
	{"test_float", 48, nil},
	{"test_random", 102, map[string][]string{needsMemory: {"test_random.MersenneTwister_TestBasicOps.test_getrandbits_2G_bits"}}},
	{"test_struct", 37, nil},
	{"test_base64", 33, map[string][]string{writesFiles: {"test_base64.TestMain.test_decode", "test_base64.TestMain.test_encode_file"}}},
	{"test_zlib", 70, nil},
	{"test_csv", 120, nil},
	{"test_sqlite3", 454, map[string][]string{writesFiles: {
		"test_sqlite3.test_cli.CommandLineInterface.test_cli_on_disk_db",
		"test_sqlite3.test_cli.InteractiveSession.test_interact_on_disk_file",
		"test_sqlite3.test_dbapi.ConnectionTests.test_connection_bad_reinit",
		"test_sqlite3.test_dbapi.ModuleTests.test_error_code_on_exception",
		"test_sqlite3.test_dbapi.OpenTests.test_open_unquoted_uri",
		"test_sqlite3.test_dbapi.OpenTests.test_open_uri",
		"test_sqlite3.test_dbapi.OpenTests.test_open_uri_readonly",
		"test_sqlite3.test_dbapi.OpenTests.test_open_with_path_like_object",
		"test_sqlite3.test_hooks.TraceCallbackTests.test_trace_callback_content",
		"test_sqlite3.test_transactions.TransactionTests.test_delete_starts_transaction",
		"test_sqlite3.test_transactions.TransactionTests.test_dml_does_not_auto_commit_before",
		"test_sqlite3.test_transactions.TransactionTests.test_insert_starts_transaction",
		"test_sqlite3.test_transactions.TransactionTests.test_locking",
		"test_sqlite3.test_transactions.TransactionTests.test_multiple_cursors_and_iternext",
		"test_sqlite3.test_transactions.TransactionTests.test_raise_timeout",
		"test_sqlite3.test_transactions.TransactionTests.test_replace_starts_transaction",
		"test_sqlite3.test_transactions.TransactionTests.test_rollback_cursor_consistency",
		"test_sqlite3.test_transactions.TransactionTests.test_toggle_auto_commit",
		"test_sqlite3.test_transactions.TransactionTests.test_update_starts_transaction",
	}}},
	{"test_asyncio.test_locks", 75, nil},
	{"test_asyncio.test_queues", 59, nil},
	{"test_asyncio.test_waitfor", 19, nil},
	{"test_bisect", 46, nil},
	{"test_copy", 81, nil},
	{"test_dataclasses", 247, nil},
	{"test_fractions", 46, nil},
	{"test_functools", 272, nil},
	{"test_generators", 50, nil},
	{"test_heapq", 50, nil},
	{"test_hmac", 24, nil},
	{"test_html", 2, nil},
	{"test_string", 38, nil},
	{"test_textwrap", 66, nil},
	{"test_typing", 678, nil},
	{"test_urlparse", 74, nil},
}

// CPython's own tests run in the sandbox, each module in an interpreter restored from
// a snapshot. What fails is known, and fails for the reason given.
func TestPythonSuite(t *testing.T) {
	dir := filepath.Join("..", "build", "python-tests")
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatalf("CPython's tests are not there, run make runtimes: %v", err)
	}
	sum := sha256.Sum256(key)
	f := Function{Name: "f", Runtime: RuntimePython, Handler: "suite.handler", CodeDir: dir, CodeHash: hex.EncodeToString(sum[:]), Isolation: IsolationFresh}
	f.Limits.Memory, f.Limits.Timeout = 512<<20, 10*time.Minute
	r := open(t, testConfig(t))
	deploy(t, r, f)
	for _, test := range pythonSuite {
		t.Run(test.module, func(t *testing.T) {
			t.Parallel()
			var res Result
			err := r.Invoke(context.Background(), &Invocation{Function: "f", Payload: fmt.Appendf(nil, "%q", test.module)}, &res)
			if err != nil {
				t.Fatalf("%.2000v", err)
			}
			var got struct {
				Passed          int
				Failed, Skipped map[string]string // by test: the exception, and the reason
			}
			if err := json.Unmarshal(res.Payload, &got); err != nil {
				t.Fatalf("%v: %.1000s", err, res.Payload)
			}
			for reason, names := range test.fails {
				for _, name := range names {
					if _, failed := got.Failed[name]; !failed {
						t.Errorf("%s did not fail, although %s", name, reason)
					}
					delete(got.Failed, name)
				}
			}
			for _, name := range slices.Sorted(maps.Keys(got.Failed)) {
				t.Errorf("%s: %s", name, got.Failed[name])
			}
			if got.Passed != test.passes {
				t.Errorf("%d tests passed, want %d", got.Passed, test.passes)
			}
			for _, name := range slices.Sorted(maps.Keys(got.Skipped)) {
				t.Logf("%s is skipped: %s", name, got.Skipped[name])
			}
		})
	}
}
