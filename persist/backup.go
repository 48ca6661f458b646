package persist

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// The data folder holds one copy of the database, ledge.db.backup, that Open goes
// back to where the database itself is damaged. It helps against a file that went
// bad, not against a disk that is gone: for that, copy the backup elsewhere.
//
// What goes back with it: the store is then as it was when the copy was taken.
// Events that were accepted later are lost, those that waited or ran then run
// again, values and checkpoints of feeds and schedules are the older ones, and a
// key that was deleted later is good again. Open says so in Recovered.
const (
	backupFile    = databaseFile + ".backup"
	backupNew     = backupFile + ".new" // until it is complete
	restoringFile = databaseFile + ".restoring"
)

// When BackupIfDue makes a copy. A copy is written once, and not in place, so the
// flash is worn by its size: at most backupDayBytes in a day, or one copy where
// that is larger.
const (
	backupDaily    = 24 * time.Hour
	backupSoonest  = 10 * time.Minute // after the one before, where the configuration changed
	backupDayBytes = 1 << 30
	backupRetry    = time.Hour // after one that failed
)

// ErrNoRoom says that the disk has not room enough for what would be written.
var ErrNoRoom = errors.New("not enough room on the disk")

// BackupInfo describes a copy of the store.
type BackupInfo struct {
	Path       string
	Bytes      int64     // of the file
	Generation uint64    // of the store, when the copy was taken
	Taken      time.Time // in UTC, to the millisecond

	transaction uint64 // the newest that is in it
}

// Backup replaces the copy of the store in its data folder by one of now, and
// returns when that is on disk. Writers go on meanwhile; what they write is not in
// it. The one before stays until the new one is complete and was read back.
//
// Errors: ErrNoRoom where the disk has not room for two copies, one to be written
// and one to be restored; ErrDamaged where the store cannot be read, ErrClosed where
// it is closed, or what ctx ended with.
func (s *Store) Backup(ctx context.Context) (BackupInfo, error) {
	select {
	case s.backups <- struct{}{}:
	case <-ctx.Done():
		return BackupInfo{}, ctx.Err()
	}
	defer func() { <-s.backups }()
	info, err := s.makeBackup(func() error {
		select {
		case <-s.closing:
			return ErrClosed
		default:
			return ctx.Err()
		}
	})
	if err != nil {
		s.backupFailed.Store(s.now().UnixNano())
		return BackupInfo{}, fmt.Errorf("back up the store: %w", err)
	}
	s.backupFailed.Store(0)
	return info, nil
}

// BackupIfDue calls Backup where one is due, and reports whether it did: daily if
// anything changed, and some minutes after the configuration did. It is cheap where
// none is due; a chore calls it every few minutes.
func (s *Store) BackupIfDue(ctx context.Context) (info BackupInfo, made bool, err error) {
	last, err := s.LastBackup()
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDamaged) {
		return BackupInfo{}, false, err
	}
	now := s.now()
	if failed := s.backupFailed.Load(); failed != 0 && now.Sub(time.Unix(0, failed)).Abs() < backupRetry {
		return BackupInfo{}, false, nil
	}
	var transaction uint64
	var size int64
	err = s.view(func(tx *bolt.Tx) error {
		transaction, size = uint64(tx.ID()), s.used(tx)
		return nil
	})
	if err != nil {
		return BackupInfo{}, false, fmt.Errorf("see whether a backup is due: %w", err)
	}
	if !backupDue(last, transaction != last.transaction, s.Generation() != last.Generation, size, now) {
		return BackupInfo{}, false, nil
	}
	info, err = s.Backup(ctx)
	return info, err == nil, err
}

// backupDue says whether a store of size bytes is to be copied. last is zero where
// there is no copy.
func backupDue(last BackupInfo, changed, configured bool, size int64, now time.Time) bool {
	age := now.Sub(last.Taken)
	switch {
	case !changed && !configured:
		return false
	case last.Taken.IsZero(), age >= backupDaily, age < 0: // the clock was wrong then or is now
		return true
	case !configured:
		return false
	}
	pause := time.Duration(float64(backupDaily) * float64(size) / backupDayBytes)
	return age >= min(max(pause, backupSoonest), backupDaily)
}

// LastBackup describes the copy of the store that is there, or returns ErrNotFound.
// It does not read all of it, so the copy may be damaged in places.
func (s *Store) LastBackup() (BackupInfo, error) {
	f, info, err := openBackup(filepath.Dir(s.path))
	if err != nil {
		return BackupInfo{}, err
	}
	defer f.Close()
	return info, nil
}

// used returns about how many bytes a copy of the store has.
func (s *Store) used(tx *bolt.Tx) int64 {
	return max(tx.Size()-int64(s.db.Stats().FreePageN)*int64(s.db.Info().PageSize), 0)
}

// makeBackup takes the copy and puts it in the place of the one before. What fails
// leaves that one, and removes the new one.
func (s *Store) makeBackup(stop func() error) (BackupInfo, error) {
	dir := filepath.Dir(s.path)
	path := filepath.Join(dir, backupNew)
	info, err := s.writeBackup(path, stop)
	if err == nil {
		err = s.replaceBackup(dir, path)
	}
	if err != nil {
		return BackupInfo{}, errors.Join(err, removeIfThere(path))
	}
	info.Path = filepath.Join(dir, backupFile)
	return info, nil
}

// writeBackup writes a complete copy to path and reads it back.
func (s *Store) writeBackup(path string, stop func() error) (BackupInfo, error) {
	if err := removeIfThere(path); err != nil { // it could not be removed then
		return BackupInfo{}, err
	}
	if err := s.faults.at(stepBackupCreate); err != nil {
		return BackupInfo{}, fmt.Errorf("create %s: %w", path, err)
	}
	info := BackupInfo{Taken: milli(s.now())}
	err := s.view(func(tx *bolt.Tx) error {
		info.Generation, info.transaction = readGeneration(tx), uint64(tx.ID())
		if err := roomFor(path, 2*s.used(tx)); err != nil {
			return err
		}
		// bbolt follows pages without an end that make no sense; the check does not.
		if err := checkTransaction(s.path, tx, s.db.Info().PageSize, stop); err != nil {
			return err
		}
		return copyDatabase(tx, path, stop, s.faults)
	})
	if err != nil {
		return BackupInfo{}, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return BackupInfo{}, fmt.Errorf("open the copy: %w", err)
	}
	info, err = writeSeal(f, info, stop, s.faults)
	if err := errors.Join(err, f.Close()); err != nil {
		return BackupInfo{}, err
	}
	return info, nil
}

func (s *Store) replaceBackup(dir, path string) error {
	if err := s.faults.at(stepBackupRename); err != nil {
		return fmt.Errorf("rename backup: %w", err)
	}
	if err := os.Rename(path, filepath.Join(dir, backupFile)); err != nil {
		return fmt.Errorf("rename backup: %w", err)
	}
	if err := s.faults.at(stepBackupRenamed); err != nil {
		return fmt.Errorf("sync data folder: %w", err)
	}
	if err := syncFile(dir); err != nil {
		return fmt.Errorf("sync data folder: %w", err)
	}
	return nil
}

// roomFor returns ErrNoRoom where the file system of path has less than size bytes.
func roomFor(path string, size int64) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &fs); err != nil {
		return fmt.Errorf("ask for free space: %w", err)
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < size {
		return fmt.Errorf("%w: %d bytes are free, and %d are needed; make room, there is no newer backup until then", ErrNoRoom, free, size)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", filepath.Base(path), err)
	}
	return nil
}
