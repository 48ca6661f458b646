package engine

import (
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"time"
)

// Config is what a Runtime needs of its node. DefaultConfig fills all but the
// folders and the key.
type Config struct {
	// ArtifactDir holds precompiled modules and snapshots. All of it can be
	// made again; it may be deleted while no Runtime uses it.
	ArtifactDir string
	// DeviceKey authenticates the artifacts: loading one that somebody else
	// wrote would run their machine code. It must be secret to the node.
	DeviceKey [32]byte

	MemoryBudget int64         // bytes of linear memory for all Instances; 0: half of the machine's memory
	MaxInstances int           // Instances at the same time, idle ones included; 0: what the address space allows
	AddressBits  int           // of user address space: 47 or more, 39, or 0 to probe
	IdleTimeout  time.Duration // idle Instances are dropped after it
	InitTimeout  time.Duration // for a module's initialisation

	// Region stands in ARNs and AWS_REGION, which functions see; empty: DefaultRegion.
	Region string

	Logs LogSink // nil: logs are only in Results
	Data Data    // nil: a function that uses variables fails

	Publisher Publisher // nil: functions cannot publish
	Async     Async     // nil: functions cannot leave events for others

	Log *slog.Logger // for the operator: what takes long; nil: nobody is told
}

// DefaultConfig returns the settings for a node that serves nothing else.
func DefaultConfig() Config {
	return Config{IdleTimeout: 5 * time.Minute, InitTimeout: 10 * time.Second}
}

// Validate says what is wrong with the settings.
func (c Config) Validate() error {
	switch {
	case c.ArtifactDir == "":
		return fmt.Errorf("no folder for artifacts")
	case c.DeviceKey == [32]byte{}:
		return fmt.Errorf("no device key")
	case c.MemoryBudget < 0:
		return fmt.Errorf("memory budget of %d bytes is negative", c.MemoryBudget)
	case c.MaxInstances < 0 || c.MaxInstances > maxInstances:
		return fmt.Errorf("%d instances are out of range; use 1 to %d", c.MaxInstances, maxInstances)
	case c.AddressBits != 0 && (c.AddressBits < 36 || c.AddressBits > 57):
		return fmt.Errorf("%d address bits are out of range; use 36 to 57, or 0 to probe", c.AddressBits)
	case c.Region != "" && !regionPattern.MatchString(c.Region):
		return fmt.Errorf("%q is not a region; use a name such as %s", c.Region, DefaultRegion)
	case c.IdleTimeout <= 0 || c.InitTimeout <= 0:
		return fmt.Errorf("timeouts must be positive")
	}
	return nil
}

var regionPattern = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// machineMemory returns the bytes of memory that the machine has, or a modest
// guess where it does not say.
func machineMemory() int64 {
	const guess = 1 << 30
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return guess
	}
	var kb int64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kb); err != nil || kb <= 0 {
		return guess
	}
	return kb << 10
}
