package cli

import (
	"context"
	"io"
	"net/http"
	"testing"
)

const (
	firstLog  = `{"At":"2026-11-23T10:00:00.0004Z","Function":"hello","Version":"$LATEST","RequestID":"01234567-89ab-4cde-8f01-23456789abcd","Text":"START\nred \u001b[31mtext\ttab\r\n"}`
	secondLog = `{"At":"2026-11-23T11:00:01+01:00","Function":"hello","RequestID":"","Text":"end"}`
	firstText = "2026-11-23T10:00:00.000Z 01234567 START\n2026-11-23T10:00:00.000Z 01234567 red \\x1b[31mtext\ttab\n"
)

func TestLogs(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/functions/hello/logs":                                reply(200, firstLog+"\n\n"+secondLog+"\n"),
		"GET /v1/functions/hello/logs?limit=5&since=10m0s":            reply(200, ""),
		"GET /v1/functions/hello/logs?since=2026-11-23T10%3A00%3A00Z": reply(200, secondLog),
		"GET /v1/functions/gone/logs":                                 failure(404, awsNotFound, "no"),
	})
	n.run("logs", "hello").want(t, 0, firstText+"2026-11-23T10:00:01.000Z - end\n", "")
	n.run("logs", "hello", "--json").want(t, 0, firstLog+"\n"+secondLog+"\n", "")
	n.run("logs", "hello", "--since", "10m", "--limit", "5").want(t, 0, "", "no log records of hello\n")
	n.run("logs", "hello", "--since", "10m", "--limit", "5", "--json").want(t, 0, "", "")
	n.run("logs", "hello", "--since", "2026-11-23T10:00:00Z").want(t, 0, "2026-11-23T10:00:01.000Z - end\n", "")
	n.run("logs", "gone").want(t, 1, "", "ledge: function gone not found\n  see what is there: ledge ls\n")
	if o := n.run("logs", "hello", "--limit", "0"); o.exit != 2 {
		t.Errorf("--limit 0: exit %d, want 2", o.exit)
	}
}

// writerFunc is a standard output that a test watches.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestLogsFollowUntilInterrupted(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/functions/hello/logs?follow=1": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, firstLog+"\n")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			<-r.Context().Done() // the stream stays open until the command goes
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	var got []byte
	out := writerFunc(func(p []byte) (int, error) {
		got = append(got, p...)
		cancel() // as Ctrl-C once the first record was seen
		return len(p), nil
	})
	commandLine{args: []string{"logs", "hello", "-f", "--data", n.data}, ctx: ctx, stdout: out}.run(t).want(t, 0, "", "")
	if string(got) != firstText {
		t.Errorf("got %q", got)
	}
}

func TestLogsThatEndBadly(t *testing.T) {
	for _, c := range []struct {
		name           string
		answer         http.HandlerFunc
		stdout, stderr string
	}{
		{"ended", reply(200, secondLog+"\n"), "2026-11-23T10:00:01.000Z - end\n",
			"ledge: the appliance at NODE ended the log\n  it may be restarting; see its output\n"},
		{"torn", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"At\""), "",
			"ledge: NODE sent a log record that is none: \"{\\\"At\\\"\"\n"},
		{"cut between records", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n"), "",
			"ledge: the answer of NODE broke off: the other side closed it\n  the appliance may have stopped; see its output, and: ledge version\n"},
		{"not JSON", reply(200, "hello\n"), "", "ledge: NODE sent a log record that is none: \"hello\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, map[string]http.HandlerFunc{"GET /v1/functions/hello/logs?follow=1": c.answer})
			node := n.data + "/control.sock"
			o := n.run("logs", "hello", "-f")
			o.want(t, 1, c.stdout, replaceNode(c.stderr, node))
		})
	}
}
