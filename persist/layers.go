package persist

import (
	"encoding/binary"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// LayerVersion is one version of a layer: files that functions find at /opt. It
// never changes.
type LayerVersion struct {
	Name          string    `json:"name"`
	Version       uint64    `json:"version"` // from 1
	Description   string    `json:"description,omitempty"`
	License       string    `json:"license,omitempty"`
	Runtimes      []string  `json:"runtimes,omitempty"`      // that it says it is for; shown and not used
	Architectures []string  `json:"architectures,omitempty"` // likewise
	CodeHash      string    `json:"codeHash"`                // the folder in the code store
	CodeSha256    string    `json:"codeSha256"`              // base64 SHA-256 of what was uploaded
	CodeSize      int64     `json:"codeSize"`                // bytes of what was uploaded
	Created       time.Time `json:"created"`
}

// PublishLayerVersion stores l under the next number of its name, which was
// never used before, and returns it with number and time.
func (s *Store) PublishLayerVersion(l LayerVersion) (LayerVersion, error) {
	if err := checkName("layer name", l.Name); err != nil {
		return LayerVersion{}, err
	}
	l.Created = milli(s.now())
	var stored LayerVersion
	err := s.update(0, func(c *change) error {
		next := l
		next.Version = lastNumber(c.tx, bucketLayerCounts, bucketLayers, l.Name) + 1
		if err := c.put(bucketLayers, versionKey(l.Name, next.Version), next); err != nil {
			return err
		}
		stored = next
		return c.putBytes(bucketLayerCounts, []byte(l.Name), binary.BigEndian.AppendUint64(nil, next.Version))
	})
	if err != nil {
		return LayerVersion{}, fmt.Errorf("publish layer %s: %w", l.Name, err)
	}
	return stored, nil
}

// GetLayerVersion returns a version of a layer, or ErrNotFound.
func (s *Store) GetLayerVersion(name string, version uint64) (LayerVersion, error) {
	return oneRecord[LayerVersion](s, bucketLayers, versionKey(name, version), whatLayer(name, version))
}

func whatLayer(name string, version uint64) string {
	return fmt.Sprintf("version %d of layer %s", version, name)
}

// LayerVersions returns the versions of a layer, the oldest first. A layer
// without any is no error: there is nothing that a layer is beyond them.
func (s *Store) LayerVersions(name string) (layers []LayerVersion, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		layers, err = members[LayerVersion](tx, bucketLayers, name)
		return err
	})
	return layers, err
}

// Layers returns all versions of all layers, by name and version.
func (s *Store) Layers() ([]LayerVersion, error) { return allRecords[LayerVersion](s, bucketLayers) }

// DeleteLayerVersion removes a version of a layer and returns what it was, or
// ErrNotFound. Functions that have it keep its files.
func (s *Store) DeleteLayerVersion(name string, version uint64) (l LayerVersion, err error) {
	err = s.makeRoom(func(c *change) error {
		old, err := one[LayerVersion](c.tx, bucketLayers, versionKey(name, version), whatLayer(name, version))
		if err != nil {
			return err
		}
		l = old
		return c.delete(bucketLayers, versionKey(name, version))
	})
	return l, err
}
