// Bench measures a whole appliance, the real binary, with wrk from outside and
// prints a table of ratios against a bare fasthttp server that gives the same
// replies. Appliance and baseline are measured in turn, round by round, so that
// a machine whose speed drifts drifts for both.
//
//	go run ./testdata/bench -ledge bin/ledge -functions build/functions
//
// All traffic stays on loopback, and everything that it starts it stops.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

func main() {
	log.SetFlags(0)
	ledge := flag.String("ledge", "bin/ledge", "binary to measure")
	functions := flag.String("functions", "build/functions", "folder with the example modules")
	rounds := flag.Int("rounds", 5, "measurements of each pair")
	duration := flag.Duration("duration", 3*time.Second, "of one measurement")
	readme := flag.String("readme", "", "also write the table into this file, between <!-- bench --> and <!-- /bench -->")
	only := flag.String("only", "", "measure only throughput, signed, neighbours, starts, events or languages")
	handlers := flag.String("handlers", "testdata/bench/handlers", "folder with the handlers for languages")
	workerd := flag.String("workerd", "build/bench/workerd/node_modules/@cloudflare/workerd-linux-64/bin/workerd", "workerd to compare JavaScript with")
	python := flag.String("python", "", "native interpreter to compare Python with")
	baseline := flag.String("baseline", "", "be the baseline server on this address")
	flag.Parse()
	if *baseline != "" {
		log.Fatal(serveBaseline(*baseline))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "ledge-bench-")
	if err != nil {
		log.Fatal(err)
	}
	b := &bench{ctx: ctx, ledge: *ledge, functions: *functions, rounds: *rounds, duration: *duration, only: *only, dir: dir,
		handlers: *handlers, workerd: *workerd, python: *python}
	err = b.run()
	b.stopAll()
	if removing := os.RemoveAll(dir); err == nil {
		err = removing
	}
	if err == nil && *readme != "" {
		err = writeTable(*readme, b.table.String())
	}
	if err != nil {
		log.Fatal("bench: ", err)
	}
}

const hello = `{"message":"hello from the edge"}` + "\n"

// serveBaseline is fasthttp with nothing behind it: a POST is echoed, a GET
// gets a constant.
func serveBaseline(address string) error {
	return fasthttp.ListenAndServe(address, func(ctx *fasthttp.RequestCtx) {
		if ctx.IsPost() {
			ctx.SetContentType("application/octet-stream")
			ctx.SetBody(ctx.PostBody())
			return
		}
		ctx.SetContentType("application/json")
		ctx.SetBodyString(hello)
	})
}

type bench struct {
	ctx              context.Context
	ledge, functions string
	rounds           int
	duration         time.Duration
	only             string
	dir              string
	processes        []*exec.Cmd

	handlers, workerd, python string
	table                     strings.Builder
}

// row prints a row of the table.
func (b *bench) row(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	fmt.Println(line)
	b.table.WriteString(line + "\n")
}

// writeTable replaces what is between the markers of a file.
func writeTable(path, table string) error {
	const begin, end = "<!-- bench -->\n", "<!-- /bench -->"
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the table", path)
	}
	return os.WriteFile(path, []byte(head+begin+table+end+tail), 0o644)
}

// start runs a program until stop or stopAll.
func (b *bench) start(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b.processes = append(b.processes, cmd)
	return cmd, nil
}

func (b *bench) stop(cmd *exec.Cmd) error {
	b.processes = slices.DeleteFunc(b.processes, func(c *exec.Cmd) bool { return c == cmd })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return cmd.Wait()
}

func (b *bench) stopAll() {
	for len(b.processes) > 0 {
		_ = b.stop(b.processes[0]) // its own log says what was wrong
	}
}

// node starts an appliance on a data folder and waits until it answers.
func (b *bench) node(data string) (*exec.Cmd, string, error) {
	cmd, public, _, err := b.nodeWith(data)
	return cmd, public, err
}

// nodeWith is node behind other words of the command line.
func (b *bench) nodeWith(data string, before ...string) (cmd *exec.Cmd, public, control string, err error) {
	if public, err = freeAddress(); err != nil {
		return nil, "", "", err
	}
	if control, err = freeAddress(); err != nil {
		return nil, "", "", err
	}
	args := append(before, "serve", "--data", data, "--http", public, "--control", control, "--log-level", "error")
	if cmd, err = b.start(b.ledge, args...); err != nil {
		return nil, "", "", err
	}
	return cmd, public, control, b.waitFor("http://" + public + "/")
}

func (b *bench) waitFor(url string) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && b.ctx.Err() == nil; {
		if reply, err := http.Get(url); err == nil {
			reply.Body.Close()
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("nothing answers at %s", url)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (b *bench) command(data string, args ...string) error {
	cmd := exec.CommandContext(b.ctx, b.ledge, append(args, "--data", data)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ledge %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (b *bench) run() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bare, err := freeAddress()
	if err != nil {
		return err
	}
	if _, err := b.start(self, "-baseline", bare); err != nil {
		return err
	}
	if err := b.waitFor("http://" + bare + "/"); err != nil {
		return err
	}
	data := filepath.Join(b.dir, "load")
	node, public, control, err := b.nodeWith(data)
	if err != nil {
		return err
	}
	b.row("| measured | Ledge | bare fasthttp, where nothing else is named | ratio | target |\n|---|---|---|---|---|")
	if b.only == "" || b.only == "throughput" {
		if err := b.throughput(data, public, bare); err != nil {
			return err
		}
	}
	if b.only == "" || b.only == "signed" {
		if err := b.signed(data, public, control); err != nil {
			return err
		}
	}
	if b.only == "" || b.only == "neighbours" {
		if err := b.neighbours(data, public); err != nil {
			return err
		}
	}
	if err := b.stop(node); err != nil {
		return fmt.Errorf("stop the node: %w", err)
	}
	if b.only == "" || b.only == "starts" {
		if err := b.starts(); err != nil {
			return err
		}
	}
	if b.only == "" || b.only == "events" {
		if err := b.events(); err != nil {
			return err
		}
	}
	if b.only == "" || b.only == "languages" {
		return b.languages()
	}
	return nil
}

func (b *bench) throughput(data, public, bare string) error {
	if err := b.command(data, "deploy", "warm", filepath.Join(b.functions, "echo.wasm"), "--route", "POST /warm", "--payload", "raw"); err != nil {
		return err
	}
	module := func(name string) string { return filepath.Join(b.functions, name+".wasm") }
	deploys := [][]string{
		{"deploy", "event", module("echo"), "--route", "GET /event"},
		{"deploy", "fresh", module("echo"), "--route", "POST /fresh", "--payload", "raw", "--isolation", "fresh"},
		{"deploy", "command", module("hello"), "--route", "GET /command", "--payload", "raw"},
		{"deploy", "program", module("thermostat-c"), "--route", "POST /program", "--payload", "raw"},
		{"deploy", "restored", module("greet-extism-go"), "--route", "POST /restored", "--payload", "raw", "--isolation", "fresh"},
	}
	for _, args := range deploys {
		if err := b.command(data, args...); err != nil {
			return err
		}
	}
	rows := []struct {
		name, path, post, target string
	}{
		{"warm Wasm instance, echo of 16 bytes", "/warm", "0123456789abcdef", "0.85"},
		{"fresh Wasm instance for each request, the same", "/fresh", "0123456789abcdef", "0.60"},
		{"fresh WASI command for each request, constant reply", "/command", "", "0.60"},
		{"fresh C program for each request: parses JSON, decides, replies", "/program", `{"sensor":"hall","celsius":17.5}`, ""},
		{"warm, with an API Gateway event of 0.9 KB as request and reply", "/event", "", ""},
		{"Go plug-in restored from its snapshot for each request", "/restored", `{"name":"Ada"}`, ""},
	}
	for _, row := range rows {
		script := ""
		if row.post != "" {
			script = filepath.Join(b.dir, "post.lua")
			if err := os.WriteFile(script, fmt.Appendf(nil, "wrk.method = 'POST'\nwrk.body = %q\n", row.post), 0o600); err != nil {
				return err
			}
		}
		var ours, theirs, ratios []float64
		for range b.rounds {
			mine, err := b.wrk("http://"+public+row.path, script, 32, b.duration)
			if err != nil {
				return err
			}
			other, err := b.wrk("http://"+bare+row.path, script, 32, b.duration)
			if err != nil {
				return err
			}
			ours, theirs, ratios = append(ours, mine.rate), append(theirs, other.rate), append(ratios, mine.rate/other.rate)
		}
		b.row("| %s | %.0f/s | %.0f/s | %.2f | %s |", row.name, median(ours), median(theirs), median(ratios), row.target)
	}
	return nil
}

// neighbours measures what a function that loops and one that allocates do to
// the others.
func (b *bench) neighbours(data, public string) error {
	if err := b.command(data, "deploy", "warm", filepath.Join(b.functions, "echo.wasm"), "--route", "POST /warm", "--payload", "raw"); err != nil {
		return err
	}
	for name, module := range map[string]string{"loop": "hostile/loop", "bomb": "hostile/memory-bomb-slow"} {
		path := filepath.Join(b.functions, module+".wasm")
		if err := b.command(data, "deploy", name, path, "--route", "GET /"+name, "--payload", "raw", "--timeout", "10m"); err != nil {
			return err
		}
	}
	script := filepath.Join(b.dir, "post.lua")
	if err := os.WriteFile(script, []byte("wrk.method = 'POST'\nwrk.body = '0123456789abcdef'\n"), 0o600); err != nil {
		return err
	}
	for _, load := range []struct {
		name        string
		connections int
		target      string
	}{{"32 connections", 32, "at most 2"}, {"2 connections", 2, ""}} {
		var quiet, noisy, ratios []float64
		for range b.rounds {
			before, err := b.wrk("http://"+public+"/warm", script, load.connections, b.duration)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(b.ctx)
			done := make(chan struct{}, 2)
			for _, name := range []string{"loop", "bomb"} {
				go func() {
					pester(ctx, "http://"+public+"/"+name)
					done <- struct{}{}
				}()
			}
			during, err := b.wrk("http://"+public+"/warm", script, load.connections, b.duration)
			cancel()
			<-done
			<-done
			if err != nil {
				return err
			}
			quiet, noisy = append(quiet, before.p99.Seconds()*1e3), append(noisy, during.p99.Seconds()*1e3)
			ratios = append(ratios, during.p99.Seconds()/before.p99.Seconds())
		}
		b.row("| p99 with a looping and an allocating neighbour, %s | %.2f ms | %.2f ms alone | %.2f | %s |",
			load.name, median(noisy), median(quiet), median(ratios), load.target)
	}
	return nil
}

// pester requests url again and again until ctx is done.
func pester(ctx context.Context, url string) {
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return
		}
		if reply, err := http.DefaultClient.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, reply.Body)
			reply.Body.Close()
		}
	}
}

// starts measures an appliance with 1000 functions, and one with none.
func (b *bench) starts() error {
	const functions = 1000
	data := filepath.Join(b.dir, "many")
	node, _, err := b.node(data)
	if err != nil {
		return err
	}
	module := filepath.Join(b.functions, "echo.wasm")
	for i := range functions {
		if err := b.command(data, "deploy", fmt.Sprintf("f%d", i), module, "--route", fmt.Sprintf("POST /f%d", i), "--payload", "raw"); err != nil {
			return err
		}
	}
	var starts []float64
	for range b.rounds {
		if err := b.stop(node); err != nil {
			return err
		}
		began := time.Now()
		var public string
		if node, public, err = b.node(data); err != nil {
			return err
		}
		reply, err := http.Post("http://"+public+"/f777", "text/plain", strings.NewReader("hello"))
		if err != nil {
			return err
		}
		text, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		if err != nil || string(text) != "hello" {
			return fmt.Errorf("first reply is %q: %w", text, err)
		}
		starts = append(starts, time.Since(began).Seconds()*1e3)
	}
	if err := b.stop(node); err != nil {
		return err
	}
	b.row("| start with %d functions until the first reply | %.0f ms | | | at most 500 ms |", functions, median(starts))
	if node, _, err = b.node(filepath.Join(b.dir, "empty")); err != nil {
		return err
	}
	resident, err := residentMiB(node.Process.Pid)
	if err != nil {
		return err
	}
	b.row("| idle memory without functions | %.1f MiB | | | at most 40 MiB |", resident)
	info, err := os.Stat(b.ledge)
	if err != nil {
		return err
	}
	b.row("| binary | %.1f MB | | | at most 45 MB |", float64(info.Size())/1e6)
	return b.stop(node)
}

type measurement struct {
	rate     float64 // requests/s
	p50, p99 time.Duration
}

// wrk loads url and returns what wrk saw. Any reply but a 2xx is an error.
func (b *bench) wrk(url, script string, connections int, duration time.Duration) (m measurement, err error) {
	args := []string{"-t1", "-c" + strconv.Itoa(connections), "-d" + strconv.Itoa(max(1, int(duration.Seconds()))), "--latency"}
	if script != "" {
		args = append(args, "-s", script)
	}
	out, err := exec.CommandContext(b.ctx, "wrk", append(args, url)...).CombinedOutput()
	if err != nil {
		return m, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 2 && fields[0] == "Requests/sec:":
			if m.rate, err = strconv.ParseFloat(fields[1], 64); err != nil {
				return m, err
			}
		case len(fields) == 2 && fields[0] == "50%":
			if m.p50, err = time.ParseDuration(fields[1]); err != nil {
				return m, err
			}
		case len(fields) == 2 && fields[0] == "99%":
			if m.p99, err = time.ParseDuration(fields[1]); err != nil {
				return m, err
			}
		case strings.HasPrefix(strings.TrimSpace(line), "Non-2xx"), strings.HasPrefix(strings.TrimSpace(line), "Socket errors"):
			return m, fmt.Errorf("%s: %s", url, strings.TrimSpace(line))
		}
	}
	if m.rate == 0 || m.p99 == 0 {
		return m, errors.New("wrk printed no rate:\n" + string(out))
	}
	return m, nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func residentMiB(pid int) (float64, error) { return statusMiB(pid, "VmRSS") }

// statusMiB returns a size that the kernel tells of a process
// (https://man7.org/linux/man-pages/man5/proc_pid_status.5.html).
func statusMiB(pid int, field string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			return n / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s", field)
}
