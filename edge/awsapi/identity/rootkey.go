package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// RootKeyFile is the name, in the data folder, of the file with the root key.
// AWS_SHARED_CREDENTIALS_FILE can point at it.
const RootKeyFile = "root-key"

// rootName is the name of the key that Open makes.
const rootName = "root"

// writeRootKey writes the file so that after a power cut it is there whole, or as
// it was before
// (https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html).
func writeRootKey(dir, id, secret string) error {
	text := "# The root key of this Ledge node. Who has it can do everything.\n" +
		"# The node does not read this file: it can be moved to a safe place.\n" +
		"[default]\n" +
		"aws_access_key_id = " + id + "\n" +
		"aws_secret_access_key = " + secret + "\n"
	f, err := os.CreateTemp(dir, RootKeyFile+".new-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("create root key file: %w", err)
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, RootKeyFile))
	}
	if err != nil {
		return fmt.Errorf("write root key file: %w", errors.Join(err, os.Remove(f.Name())))
	}
	if err := syncFolder(dir); err != nil {
		return fmt.Errorf("sync folder of root key file: %w", err)
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// rootKeyFileHas reports whether the file is there and has the key with that ID.
func rootKeyFileHas(dir, id string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(dir, RootKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read root key file: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(name) == "aws_access_key_id" && strings.TrimSpace(value) == id {
			return true, nil
		}
	}
	return false, nil
}
