package firmware

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const claimFile = "ledge.lock"

// ClaimedError says that another appliance runs on the data folder.
type ClaimedError struct {
	Dir string
	PID string // of the other appliance; empty where it is not known
}

func (e *ClaimedError) Error() string {
	who := "another appliance"
	if e.PID != "" {
		who += " (process " + e.PID + ")"
	}
	return fmt.Sprintf("%s runs on %s; stop it first, or use another folder with --data", who, e.Dir)
}

// Claim is the exclusive right to a data folder.
type Claim struct{ file *os.File }

// ClaimFolder makes dir if it is not there, for its owner alone, and claims it.
// It returns a *ClaimedError where somebody else has it. The kernel gives the
// claim back when the process ends, however it ends.
func ClaimFolder(dir string) (*Claim, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	path := filepath.Join(dir, claimFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open claim on data folder: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		text, _ := io.ReadAll(io.LimitReader(file, 20)) // only to name the culprit
		file.Close()
		return nil, &ClaimedError{Dir: dir, PID: strings.TrimSpace(string(text))}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	// On a full disk the number is missing in the message of a second
	// appliance; that is no reason not to start the first.
	if file.Truncate(0) == nil {
		_, _ = fmt.Fprintf(file, "%d\n", os.Getpid())
	}
	return &Claim{file: file}, nil
}

// Release gives the folder back.
func (c *Claim) Release() error { return c.file.Close() }
