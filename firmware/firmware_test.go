package firmware

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestClaim(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	claim, err := ClaimFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ClaimFolder(dir)
	var claimed *ClaimedError
	if !errors.As(err, &claimed) || claimed.Dir != dir || claimed.PID != strconv.Itoa(os.Getpid()) {
		t.Errorf("second claim: %v", err)
	}
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
	if claim, err = ClaimFolder(dir); err != nil {
		t.Fatal("a released folder cannot be claimed:", err)
	}
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data folder is open to others: %v %v", info.Mode(), err)
	}
}

func TestDeviceKey(t *testing.T) {
	dir := t.TempDir()
	first, err := DeviceKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := DeviceKey(dir)
	if err != nil || second != first {
		t.Errorf("the key changed: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, keyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is open to others: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), first[:5], 0o600); err != nil {
		t.Fatal(err)
	}
	if third, err := DeviceKey(dir); err != nil || third == first || third == [32]byte{} {
		t.Errorf("a torn key was not replaced: %v", err)
	}
	if _, err := DeviceKey(filepath.Join(dir, "missing")); err == nil {
		t.Error("a key was made in a folder that does not exist")
	}
}

func TestNotify(t *testing.T) {
	if err := Notify("", Ready); err != nil {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := Notify(path, Ready); err != nil {
		t.Fatal(err)
	}
	var got [64]byte
	if n, err := conn.Read(got[:]); err != nil || string(got[:n]) != Ready {
		t.Errorf("%q, %v", got[:n], err)
	}
	if err := Notify(path+"x", Ready); err == nil {
		t.Error("a missing socket was no error")
	}
}
