package scheduler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// Clock is the machine's clock, which can be wrong and can be set. Its methods may be
// called concurrently.
type Clock interface {
	// Now returns the time of day, without a monotonic reading.
	Now() time.Time
	// Synchronised reports whether something keeps the clock right, such as NTP. False
	// says nothing.
	Synchronised() bool
	// Watch returns a channel that gets a value each time the clock was set, and none
	// after ctx is done. The channel holds one. It is nil where the machine cannot
	// tell.
	Watch(ctx context.Context) <-chan struct{}
}

// SystemClock is the clock of the machine that this runs on.
type SystemClock struct{}

// wallClock is the time without its monotonic reading: after the clock was set
// back, the two disagree on whether a chore is due.
func wallClock() time.Time { return time.Now().Round(0) }

// Now is part of Clock.
func (SystemClock) Now() time.Time { return wallClock() }

// Synchronised asks the kernel, which knows since an NTP client has told it
// (https://man7.org/linux/man-pages/man2/adjtimex.2.html).
func (SystemClock) Synchronised() bool {
	var status unix.Timex // no modes: it only reads
	state, err := unix.Adjtimex(&status)
	return err == nil && state != unix.TIME_ERROR && status.Status&unix.STA_UNSYNC == 0
}

// Watch has a timer that never ends, and that the kernel cancels where the clock is set
// (https://man7.org/linux/man-pages/man2/timerfd_create.2.html).
func (SystemClock) Watch(ctx context.Context) <-chan struct{} {
	timer, err := newSetTimer()
	if err != nil {
		return nil
	}
	set := make(chan struct{}, 1)
	stop := context.AfterFunc(ctx, func() { timer.Close() }) // ends the read
	go func() {
		defer func() {
			if stop() {
				timer.Close()
			}
		}()
		var expirations [8]byte
		for ctx.Err() == nil {
			_, err := timer.Read(expirations[:])
			if err != nil && !errors.Is(err, unix.ECANCELED) {
				return // ctx is done, or there is nothing to be had from the kernel
			}
			if err := arm(timer); err != nil {
				return
			}
			select {
			case set <- struct{}{}:
			default:
			}
		}
	}()
	return set
}

func newSetTimer() (*os.File, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create timer: %w", err)
	}
	timer := os.NewFile(uintptr(fd), "timerfd")
	if err := arm(timer); err != nil {
		return nil, errors.Join(err, timer.Close())
	}
	return timer, nil
}

// arm sets the timer to a time that never comes; after each cancellation it must be set
// again.
func arm(timer *os.File) error {
	raw, err := timer.SyscallConn()
	if err != nil {
		return fmt.Errorf("arm timer: %w", err)
	}
	never := unix.ItimerSpec{Value: unix.NsecToTimespec(1<<62 - 1)} // in the year 2116
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil)
	})
	if err := errors.Join(err, set); err != nil {
		return fmt.Errorf("arm timer: %w", err)
	}
	return nil
}

// BuildTime returns when the source of this program was committed, zero where that is
// not known. No clock that is right shows an earlier time.
func BuildTime() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.time" {
			if t, err := time.Parse(time.RFC3339, setting.Value); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}
