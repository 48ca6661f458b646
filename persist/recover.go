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
// not. recovered tells the operator about that.
func openDatabase(dir string, opts Options) (db *bolt.DB, recovered string, err error) {
	path := filepath.Join(dir, databaseFile)
	db, lost, err := openChecked(path, opts)
	if errors.Is(err, ErrDamaged) {
		aside, asideErr := setAside(path, opts)
		if asideErr != nil {
			return nil, "", errors.Join(err, asideErr)
		}
		recovered = fmt.Sprintf("%s; it was set aside as %s and the node started with an empty store; the code of its functions is kept until that file is removed", err, filepath.Base(aside))
		db, lost, err = openChecked(path, opts)
	}
	if err != nil {
		return nil, "", err
	}
	if len(lost) > 0 {
		recovered = fmt.Sprintf("%d records of %s could not be decoded and were set aside: %s",
			len(lost), databaseFile, strings.Join(lost, ", "))
	}
	return db, recovered, nil
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
		Timeout:      opts.LockTimeout,
		FreelistType: bolt.FreelistMapType,
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
	if err := migrate(db, migrations()); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	if lost, err = setAsideRecords(db); err != nil {
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
	return true, checkFile(file, info.Size())
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
func setAsideRecords(db *bolt.DB) (lost []string, err error) {
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
		return nil
	})
	return lost, err
}

// recordChecks returns for each bucket of records how to tell a good one.
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

		bucketAsync:          decodes[AsyncConfig](bucketAsync),
		bucketSchedules:      decodes[Schedule](bucketSchedules),
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
