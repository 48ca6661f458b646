package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// reading is the event of the language handlers.
const reading = `{"sensor":"hall","celsius":31.5,"tags":["indoor","north","calibrated"]}`

// languages measures Python and JavaScript functions, side by side with what
// people would run otherwise: workerd and the plain interpreter.
func (b *bench) languages() error {
	script := filepath.Join(b.dir, "reading.lua")
	if err := os.WriteFile(script, fmt.Appendf(nil, "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = %q\n", reading), 0o600); err != nil {
		return err
	}
	data := filepath.Join(b.dir, "languages")
	node, public, err := b.node(data)
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"python", "app.py", "--isolation", "reuse"},
		{"python-fresh", "app.py", "--isolation", "fresh"},
		{"javascript", "index.mjs", "--isolation", "reuse"},
		{"javascript-fresh", "index.mjs", "--isolation", "fresh"},
	} {
		deploy := append([]string{"deploy", args[0], filepath.Join(b.handlers, args[1]), "--route", "POST /" + args[0]}, args[2:]...)
		if err := b.command(data, deploy...); err != nil {
			return err
		}
	}
	for _, measure := range []func(data, public, script string) error{b.againstWorkerd, b.lowLoad, b.cpu, b.firstReply} {
		if err := measure(data, public, script); err != nil {
			return err
		}
	}
	if err := b.stop(node); err != nil {
		return err
	}
	if err := b.oneCore(data, script); err != nil {
		return err
	}
	return b.population()
}

// againstWorkerd compares throughput and memory, with both cores for each.
func (b *bench) againstWorkerd(_, public, script string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	worker, err := filepath.Abs(filepath.Join(b.handlers, "worker.mjs"))
	if err != nil {
		return err
	}
	code, err := os.ReadFile(worker)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, "worker.mjs"), code, 0o600); err != nil {
		return err
	}
	config := filepath.Join(b.dir, "workerd.capnp")
	if err := os.WriteFile(config, fmt.Appendf(nil, `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (modules = [(name = "worker.mjs", esModule = embed "worker.mjs")], compatibilityDate = "2025-01-01"))],
  sockets = [(name = "http", address = "%s", http = (), service = "main")]
);
`, address), 0o600); err != nil {
		return err
	}
	other, err := b.start(b.workerd, "serve", config)
	if err != nil {
		return err
	}
	if err := b.waitFor("http://" + address + "/"); err != nil {
		return err
	}
	var ours, fresh, python, theirs, warmRatio, freshRatio []float64
	for range b.rounds {
		var rates [4]float64
		for i, url := range []string{"http://" + public + "/javascript", "http://" + public + "/javascript-fresh", "http://" + public + "/python", "http://" + address + "/"} {
			m, err := b.wrk(url, script, 32, b.duration)
			if err != nil {
				return err
			}
			rates[i] = m.rate
		}
		ours, fresh, python, theirs = append(ours, rates[0]), append(fresh, rates[1]), append(python, rates[2]), append(theirs, rates[3])
		warmRatio, freshRatio = append(warmRatio, rates[0]/rates[3]), append(freshRatio, rates[1]/rates[3])
	}
	theirMemory, err := memoryMiB(other.Process.Pid, "Pss:")
	if err != nil {
		return err
	}
	if err := b.stopAnyhow(other); err != nil {
		return err
	}
	ourMemory, err := b.javascriptMemory(script)
	if err != nil {
		return err
	}
	b.row("| JavaScript, `reuse` | %.0f/s | %.0f/s workerd | %.2f | 3 |", median(ours), median(theirs), median(warmRatio))
	b.row("| JavaScript, `fresh`: an interpreter for each request | %.0f/s | %.0f/s workerd, warm | %.2f | 1 |", median(fresh), median(theirs), median(freshRatio))
	b.row("| memory of the server under that load | %.0f MiB | %.0f MiB workerd | %.2f | 0.20 |", ourMemory, theirMemory, ourMemory/theirMemory)
	b.row("| Python, `reuse` | %.0f/s | | | 20000/s |", median(python))
	return nil
}

// javascriptMemory is what a node with the JavaScript function takes under load.
func (b *bench) javascriptMemory(script string) (float64, error) {
	data := filepath.Join(b.dir, "javascript-only")
	node, public, err := b.node(data)
	if err != nil {
		return 0, err
	}
	if err := b.command(data, "deploy", "javascript", filepath.Join(b.handlers, "index.mjs"), "--route", "POST /javascript"); err != nil {
		return 0, err
	}
	if _, err := b.wrk("http://"+public+"/javascript", script, 32, b.duration); err != nil {
		return 0, err
	}
	memory, err := memoryMiB(node.Process.Pid, "Pss:")
	if err != nil {
		return 0, err
	}
	return memory, b.stop(node)
}

// stopAnyhow is stop for a program whose exit status after SIGTERM is its own affair.
func (b *bench) stopAnyhow(cmd *exec.Cmd) error {
	err := b.stop(cmd)
	if _, exited := err.(*exec.ExitError); exited {
		return nil
	}
	return err
}

// lowLoad measures one client that waits for each reply, against starting an
// interpreter.
func (b *bench) lowLoad(_, public, script string) error {
	program := filepath.Join(b.dir, "once.py")
	if err := os.WriteFile(program, fmt.Appendf(nil, "import sys\nsys.path.insert(0, %q)\nimport app\nprint(app.handler({'body': %q}, None))\n", b.handlers, reading), 0o600); err != nil {
		return err
	}
	var p50, starts, ratios []float64
	for range b.rounds {
		m, err := b.wrk("http://"+public+"/python-fresh", script, 1, b.duration)
		if err != nil {
			return err
		}
		best := math.Inf(1)
		for range 5 {
			began := time.Now()
			if out, err := exec.CommandContext(b.ctx, b.python, "-IB", program).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w\n%s", b.python, err, out)
			}
			best = min(best, time.Since(began).Seconds()*1e3)
		}
		p50, starts = append(p50, m.p50.Seconds()*1e3), append(starts, best)
		ratios = append(ratios, best/(m.p50.Seconds()*1e3))
	}
	b.row("| Python, `fresh`, one client: median latency | %.3f ms | %.1f ms starting native Python, without HTTP | %.0f times | at most 0.5 ms |", median(p50), median(starts), median(ratios))
	return nil
}

// cpu compares work for the processor with the native interpreter.
func (b *bench) cpu(data, _, _ string) error {
	source := filepath.Join(b.handlers, "cpu.py")
	if err := b.command(data, "deploy", "cpu", source, "--timeout", "2m"); err != nil {
		return err
	}
	parts := []string{"loop", "dictionaries", "recursion", "documents"}
	ours, theirs := map[string][]float64{}, map[string][]float64{}
	for range b.rounds {
		for _, side := range []struct {
			into map[string][]float64
			cmd  *exec.Cmd
		}{
			{ours, exec.CommandContext(b.ctx, b.ledge, "invoke", "cpu", "--data", data)},
			{theirs, exec.CommandContext(b.ctx, b.python, "-IB", source)},
		} {
			out, err := side.cmd.Output()
			if err != nil {
				return fmt.Errorf("%s: %w", side.cmd, err)
			}
			var seconds map[string]float64
			if err := json.Unmarshal(out, &seconds); err != nil {
				return fmt.Errorf("%s: %w\n%s", side.cmd, err, out)
			}
			for _, part := range parts {
				side.into[part] = append(side.into[part], seconds[part])
			}
		}
	}
	product := 1.0
	for _, part := range parts {
		mine, other := median(ours[part]), median(theirs[part])
		product *= mine / other
		b.row("| Python, %s | %.0f ms | %.0f ms native Python | %.2f times slower | |", part, mine*1e3, other*1e3, mine/other)
	}
	b.row("| Python, these four, geometric mean | | | %.2f times slower | at most 3.5 |", math.Pow(product, 1/float64(len(parts))))
	return nil
}

// firstReply measures a deploy, as a person would do it, until the first reply.
func (b *bench) firstReply(data, public, _ string) error {
	source, err := os.ReadFile(filepath.Join(b.handlers, "app.py"))
	if err != nil {
		return err
	}
	var took []float64
	for i := range b.rounds {
		dir := filepath.Join(b.dir, fmt.Sprint("first", i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "app.py"), append(source, fmt.Sprintf("\nVERSION = %d\n", i)...), 0o600); err != nil {
			return err
		}
		began := time.Now()
		if err := b.command(data, "deploy", fmt.Sprint("first", i), dir, "--handler", "app.handler", "--route", fmt.Sprintf("POST /first%d", i)); err != nil {
			return err
		}
		if err := post(b.ctx, fmt.Sprintf("http://%s/first%d", public, i)); err != nil {
			return err
		}
		took = append(took, time.Since(began).Seconds()*1e3)
	}
	b.row("| deploy of a Python folder until the first reply | %.0f ms | | | at most 300 ms |", median(took))
	return nil
}

func post(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(reading))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d, %s: %w", url, reply.StatusCode, text, err)
	}
	return nil
}

// oneCore measures the node on one processor, with the load from another.
func (b *bench) oneCore(data, script string) error {
	plain := b.ledge
	b.ledge = "taskset"
	node, public, _, err := b.nodeWith(data, "-c", "0", plain)
	b.ledge = plain
	if err != nil {
		return err
	}
	var fresh, reuse []float64
	for range b.rounds {
		for _, one := range []struct {
			path string
			into *[]float64
		}{{"/python-fresh", &fresh}, {"/python", &reuse}} {
			m, err := b.wrk("http://"+public+one.path, script, 32, b.duration)
			if err != nil {
				return err
			}
			*one.into = append(*one.into, m.rate)
		}
	}
	b.row("| Python, `fresh`, one core for the server | %.0f/s | | | 3000/s |", median(fresh))
	b.row("| Python, `reuse`, one core for the server | %.0f/s | | | |", median(reuse))
	return b.stop(node)
}

// population measures what many functions, and many instances of one, take.
func (b *bench) population() error {
	const functions, instances = 100, 20
	data := filepath.Join(b.dir, "population")
	node, public, err := b.node(data)
	if err != nil {
		return err
	}
	if err := b.command(data, "deploy", "slow", filepath.Join(b.handlers, "slow.py"), "--route", "POST /slow"); err != nil {
		return err
	}
	if err := post(b.ctx, "http://"+public+"/slow"); err != nil {
		return err
	}
	before, err := memoryMiB(node.Process.Pid, "Private_Dirty:")
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	errs := make([]error, instances)
	for i := range instances {
		wait.Go(func() { errs[i] = post(b.ctx, "http://"+public+"/slow") })
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	after, err := memoryMiB(node.Process.Pid, "Private_Dirty:")
	if err != nil {
		return err
	}
	b.row("| private memory of one more idle Python instance | %.2f MiB | | | 2 MiB |", (after-before)/(instances-1))

	diskBefore, err := diskMiB(filepath.Join(data, "artifacts"))
	if err != nil {
		return err
	}
	source, err := os.ReadFile(filepath.Join(b.handlers, "app.py"))
	if err != nil {
		return err
	}
	for i := range functions {
		dir := filepath.Join(b.dir, fmt.Sprint("many", i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		text := append([]byte("import csv, datetime, decimal, logging, re\n"), source...)
		text = fmt.Appendf(text, "\nNUMBERS = list(range(%d))\n", 100*i)
		if err := os.WriteFile(filepath.Join(dir, "app.py"), text, 0o600); err != nil {
			return err
		}
		if err := b.command(data, "deploy", fmt.Sprint("many", i), dir, "--handler", "app.handler", "--route", fmt.Sprintf("POST /many%d", i)); err != nil {
			return err
		}
	}
	diskAfter, err := diskMiB(filepath.Join(data, "artifacts"))
	if err != nil {
		return err
	}
	if err := b.stop(node); err != nil {
		return err
	}
	if node, public, err = b.node(data); err != nil {
		return err
	}
	before, err = memoryMiB(node.Process.Pid, "Private_Dirty:")
	if err != nil {
		return err
	}
	for i := range functions {
		if err := post(b.ctx, fmt.Sprintf("http://%s/many%d", public, i)); err != nil {
			return err
		}
	}
	if after, err = memoryMiB(node.Process.Pid, "Private_Dirty:"); err != nil {
		return err
	}
	whole, err := memoryMiB(node.Process.Pid, "Pss:")
	if err != nil {
		return err
	}
	b.row("| disk for one of %d different Python functions | %.2f MiB | | | at most 2 MB |", functions, (diskAfter-diskBefore)/functions)
	b.row("| private memory for one of them with an idle instance | %.2f MiB | | | |", (after-before)/functions)
	b.row("| memory of that node | %.0f MiB | | | |", whole)
	return b.stop(node)
}

func diskMiB(dir string) (float64, error) {
	var bytes int64
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return float64(bytes) / (1 << 20), err
}

// memoryMiB is a line of the kernel's account of a process's memory. Pss counts a
// page once that is mapped many times, as those of a shared image are;
// Private_Dirty is what the process shares with nobody and no file.
func memoryMiB(pid int, name string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			return n / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s for process %d", name, pid)
}
