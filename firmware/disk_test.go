package firmware_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ledge/persist"
)

// These tests are about disks that are full or bad.

// startOnSmallDisk runs an appliance on a disk of 3 MB, which is its own.
func startOnSmallDisk(t *testing.T) *node {
	t.Helper()
	dir := t.TempDir()
	cmd, public, control := serveCommand(t, filepath.Join(dir, "data"))
	script := `mount -t tmpfs -o size=3m none "$0" && exec "$@"`
	args := append([]string{"--mount", "sh", "-c", script, dir}, cmd.Args...)
	if os.Geteuid() != 0 {
		args = append([]string{"--map-root-user"}, args...)
	}
	return startCommand(t, exec.Command("unshare", args...), filepath.Join(dir, "data"), public, control)
}

// A disk that is full fails the deploy with a reason, and what serves goes on
// serving.
func TestFullDisk(t *testing.T) {
	n := startOnSmallDisk(t)
	deploy := func(name, file string) (int, string) {
		wasm, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return n.post(http.MethodPut, "/v1/functions/"+name, map[string]any{
			"Code": map[string]any{"ZipFile": wasm}, "Routes": []map[string]string{{"Route": "ANY /" + name, "Payload": "raw"}}})
	}
	if status, text := deploy("echo", module("echo")); status != 201 {
		t.Fatalf("%d %s", status, text)
	}
	status, text := deploy("big", module("hello-go")) // a Go program is larger than the disk
	if status != 507 || !strings.Contains(text, "no space left") && !strings.Contains(text, "disk is full") {
		t.Errorf("a full disk is reported as %d %s", status, text)
	}
	if got := n.functions(); len(got) != 1 {
		t.Errorf("functions %v", got)
	}
	for range 3 {
		if status, body := n.request("POST", "/echo", "still"); status != 200 || body != "still" {
			t.Errorf("%d %q", status, body)
		}
	}
	if status, text := deploy("small", module("echo-raw")); status != 201 {
		t.Errorf("there is room again, but: %d %s", status, text)
	}
}

// On a disk that is full events are refused with the reason, those that were
// acknowledged are kept, and there is nothing to be done but to make room.
func TestFullDiskRefusesEvents(t *testing.T) {
	n := startOnSmallDisk(t)
	wasm, err := os.ReadFile(module("tally"))
	if err != nil {
		t.Fatal(err)
	}
	if status, text := n.post(http.MethodPut, "/v1/functions/tally", map[string]any{"Code": map[string]any{"ZipFile": wasm}}); status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	acknowledged, sent := map[string]bool{}, 0
	send := func() (status int, text string) {
		sent++
		id := fmt.Sprint("event ", sent, strings.Repeat(" ", 900)) // a key of tally's has up to 1 KiB
		status, text = n.post(http.MethodPost, "/2015-03-31/functions/tally/invocations", id, "X-Amz-Invocation-Type", "Event")
		if status == http.StatusAccepted {
			acknowledged[fmt.Sprintf("%q", id)] = true
		}
		return status, text
	}
	if status, text := send(); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, text)
	}
	filler := filepath.Join(n.folder(), "filler")
	if err := os.WriteFile(filler, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is larger than it should be: %v", err)
	}
	status, text := http.StatusAccepted, ""
	for status == http.StatusAccepted && sent < 5000 { // pages that are free in the store are used up first
		status, text = send()
	}
	if status < 500 || !strings.Contains(text, "no space left") && !strings.Contains(text, "disk is full") {
		t.Errorf("a full disk is reported as %d %s after %d events", status, text, sent)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if status, text := send(); status != http.StatusAccepted {
		t.Errorf("there is room again, but: %d %s", status, text)
	}

	disk, err := os.Open(n.folder()) // the disk goes with the process, but for this
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disk.Close() })
	if err := n.stop(); err != nil {
		t.Errorf("%v\n%s", err, n.log)
	}
	books := openBooks(t, fmt.Sprintf("/proc/self/fd/%d", disk.Fd()))
	for id := range acknowledged {
		if !books.has(id) {
			t.Errorf("event %.12s was acknowledged and is lost", id)
		}
	}
}

// A store that is damaged beyond what its other meta page saves comes back from its
// backup: the node serves, and says loudly what that means.
func TestDamagedStoreComesBack(t *testing.T) {
	data := t.TempDir()
	n := start(t, data)
	n.must("deploy", "echo", module("echo"), "--route", "POST /echo", "--payload", "raw")
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	store, err := persist.Open(data, persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Backup(t.Context())
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "ledge.db"), bytes.Repeat([]byte("damaged "), 8<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	n = start(t, data)
	if status, body := n.request("POST", "/echo", "back"); status != http.StatusOK || body != "back" {
		t.Errorf("%d %q", status, body)
	}
	for _, says := range []string{"level=ERROR", "the store was restored from the backup of", "ledge.db.damaged-"} {
		if !strings.Contains(n.log.String(), says) {
			t.Errorf("the log does not say %q:\n%s", says, n.log)
		}
	}
}
