package capi

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What functions without files get from WASI, and what they get for asking
// wrongly: each program exits with the number that the call returned.
func TestStdio(t *testing.T) {
	const (
		ok, badf, fault, inval, spipe = 0, 8, 21, 28, 70
		i32, i64                      = "(i32.const %d)", "(i64.const %d)"
	)
	call := func(name, types string, args ...int) string {
		text := "(call $" + name
		for i, arg := range args {
			text += fmt.Sprintf(map[byte]string{'i': i32, 'l': i64}[types[i]], arg)
		}
		return text + ")"
	}
	tests := []struct {
		name, types string
		args        []int
		want        int
	}{
		{"args_sizes_get", "ii", []int{0, 4}, ok},
		{"args_sizes_get", "ii", []int{-4, 4}, fault},
		{"args_get", "ii", []int{0, 100}, ok},
		{"args_get", "ii", []int{0, 65534}, fault},
		{"environ_sizes_get", "ii", []int{0, -1}, fault},
		{"environ_get", "ii", []int{0, 65530}, fault},
		{"clock_res_get", "ii", []int{1, 8}, ok},
		{"clock_res_get", "ii", []int{7, 8}, inval},
		{"clock_time_get", "ili", []int{0, 1, 8}, ok},
		{"clock_time_get", "ili", []int{2, 1, 8}, inval},
		{"clock_time_get", "ili", []int{1, 1, -8}, fault},
		{"random_get", "ii", []int{0, 65536}, ok},
		{"random_get", "ii", []int{1, 65536}, fault},
		{"random_get", "ii", []int{0, -1}, fault},
		{"fd_read", "iiii", []int{0, 0, 0, 8}, ok},
		{"fd_read", "iiii", []int{1, 0, 0, 8}, badf},
		{"fd_read", "iiii", []int{0, 0, 1025, 8}, inval},
		{"fd_read", "iiii", []int{0, -8, 1, 8}, fault},
		{"fd_write", "iiii", []int{3, 0, 0, 8}, badf},
		{"fd_write", "iiii", []int{1, 65532, 1, 8}, fault},
		{"fd_close", "i", []int{0}, ok},
		{"fd_close", "i", []int{3}, badf},
		{"fd_close", "i", []int{-1}, badf},
		{"fd_fdstat_get", "ii", []int{2, 0}, ok},
		{"fd_fdstat_get", "ii", []int{2, 65520}, fault},
		{"fd_fdstat_get", "ii", []int{9, 0}, badf},
		{"fd_filestat_get", "ii", []int{1, 65480}, fault},
		{"fd_seek", "ilii", []int{0, 0, 0, 0}, spipe},
		{"fd_seek", "ilii", []int{5, 0, 0, 0}, badf},
		{"fd_prestat_get", "ii", []int{3, 0}, badf},
		{"path_open", "iiiiillii", []int{3, 0, 0, 1, 0, 0, 0, 0, 0}, badf},
		{"path_symlink", "iiiii", []int{0, 1, 3, 0, 1}, badf},
		{"sock_shutdown", "ii", []int{0, 0}, badf},
		{"proc_raise", "i", []int{9}, 52},
		{"sched_yield", "", nil, ok},
	}
	engine := newEngine(t)
	for _, test := range tests {
		t.Run(fmt.Sprint(test.name, test.args), func(t *testing.T) {
			params := ""
			if test.types != "" {
				params = "(param " + strings.NewReplacer("i", " i32", "l", " i64").Replace(test.types) + ")"
			}
			code := fmt.Sprintf(`(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
			  (import "wasi_snapshot_preview1" %q (func $%s %s (result i32)))
			  (memory (export "memory") 1)
			  (func (export "_start") (call $exit %s)))`, test.name, test.name, params, call(test.name, test.types, test.args...))
			in := instance(t, template(t, engine, NewNode(0, false), TemplateConfig{ABI: Command, Code: compile(t, engine, code), Entry: "_start",
				Env: []string{"A=b"}}), noHost{})
			want := OK
			if test.want != 0 {
				want = Exited
			}
			if got := in.CallFresh([]byte("event"), time.Second); got != want || in.ExitStatus() != test.want {
				t.Errorf("outcome %d, status %d, want %d: %s", got, in.ExitStatus(), test.want, in.Message())
			}
		})
	}
}

// A stream that was closed stays closed for the Instance, and only for it.
func TestClosedStream(t *testing.T) {
	engine := newEngine(t)
	code := `(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
	  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
	  (memory (export "memory") 1)
	  (func (export "_start")
	    (if (call $close (i32.const 0)) (then (call $exit (i32.const 1))))
	    (call $exit (call $close (i32.const 0)))))`
	in := instance(t, template(t, engine, NewNode(0, false), TemplateConfig{ABI: Command, Code: compile(t, engine, code), Entry: "_start"}), noHost{})
	for range 2 {
		if got := in.CallFresh(nil, time.Second); got != Exited || in.ExitStatus() != 8 {
			t.Errorf("outcome %d, status %d", got, in.ExitStatus())
		}
	}
}
