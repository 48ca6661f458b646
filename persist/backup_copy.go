package persist

import (
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// maxCopyBytes is how much of a copy is in memory before it goes to disk. Each such
// part is synced: what piled up in the page cache instead would hold up the fsyncs
// of those who write to the store meanwhile.
const maxCopyBytes = 2 << 20

// copyDatabase writes what a transaction sees into a new database at path, without
// its free pages. It asks stop now and then whether to go on.
//
// The transaction is open all that time. Writers do not wait for it: pages that it
// sees are not used again meanwhile, and the file is mapped further than it is
// likely to grow (see mapAhead).
func copyDatabase(from *bolt.Tx, path string, stop func() error, faults *faults) (err error) {
	to, err := bolt.Open(path, 0o600, &bolt.Options{
		FreelistType: bolt.FreelistMapType,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			return os.OpenFile(name, flag|os.O_EXCL, mode)
		},
	})
	if err != nil {
		return fmt.Errorf("create the copy: %w", err)
	}
	c := &copying{to: to, stop: stop, faults: faults}
	err = c.all(from)
	if err != nil && c.tx != nil {
		err = errors.Join(err, c.tx.Rollback())
	}
	return errors.Join(err, to.Close())
}

// copying is a copy of a database that is being written, in the order of its keys.
type copying struct {
	to     *bolt.DB
	tx     *bolt.Tx // of to
	path   [][]byte // names of the bucket that is being copied
	size   int      // of what tx has to write
	stop   func() error
	faults *faults
}

func (c *copying) all(from *bolt.Tx) (err error) {
	if c.tx, err = c.to.Begin(true); err != nil {
		return fmt.Errorf("begin the copy: %w", err)
	}
	err = from.ForEach(func(name []byte, b *bolt.Bucket) error { return c.enter(name, b) })
	if err != nil {
		return err
	}
	return c.commit()
}

// enter copies a bucket within the one that is being copied.
func (c *copying) enter(name []byte, from *bolt.Bucket) error {
	if len(c.path) >= maxTreeDepth {
		return fmt.Errorf("%w: buckets lie too deep", ErrDamaged)
	}
	var err error
	if in := c.bucket(); in == nil {
		_, err = c.tx.CreateBucket(name)
	} else {
		_, err = in.CreateBucket(name)
	}
	if err != nil {
		return fmt.Errorf("create bucket %q in the copy: %w", name, err)
	}
	c.path = append(c.path, name)
	if err := c.entries(from); err != nil {
		return err
	}
	c.path = c.path[:len(c.path)-1]
	return nil
}

func (c *copying) entries(from *bolt.Bucket) error {
	in := c.bucket()
	if err := in.SetSequence(from.Sequence()); err != nil {
		return fmt.Errorf("number bucket in the copy: %w", err)
	}
	cursor := from.Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		if err := c.stop(); err != nil {
			return err
		}
		if c.size >= maxCopyBytes {
			if err := c.commit(); err != nil {
				return err
			}
			var err error
			if c.tx, err = c.to.Begin(true); err != nil {
				return fmt.Errorf("go on with the copy: %w", err)
			}
			in = c.bucket()
		}
		if v == nil { // a bucket: an empty value is not nil
			if err := c.enter(k, from.Bucket(k)); err != nil {
				return err
			}
			in = c.bucket() // the transaction may be another
			continue
		}
		in.FillPercent = 1 // keys come in order
		if err := in.Put(k, v); err != nil {
			return fmt.Errorf("write to the copy: %w", err)
		}
		c.size += len(k) + len(v) + elementSize
	}
	return nil
}

// bucket returns the bucket that is being copied, nil at the top.
func (c *copying) bucket() (b *bolt.Bucket) {
	for i, name := range c.path {
		if i == 0 {
			b = c.tx.Bucket(name)
		} else {
			b = b.Bucket(name)
		}
	}
	return b
}

func (c *copying) commit() error {
	if err := c.faults.at(stepBackupCopy); err != nil {
		return fmt.Errorf("write the copy: %w", err)
	}
	tx := c.tx
	c.tx, c.size = nil, 0
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write the copy: %w", err)
	}
	return nil
}
