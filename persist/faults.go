package persist

// step names a moment at which the package is about to change the disk, or has
// just done so. Tests fail or crash the package there.
type step string

const (
	stepSetAside     step = "rename damaged database"
	stepSetAsideSync step = "sync after rename of damaged database"
	stepOpenSync     step = "sync data folder after open"
	stepMigrate      step = "commit migration"
	stepSetRecords   step = "commit records that are set aside"
	stepSuspect      step = "note that the database is to be checked"
	stepCommit       step = "commit"
	stepCommitted    step = "after commit"

	stepBackupCreate  step = "create backup"
	stepBackupCopy    step = "commit a part of the backup"
	stepBackupSeal    step = "seal backup"
	stepBackupSync    step = "sync backup"
	stepBackupRename  step = "rename backup"
	stepBackupRenamed step = "sync after rename of backup"

	stepRestoreCopy    step = "copy backup"
	stepRestoreSync    step = "sync copy of backup"
	stepRestoreRename  step = "rename copy of backup"
	stepRestoreRenamed step = "sync after rename of copy of backup"

	stepCodeCreate     step = "create code file"
	stepCodeWrite      step = "write code file"
	stepCodeSync       step = "sync code files"
	stepCodeRename     step = "rename code folder"
	stepCodeRenamed    step = "after rename of code folder"
	stepCodeParentSync step = "sync code store"
	stepCodeRetire     step = "rename unused code folder"
	stepCodeRemove     step = "remove unused code folder"

	stepLogCreate step = "create log segment"
	stepLogWrite  step = "write log segment"
	stepLogDrop   step = "drop log segment"
	stepLogSync   step = "sync log segment"
)

// faults is nil outside tests. A hook that returns an error stands for a disk
// that refuses; one that panics stands for a power cut, which is why clean-up
// after errors here is never deferred.
type faults struct {
	before func(step) error
}

func (f *faults) at(s step) error {
	if f == nil {
		return nil
	}
	return f.before(s)
}
