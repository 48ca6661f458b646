package bundle

import (
	"encoding/json"
	"fmt"
	"io/fs"
)

// Compiled is a runtime's code as machine code, made by the build for any
// processor of an architecture.
type Compiled struct {
	Code string // SHA-256 of the CodeFile that it was made from
	Key  string // of all that it was made from
	File        // as it was before it was compressed

	name  string
	files fs.FS
}

// Suffixes of the two files of a Compiled.
const (
	CompiledSuffix = ".cwasm" + Suffix // the machine code
	FactsSuffix    = ".json"           // a Compiled
)

// OpenCompiled returns the code that was compiled under that name; the error is
// fs.ErrNotExist where there is none.
func OpenCompiled(files fs.FS, name string) (*Compiled, error) {
	text, err := fs.ReadFile(files, name+FactsSuffix)
	if err != nil {
		return nil, err
	}
	c := &Compiled{name: name, files: files}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("read facts of %s: %w", name, err)
	}
	return c, nil
}

// Read returns the machine code, checked. The caller owns it.
func (c *Compiled) Read() ([]byte, error) {
	packed, err := c.files.Open(c.name + CompiledSuffix)
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	if c.Size < 0 || c.Size > maxFile {
		return nil, fmt.Errorf("%s has %d bytes", c.name, c.Size)
	}
	data, err := Decompress(packed, c.Size)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", c.name, err)
	}
	if Describe(data) != c.File {
		return nil, fmt.Errorf("unpack %s: it is not what the build made", c.name)
	}
	return data, nil
}
