package identity

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ledge/edge/awsapi/sigv4"
	"ledge/persist"
)

// Store is the part of persist.Store that keeps the keys.
type Store interface {
	PutKey(persist.Key) error
	Keys() ([]persist.Key, error)
	DeleteKey(id string) error
	TouchKey(id string, at time.Time) error
}

var _ Store = (*persist.Store)(nil)

// Config of Open. Store, DeviceSecret and Dir are required.
type Config struct {
	Store Store
	// DeviceSecret is 32 bytes that encrypt the secrets in the store. It must not
	// lie in the same file. Without it the keys' secrets are lost, and the keys
	// have to be rotated; bearer tokens go on to work.
	DeviceSecret []byte
	Dir          string       // the data folder, where RootKeyFile is written
	Log          *slog.Logger // takes failures to note that a key was used; nil discards them
	Now          func() time.Time
}

// Keyring is the node's access keys, in memory. Its methods may be called
// concurrently.
type Keyring struct {
	cfg     Config
	sealer  sealer
	entries atomic.Pointer[map[string]*entry] // by ID; a map is never changed, only replaced
	signing sigv4.Cache
	brake   brake
	replays replays
	tally   tally

	changing sync.Mutex     // held while keys are changed, in the store and in entries
	touching sync.WaitGroup // writes of TouchKey
}

// entry is one key. It is never changed, only replaced.
type entry struct {
	key    persist.Key // its LastUsed is that of the store when it was read
	secret string      // decrypted; empty where there is none, or none that can be decrypted
	broken error       // why the secret could not be decrypted
	usage  *usage      // shared with the entries that this one replaces
}

// usage is when a key was used, in Unix seconds.
type usage struct{ last, written atomic.Int64 }

// Open reads the keys of the store. Where it has none, Open makes the root key
// and writes it to RootKeyFile; made says so. A failure leaves no key without its
// file.
func Open(cfg Config) (k *Keyring, made bool, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	k = &Keyring{cfg: cfg}
	if k.sealer, err = newSealer(cfg.DeviceSecret); err != nil {
		return nil, false, fmt.Errorf("open keyring: %w", err)
	}
	keys, err := cfg.Store.Keys()
	if err != nil {
		return nil, false, fmt.Errorf("open keyring: %w", err)
	}
	entries := make(map[string]*entry, len(keys))
	for _, key := range keys {
		entries[key.ID] = k.load(key)
	}
	k.entries.Store(&entries)
	if len(keys) > 0 {
		return k, false, nil
	}
	if err := k.makeRoot(); err != nil {
		return nil, false, fmt.Errorf("make root key: %w", err)
	}
	return k, true, nil
}

// Close waits until it is stored which keys were used. The store must be closed
// after it, and no request authenticated.
func (k *Keyring) Close() { k.touching.Wait() }

// load makes an entry of a stored key.
func (k *Keyring) load(key persist.Key) *entry {
	e := &entry{key: key, usage: &usage{}}
	if !key.LastUsed.IsZero() {
		e.usage.last.Store(key.LastUsed.Unix())
		e.usage.written.Store(key.LastUsed.Unix())
	}
	if len(key.Sealed) > 0 {
		e.secret, e.broken = k.sealer.open(key.ID, key.Sealed)
	}
	return e
}

// makeRoot makes the first key. The file is written before the store, so that
// after a crash in between the next Open makes another pair.
func (k *Keyring) makeRoot() error {
	id, secret := newID(), newSecret()
	if err := writeRootKey(k.cfg.Dir, id, secret); err != nil {
		return err
	}
	return k.put(&entry{
		key: persist.Key{
			ID: id, Name: rootName, Sealed: k.sealer.seal(id, secret), Access: string(Admin), Created: stored(k.cfg.Now()),
		},
		secret: secret,
		usage:  &usage{},
	})
}

// put stores an entry, and then uses it. Caller holds changing, or is Open.
func (k *Keyring) put(e *entry) error {
	if last := e.usage.last.Load(); last > 0 {
		e.key.LastUsed = time.Unix(last, 0).UTC()
		e.usage.written.Store(last)
	}
	if err := k.cfg.Store.PutKey(e.key); err != nil {
		return err
	}
	next := maps.Clone(*k.entries.Load())
	next[e.key.ID] = e
	k.entries.Store(&next)
	return nil
}

// remove deletes an entry. Caller holds changing.
func (k *Keyring) remove(id string) error {
	if err := k.cfg.Store.DeleteKey(id); err != nil && !errors.Is(err, persist.ErrNotFound) {
		return err
	}
	next := maps.Clone(*k.entries.Load())
	delete(next, id)
	k.entries.Store(&next)
	return nil
}

// entry returns the key with that ID, or nil.
func (k *Keyring) entry(id string) *entry { return (*k.entries.Load())[id] }

// touchInterval is how seldom it is stored that a key was used.
const touchInterval = time.Hour

// touch notes that a key was used. It is written in the background, and at most
// once an hour for each key.
func (k *Keyring) touch(e *entry, now time.Time) {
	u, at := e.usage, now.Unix()
	u.last.Store(at)
	written := u.written.Load()
	if at-written < int64(touchInterval/time.Second) || !u.written.CompareAndSwap(written, at) {
		return
	}
	k.touching.Go(func() {
		if err := k.cfg.Store.TouchKey(e.key.ID, now); err != nil {
			k.cfg.Log.Warn("cannot note that an access key was used", "key", e.key.ID, "error", err)
		}
	})
}

// id returns the ID of a key, which is "" where the key is unknown. It is not cut
// from a request, so it can be kept.
func (e *entry) id() string {
	if e == nil {
		return ""
	}
	return e.key.ID
}

// usable reports whether the key can be used at that time.
func (e *entry) usable(now time.Time) bool {
	return !e.key.Disabled && !e.expired(now) && (e.secret != "" || len(e.key.TokenHash) > 0)
}

func (e *entry) expired(now time.Time) bool {
	return !e.key.Expires.IsZero() && !now.Before(e.key.Expires)
}

// Problems returns what the operator should know about the keys, one sentence
// each.
func (k *Keyring) Problems() []string {
	var broken []string
	admins := false
	now := k.cfg.Now()
	for _, e := range *k.entries.Load() {
		if e.broken != nil {
			broken = append(broken, e.key.Name)
		}
		admins = admins || e.usable(now) && Access(e.key.Access) == Admin
	}
	var problems []string
	if len(broken) > 0 {
		slices.Sort(broken)
		problems = append(problems, fmt.Sprintf(
			"the secrets of %d access keys cannot be decrypted, because the device secret is not the one that they were stored with; rotate or delete them on the node itself: %q",
			len(broken), broken))
	}
	if !admins {
		problems = append(problems,
			"no access key can administer the node over the network; make one on the node itself with 'ledge keys create'")
	}
	return problems
}
