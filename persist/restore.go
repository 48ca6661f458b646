package persist

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// restoreBackup puts a copy of the backup in the place of the database, which must
// not be there. It returns ErrNotFound where there is no backup, and ErrDamaged where
// that is no good; it is set aside then, since the next one takes its place.
//
// A crash at any moment leaves no database, and Open begins again, or all of it.
func restoreBackup(dir string, opts Options) (BackupInfo, error) {
	path, restoring := filepath.Join(dir, backupFile), filepath.Join(dir, restoringFile)
	f, info, err := openBackup(dir)
	if errors.Is(err, ErrNotFound) {
		return BackupInfo{}, err
	}
	if err == nil {
		err = copyBackup(f, restoring, opts.faults)
		if isFull(err) {
			// A store of then is worth more than a copy of it.
			restoring, err = path, checkBackup(f)
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		if errors.Is(err, ErrDamaged) {
			_, asideErr := setAside(path, opts)
			err = errors.Join(err, asideErr)
		}
		return BackupInfo{}, fmt.Errorf("restore the backup: %w", err)
	}
	if err := opts.faults.at(stepRestoreRename); err != nil {
		return BackupInfo{}, fmt.Errorf("restore the backup: %w", err)
	}
	if err := os.Rename(restoring, filepath.Join(dir, databaseFile)); err != nil {
		return BackupInfo{}, fmt.Errorf("restore the backup: %w", err)
	}
	if err := opts.faults.at(stepRestoreRenamed); err != nil {
		return BackupInfo{}, fmt.Errorf("sync data folder: %w", err)
	}
	if err := syncFile(dir); err != nil {
		return BackupInfo{}, fmt.Errorf("sync data folder: %w", err)
	}
	return info, nil
}

// copyBackup writes the database in a backup to path, and checks it.
func copyBackup(from *os.File, path string, faults *faults) error {
	if err := faults.at(stepRestoreCopy); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	to, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	size, err := copySealed(to, from)
	if err == nil {
		err = checkFile(to, size, allPages)
	}
	if err == nil {
		err = faults.at(stepRestoreSync)
	}
	if err == nil {
		err = to.Sync()
	}
	if err := errors.Join(err, to.Close()); err != nil {
		return errors.Join(fmt.Errorf("copy: %w", err), removeIfThere(path))
	}
	return nil
}

// checkBackup reads all of a backup.
func checkBackup(f *os.File) error {
	size, err := copySealed(io.Discard, f)
	if err != nil {
		return err
	}
	return checkFile(f, size, allPages)
}

// untoldRestore tells of a backup that an earlier start went back to, where nothing
// was written since: the node may have been killed before it could tell. size is that
// of the database. What cannot be read here is for those to report who need it.
func untoldRestore(dir string, size int64) string {
	backup, info, err := openBackup(dir)
	if err != nil {
		return ""
	}
	defer backup.Close()
	if info.Bytes-sealSize != size {
		return ""
	}
	database, err := os.Open(filepath.Join(dir, databaseFile))
	if err != nil {
		return ""
	}
	defer database.Close()
	// A database and its backup count transactions and pages apart, so that they never
	// agree by chance.
	copied, err := newestMeta(backup, size)
	if err != nil {
		return ""
	}
	if newest, err := newestMeta(database, size); err != nil || newest != copied {
		return ""
	}
	return databaseFile + " was damaged or missing at an earlier start, and " + restoredText(info)
}

// restoredText tells the operator what a restored backup means.
func restoredText(info BackupInfo) string {
	return "the store was restored from the backup of " + info.Taken.Format(time.RFC3339) +
		": what was stored since then is lost, events that were accepted since then too; events that waited then run again, " +
		"schedules and change feeds go on from there, and functions, keys and permissions are those of then"
}
