package persist

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

const databaseFile = "ledge.db"

// openDatabase returns a database that is in order, by setting aside what is
// not and going back to the backup. recovered tells the operator about that.
func openDatabase(dir string, opts Options) (db *bolt.DB, recovered string, err error) {
	path := filepath.Join(dir, databaseFile)
	if recovered, err = restoreMissing(dir, opts); err != nil {
		return nil, "", err
	}
	db, lost, err := openChecked(path, opts)
	for tries := 0; errors.Is(err, ErrDamaged) && tries < 2; tries++ { // also the one from the backup may be
		aside, asideErr := setAside(path, opts)
		if asideErr != nil {
			return nil, "", errors.Join(err, asideErr)
		}
		recovered = fmt.Sprintf("%s; it was set aside as %s", err, filepath.Base(aside))
		var info BackupInfo
		if err = ErrNotFound; tries == 0 {
			info, err = restoreBackup(dir, opts)
		}
		switch {
		case err == nil:
			recovered += ", and " + restoredText(info)
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
			recovered += fmt.Sprintf(" and the node started with an empty store (%s)", err)
		default:
			return nil, "", err
		}
		recovered += "; the code of its functions is kept until that file is removed"
		db, lost, err = openChecked(path, opts)
	}
	if err != nil {
		return nil, "", err
	}
	if len(lost) > 0 {
		records := fmt.Sprintf("%d records of %s could not be decoded and were set aside: %s",
			len(lost), databaseFile, strings.Join(lost, ", "))
		recovered = strings.TrimPrefix(recovered+"; "+records, "; ")
	}
	return db, recovered, nil
}

// restoreMissing goes back to the backup where there is no database at all: a crash
// may have come after it was set aside. recovered is also about a backup that an
// earlier start went back to, see untoldRestore.
func restoreMissing(dir string, opts Options) (recovered string, err error) {
	if err := removeIfThere(filepath.Join(dir, restoringFile)); err != nil {
		return "", err
	}
	info, err := os.Stat(filepath.Join(dir, databaseFile))
	if err == nil && info.Size() > 0 {
		return untoldRestore(dir, info.Size()), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("look for database: %w", err)
	}
	backup, err := restoreBackup(dir, opts)
	switch {
	case errors.Is(err, ErrNotFound): // a new node
		return "", nil
	case errors.Is(err, ErrDamaged):
		return fmt.Sprintf("%s was missing and the node started with an empty store (%s)", databaseFile, err), nil
	case err != nil:
		return "", err
	}
	return databaseFile + " was missing, and " + restoredText(backup), nil
}

// openChecked opens the database, migrates it and reads all of its records
// once. lost names those that it set aside. It returns ErrDamaged where the
// file is at fault, and other errors where the machine is: permissions, a full
// disk, the lock.
func openChecked(path string, opts Options) (db *bolt.DB, lost []string, err error) {
	var file *os.File
	checked := false
	defer func() {
		// bolt.Open forgets its file, and with it the lock, where it panics.
		if err != nil && file != nil {
			file.Close() // a second time where bbolt closed it, which is harmless
		}
	}()
	defer catchDamage(debug.SetPanicOnFault(true), &err)

	db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout:         opts.LockTimeout,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: mapAhead(path),
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			if file, err = os.OpenFile(name, flag, mode); err != nil {
				return nil, err
			}
			// bbolt locks the same open file, which has the lock then already.
			if checked, err = checkLocked(file); err != nil {
				return nil, err
			}
			return file, nil
		},
	})
	switch errno := syscall.Errno(0); {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, nil, fmt.Errorf("open %s: %w", path, ErrLocked)
	case errors.Is(err, ErrDamaged):
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	case errors.As(err, &errno):
		return nil, nil, fmt.Errorf("open database: %w", err)
	case err != nil: // bbolt has no one error for what is wrong inside the file
		return nil, nil, fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	if !checked { // the other process has just let go
		if _, err := checkLocked(file); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
		}
	}
	db.AllocSize = growBytes
	if err := migrate(db, migrations(), opts.faults); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	if lost, err = setAsideRecords(db, opts.faults); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("check records: %w", err), db.Close())
	}
	return db, lost, nil
}

// checkLocked checks a file that nobody else writes to. It does nothing where
// another process has the lock: bbolt then waits for it.
func checkLocked(file *os.File) (checked bool, err error) {
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return false, nil
	}
	info, err := file.Stat()
	if err != nil {
		return false, fmt.Errorf("read size of database: %w", err)
	}
	if info.Size() == 0 { // new, and for bbolt to fill
		return true, nil
	}
	suspect := suspectFile(filepath.Dir(file.Name()))
	if _, err := os.Stat(suspect); errors.Is(err, os.ErrNotExist) {
		return true, checkFile(file, info.Size(), startPages)
	}
	if err := checkFile(file, info.Size(), allPages); err != nil {
		return true, err
	}
	return true, removeIfThere(suspect)
}

// suspectFile is there where pages of the database made no sense while it was in
// use. Open then checks all of them, which it does not do otherwise: most of the
// file may be data, and a node that starts has no time for that.
func suspectFile(dir string) string { return filepath.Join(dir, databaseFile+".suspect") }

// suspectIfDamaged has the next Open check all of the database where err says that
// something in it is damaged.
func (s *Store) suspectIfDamaged(err error) {
	if !errors.Is(err, ErrDamaged) || s.suspected.Swap(true) {
		return
	}
	if s.faults.at(stepSuspect) != nil {
		return
	}
	// That it cannot be noted changes nothing for the caller, who has err.
	if f, err := os.OpenFile(suspectFile(filepath.Dir(s.path)), os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		f.Close()
	}
}

// How far ahead of its file the database is mapped. While it is mapped anew, as it
// must be when it outgrows that, writers wait for the transactions that read: for a
// backup, that would be long. It costs address space and no memory.
const (
	mapLeast  = 1 << 30
	growBytes = 1 << 20 // of the file, beyond what is needed
)

func mapAhead(path string) int {
	size := int64(0)
	if info, err := os.Stat(path); err == nil { // where there is none yet
		size = info.Size()
	}
	return int(2*size) + mapLeast
}

// asideSuffix follows the name of a database that was set aside.
const asideSuffix = ".damaged-"

// setAsideBefore reports whether dir holds a database that was set aside.
func setAsideBefore(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("list data folder: %w", err)
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return strings.HasPrefix(e.Name(), databaseFile+asideSuffix)
	}), nil
}

// setAside renames a damaged database and returns its new path.
func setAside(path string, opts Options) (string, error) {
	aside := fmt.Sprintf("%s%s%d", path, asideSuffix, opts.now().Unix())
	for i := 2; i < 1000; i++ { // the node may start twice within a second
		if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s%s%d-%d", path, asideSuffix, opts.now().Unix(), i)
	}
	if err := opts.faults.at(stepSetAside); err != nil {
		return "", fmt.Errorf("set damaged database aside: %w", err)
	}
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("set damaged database aside: %w", err)
	}
	if err := opts.faults.at(stepSetAsideSync); err != nil {
		return "", fmt.Errorf("sync data folder: %w", err)
	}
	if err := syncFile(filepath.Dir(path)); err != nil {
		return "", fmt.Errorf("sync data folder: %w", err)
	}
	return aside, nil
}

// setAsideRecords moves records that do not decode to the bucket "damaged", so
// that one of them costs itself and not the store. It returns their names.
func setAsideRecords(db *bolt.DB, faults *faults) (lost []string, err error) {
	type entry struct{ bucket, key string }
	var bad []entry
	err = db.View(func(tx *bolt.Tx) error {
		for bucket, check := range recordChecks() {
			err := tx.Bucket([]byte(bucket)).ForEach(func(k, v []byte) error {
				if check(k, v) != nil {
					bad = append(bad, entry{bucket, string(k)})
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(bad) == 0 {
		return nil, err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, e := range bad {
			from, to := tx.Bucket([]byte(e.bucket)), tx.Bucket([]byte(bucketDamaged))
			value := bytes.Clone(from.Get([]byte(e.key)))
			err := to.Put([]byte(e.bucket+"\x00"+e.key), value)
			if err == nil {
				err = from.Delete([]byte(e.key))
			}
			if err != nil { // neither writes to disk: it is the key that makes no sense
				return fmt.Errorf("%w: set record of %s aside: %w", ErrDamaged, e.bucket, err)
			}
			lost = append(lost, fmt.Sprintf("%s %q", e.bucket, e.key))
		}
		slices.Sort(lost)
		return faults.at(stepSetRecords)
	})
	return lost, err
}

// recordChecks returns for each bucket of records how to tell a good one. Those that
// may be very many are left to whoever reads them first: see ScheduleStatuses.
func recordChecks() map[string]func(k, v []byte) error {
	return map[string]func(k, v []byte) error{
		bucketFunctions:   decodes[Function](bucketFunctions),
		bucketAliases:     decodes[Alias](bucketAliases),
		bucketRoutes:      decodes[Route](bucketRoutes),
		bucketPolicies:    decodes[Policy](bucketPolicies),
		bucketURLs:        decodes[FunctionURL](bucketURLs),
		bucketProvisioned: decodes[Provisioned](bucketProvisioned),
		bucketMappings:    decodes[EventSourceMapping](bucketMappings),
		bucketLayers:      decodes[LayerVersion](bucketLayers),
		bucketKeys:        decodes[Key](bucketKeys),
		bucketAudit:       decodes[AuditRecord](bucketAudit),

		bucketAPIs:           decodes[API](bucketAPIs),
		bucketAPIDeployments: decodes[APIDeployment](bucketAPIDeployments),
		bucketAPIStages:      decodes[APIStage](bucketAPIStages),
		bucketAPIKeys:        decodes[APIKey](bucketAPIKeys),
		bucketUsagePlans:     decodes[UsagePlan](bucketUsagePlans),
		bucketKeySets:        decodes[KeySet](bucketKeySets),

		bucketFeeds:          decodes[Feed](bucketFeeds),
		bucketDataBuckets:    checkBucketRecord,
		bucketAsync:          decodes[AsyncConfig](bucketAsync),
		bucketScheduleGroups: decodes[ScheduleGroup](bucketScheduleGroups),
	}
}

func decodes[T any](bucket string) func(k, v []byte) error {
	return func(k, v []byte) error { _, err := decode[T](bucket, k, v); return err }
}

// syncFile flushes a file or the entries of a folder to disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// milli is the resolution of stored times, AWS Lambda's.
func milli(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
