package persist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Errors of a Store as a whole.
var (
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("store is in use by another process")
	// ErrClosed: the store or log was closed.
	ErrClosed = errors.New("store is closed")
	// ErrDamaged: a page of the database could not be read. The rest of the
	// store still works; the next Open decides whether it can be kept.
	ErrDamaged = errors.New("store is damaged")
)

// Options of Open. The zero value is what the appliance uses.
type Options struct {
	// LockTimeout is how long Open waits for another process to let go of the
	// store; 0 means one second.
	LockTimeout time.Duration

	now    func() time.Time // nil: time.Now
	faults *faults
}

// Store is the node's database. Its methods may be called concurrently.
type Store struct {
	db         *bolt.DB
	path       string // of the database
	recovered  string
	incomplete bool
	now        func() time.Time
	faults     *faults
	generation atomic.Uint64
	reserve    reserve
	onChange   func(bucket string) // nil: nobody listens, see OnChange

	mu         sync.Mutex // guards what follows
	queue      []*write   // waiting for a commit
	committing bool       // a goroutine is working off queue
	crowd      int        // how many it waits for, if it does
	closed     bool
	committer  sync.WaitGroup

	commits   atomic.Uint64
	gathering gathering     // of the goroutine that commits
	gathered  chan struct{} // the crowd is there; holds one

	closing      chan struct{} // closed by Close
	backups      chan struct{} // the turn to make a backup; holds one
	backupFailed atomic.Int64  // when, in Unix nanoseconds; 0: the last one did not
	suspected    atomic.Bool   // the next Open is told to check all of the database
}

// Open opens the store in dir and creates both where they are missing.
//
// A database that cannot be read is set aside as ledge.db.damaged-<Unix time> and
// replaced by the last backup, see Backup, or by an empty one where there is none
// that is good; Recovered then says so, and Incomplete as long as that file is
// there. One that is missing is replaced by the backup too. Open returns ErrLocked
// where another process has the store open, and a *SchemaError, with nothing
// changed, for one that a newer release wrote.
func Open(dir string, opts Options) (*Store, error) {
	if opts.LockTimeout == 0 {
		opts.LockTimeout = time.Second
	}
	if opts.now == nil {
		opts.now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	db, recovered, err := openDatabase(dir, opts)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: db, path: filepath.Join(dir, databaseFile), recovered: recovered, now: opts.now, faults: opts.faults, reserve: reserveOf(dir),
		gathered: make(chan struct{}, 1), closing: make(chan struct{}), backups: make(chan struct{}, 1),
	}
	// A kill leaves a backup that was being written, which may be as large as the
	// store. It is removed only with the database's lock: it may be another's.
	if err := removeIfThere(filepath.Join(dir, backupNew)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if s.incomplete, err = setAsideBefore(dir); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.incomplete = s.incomplete || recovered != ""
	// The entry of a file that is new must outlive a power cut, as its pages do.
	if err := opts.faults.at(stepOpenSync); err != nil {
		return nil, errors.Join(fmt.Errorf("sync data folder: %w", err), db.Close())
	}
	if err := syncFile(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("sync data folder: %w", err), db.Close())
	}
	err = s.view(func(tx *bolt.Tx) error {
		s.generation.Store(readGeneration(tx))
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read generation: %w", err), db.Close())
	}
	s.reserve.keep()
	return s, nil
}

// Close waits for the writes that were begun and closes the database. Later
// calls of other methods return ErrClosed; later calls of Close do nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		return nil
	}
	close(s.closing)
	s.committer.Wait()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// Recovered says in one sentence what Open found damaged and what it did about
// it. It is empty where the store was in order. That the store is a backup it says
// again until something is written: the node that restored it may have been killed
// before anybody heard of it.
func (s *Store) Recovered() string { return s.recovered }

// Incomplete reports whether the store may lack records that it once had: Open
// found damage, or a database that was set aside before still lies in the data
// folder. What no record names may then still be wanted, above all code.
func (s *Store) Incomplete() bool { return s.incomplete }

// Generation grows with every commit that changes records, also across restarts:
// with all but data, its changes and feeds, the queue, what became of schedules, access
// keys and the audit log. It is the Generation of the State that Load returns when
// nothing changed in between.
func (s *Store) Generation() uint64 { return s.generation.Load() }

// Commits returns how many transactions were written since Open. Each is two fsyncs:
// of its pages, and of the meta page that makes them count.
func (s *Store) Commits() uint64 { return s.commits.Load() }

// view runs fn in a read transaction, which sees one moment of the store.
func (s *Store) view(fn func(*bolt.Tx) error) (err error) {
	defer func() { s.suspectIfDamaged(err) }()
	defer catchDamage(debug.SetPanicOnFault(true), &err)
	return closedError(s.db.View(fn))
}

// catchDamage, deferred, turns a panic into ErrDamaged. bbolt panics on a page
// that makes no sense, and a page that the disk cannot deliver arrives as a
// fault on the mapped file; neither may take down the node for the sake of one
// record. panicOnFault is the goroutine's setting to go back to.
func catchDamage(panicOnFault bool, err *error) {
	debug.SetPanicOnFault(panicOnFault)
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, r)
	}
}

func closedError(err error) error {
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}
