package firmware

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const keyFile = "device.key"

// DeviceKey returns the secret of this device, which it makes at the first
// call. It never leaves dir. Losing it costs the precompiled artifacts, which
// are authenticated with it, and nothing else: they are made again.
func DeviceKey(dir string) (key [32]byte, err error) {
	path := filepath.Join(dir, keyFile)
	data, err := os.ReadFile(path)
	switch {
	case err == nil && len(data) == len(key):
		return [32]byte(data), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return key, fmt.Errorf("read device key: %w", err)
	}
	// None yet, or one that a power cut tore at the first start.
	rand.Read(key[:]) // it never fails (crypto/rand)
	if err := replaceFile(path, key[:]); err != nil {
		return key, fmt.Errorf("write device key: %w", err)
	}
	return key, nil
}

// replaceFile writes a file whole or not at all, and returns when it is on disk.
func replaceFile(path string, data []byte) error {
	file, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(data); err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
