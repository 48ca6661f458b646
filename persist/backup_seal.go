package persist

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// A backup is a database with a seal behind its last page, where bbolt does not
// look, so that one rename brings both:
//
//	magic 8, length of the database 8, generation 8, transaction 8,
//	taken 8 (Unix ms), SHA-256 of the database and of the fields before 32
const (
	sealMagic  = "LEDGEBK\x01"
	sealFields = 40
	sealSize   = sealFields + sha256.Size
)

// writeSeal seals the database in f, syncs it, and checks it as it will be checked
// when it is needed. It returns info completed.
func writeSeal(f *os.File, info BackupInfo, stop func() error, faults *faults) (BackupInfo, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return BackupInfo{}, fmt.Errorf("read size of the copy: %w", err)
	}
	seal := append(make([]byte, 0, sealSize), sealMagic...)
	for _, field := range []uint64{uint64(size), info.Generation, info.transaction, uint64(info.Taken.UnixMilli())} {
		seal = binary.BigEndian.AppendUint64(seal, field)
	}
	sum, err := sumOf(io.NewSectionReader(f, 0, size), seal, io.Discard, stop)
	if err != nil {
		return BackupInfo{}, err
	}
	if err := faults.at(stepBackupSeal); err != nil {
		return BackupInfo{}, fmt.Errorf("seal the copy: %w", err)
	}
	if _, err := f.WriteAt(append(seal, sum[:]...), size); err != nil {
		return BackupInfo{}, fmt.Errorf("seal the copy: %w", err)
	}
	if err := faults.at(stepBackupSync); err != nil {
		return BackupInfo{}, fmt.Errorf("sync the copy: %w", err)
	}
	if err := f.Sync(); err != nil {
		return BackupInfo{}, fmt.Errorf("sync the copy: %w", err)
	}
	if err := checkFile(f, size, allPages); err != nil {
		return BackupInfo{}, fmt.Errorf("the copy: %w", err)
	}
	info.Bytes = size + sealSize
	return info, nil
}

// openBackup opens the backup in dir and returns what its seal says. It returns
// ErrNotFound where there is none, and ErrDamaged where the seal makes no sense.
func openBackup(dir string) (*os.File, BackupInfo, error) {
	f, err := os.Open(filepath.Join(dir, backupFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, BackupInfo{}, fmt.Errorf("there is no backup: %w", ErrNotFound)
	}
	if err != nil {
		return nil, BackupInfo{}, fmt.Errorf("open backup: %w", err)
	}
	info, err := readSeal(f)
	if err != nil {
		return nil, BackupInfo{}, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// readSeal returns what the seal of a backup says. The error is ErrDamaged where
// it makes no sense.
func readSeal(f *os.File) (BackupInfo, error) {
	stat, err := f.Stat()
	if err != nil {
		return BackupInfo{}, fmt.Errorf("read size of backup: %w", err)
	}
	var seal [sealSize]byte
	if _, err := f.ReadAt(seal[:], stat.Size()-sealSize); err != nil {
		return BackupInfo{}, fmt.Errorf("%w: the backup is cut off: %w", ErrDamaged, err)
	}
	field := func(i int) uint64 { return binary.BigEndian.Uint64(seal[8*i:]) }
	if string(seal[:8]) != sealMagic || field(1) != uint64(stat.Size()-sealSize) {
		return BackupInfo{}, fmt.Errorf("%w: the backup has no seal", ErrDamaged)
	}
	return BackupInfo{
		Path: f.Name(), Bytes: stat.Size(), Generation: field(2), transaction: field(3),
		Taken: time.UnixMilli(int64(field(4))).UTC(),
	}, nil
}

// copySealed writes the database in a backup to w and reads all of it: the error is
// ErrDamaged where it is not what was sealed. It returns the length.
func copySealed(w io.Writer, f *os.File) (int64, error) {
	info, err := readSeal(f)
	if err != nil {
		return 0, err
	}
	size := info.Bytes - sealSize
	var seal [sealSize]byte
	if _, err := f.ReadAt(seal[:], size); err != nil {
		return 0, fmt.Errorf("%w: read the seal: %w", ErrDamaged, err)
	}
	sum, err := sumOf(io.NewSectionReader(f, 0, size), seal[:sealFields], w, func() error { return nil })
	if err != nil {
		return 0, err
	}
	if sum != [sha256.Size]byte(seal[sealFields:]) {
		return 0, fmt.Errorf("%w: the backup is not what was written", ErrDamaged)
	}
	return size, nil
}

// sumOf returns the sum of what r has and of fields, and writes the former to w.
// That r cannot be read is ErrDamaged.
func sumOf(r io.Reader, fields []byte, w io.Writer, stop func() error) (sum [sha256.Size]byte, err error) {
	hash := sha256.New()
	part := make([]byte, 256<<10)
	for {
		n, err := r.Read(part)
		hash.Write(part[:n])
		if _, err := w.Write(part[:n]); err != nil {
			return sum, fmt.Errorf("write: %w", err)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sum, fmt.Errorf("%w: read: %w", ErrDamaged, err)
		}
		if err := stop(); err != nil {
			return sum, err
		}
	}
	hash.Write(fields)
	return [sha256.Size]byte(hash.Sum(nil)), nil
}
