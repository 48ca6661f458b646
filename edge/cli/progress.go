package cli

import (
	"fmt"
	"io"
	"sync"
)

// progress shows on a terminal what a long command is doing, in one line that
// each stage replaces. Where there is no terminal it does nothing. It is safe
// for concurrent use: uploads are read by a goroutine of net/http.
type progress struct {
	mu  sync.Mutex
	out io.Writer // nil: nothing is shown
}

func (a *app) progress() *progress {
	if !a.env.IsTerminal || a.json {
		return &progress{}
	}
	return &progress{out: a.env.Stderr}
}

// eraseLine is the return to the line's start and ECMA-48's "erase in line".
const eraseLine = "\r\x1b[K"

func (p *progress) stage(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out != nil {
		// Only decoration is lost where this fails.
		_, _ = io.WriteString(p.out, eraseLine+oneLine(fmt.Sprintf(format, args...))+"…")
	}
}

// done removes the line. Later stages are not shown.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out != nil {
		_, _ = io.WriteString(p.out, eraseLine)
		p.out = nil
	}
}

// upload is a request's body that reports when all of it was read.
type upload struct {
	io.Reader
	left int64
	sent func()
}

func (u *upload) Read(b []byte) (int, error) {
	n, err := u.Reader.Read(b)
	if u.left > 0 && u.left <= int64(n) {
		u.sent()
	}
	u.left -= int64(n)
	return n, err
}
