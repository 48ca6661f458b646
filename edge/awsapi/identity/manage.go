package identity

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"ledge/persist"
)

// MaxKeys is how many keys a node has at most.
const MaxKeys = 500

// Info is what may be told of a key.
type Info struct {
	ID        string
	Name      string
	ARN       string
	Access    Access
	Functions []string // that the key is limited to; none: all
	Created   time.Time
	Expires   time.Time // zero: never
	LastUsed  time.Time // zero: never, or only within the hour before a restart
	Disabled  bool
	HasSecret bool   // it can sign
	HasToken  bool   // it can be used as a bearer token
	Problem   string // why it cannot be used although it is neither disabled nor expired
}

// Issued is a key with what only its owner may know, which is told once.
type Issued struct {
	Info
	SecretAccessKey string // empty where the key has none
	Token           string // empty where the key has none
}

// Order describes a new key. One of Secret and Token must be set.
type Order struct {
	Name      string // unique; as of an IAM user: 1 to 64 letters, digits and +=,.@_-
	Access    Access
	Functions []string  // names, "*" at the end allowed; none: all
	Expires   time.Time // zero: never
	Secret    bool      // make a secret access key, for AWS's tools
	Token     bool      // make a bearer token, for people and scripts
}

// Change describes what Update changes. What is nil stays.
type Change struct {
	Name      *string
	Disabled  *bool
	Access    *Access
	Functions *[]string
	Expires   *time.Time
}

// userName is what IAM allows
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html).
var userName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)

// List returns all keys, the oldest first.
func (k *Keyring) List() []Info {
	entries := slices.SortedFunc(maps.Values(*k.entries.Load()), func(x, y *entry) int {
		return cmp.Or(x.key.Created.Compare(y.key.Created), cmp.Compare(x.key.ID, y.key.ID))
	})
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		infos = append(infos, e.info())
	}
	return infos
}

// Get returns the key with that ID or name. Its errors, as those of all methods
// that follow, are *Error where the client is to blame.
func (k *Keyring) Get(idOrName string) (Info, error) {
	e := k.find(idOrName)
	if e == nil {
		return Info{}, notFound(idOrName)
	}
	return e.info(), nil
}

// Create makes a key, which works when Create returns.
func (k *Keyring) Create(o Order) (Issued, error) {
	if !o.Secret && !o.Token {
		return Issued{}, invalid("A key needs a secret access key, a bearer token, or both.")
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	now := k.cfg.Now()
	key := persist.Key{ID: newID(), Name: o.Name, Access: string(o.Access), Functions: o.Functions, Created: stored(now), Expires: stored(o.Expires)}
	if len(*k.entries.Load()) >= MaxKeys {
		return Issued{}, conflict("The node has %d access keys already, which is the limit. Delete some that are not used.", MaxKeys)
	}
	if err := k.check(&key, now); err != nil {
		return Issued{}, err
	}
	if k.entry(key.ID) != nil {
		return Issued{}, conflict("The access key ID %s exists. Try again.", key.ID) // once in 2^80 times
	}
	return k.issue(key, &usage{}, o.Secret, o.Token, k.put)
}

// issue gives a key new secrets and hands it to put.
func (k *Keyring) issue(key persist.Key, u *usage, secret, token bool, put func(*entry) error) (Issued, error) {
	e, issued := &entry{key: key, usage: u}, Issued{}
	e.key.Sealed, e.key.TokenHash = nil, nil
	if secret {
		e.secret = newSecret()
		e.key.Sealed = k.sealer.seal(key.ID, e.secret)
		issued.SecretAccessKey = e.secret
	}
	if token {
		issued.Token = newToken(key.ID)
		e.key.TokenHash = hashToken(issued.Token)
	}
	if err := put(e); err != nil {
		return Issued{}, fmt.Errorf("store key: %w", err)
	}
	issued.Info = e.info()
	return issued, nil
}

// Update changes a key. The last key that can administer the node stays so: see
// Delete.
func (k *Keyring) Update(idOrName string, c Change) (Info, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	old := k.find(idOrName)
	if old == nil {
		return Info{}, notFound(idOrName)
	}
	e, now := *old, k.cfg.Now()
	set(&e.key.Name, c.Name)
	set(&e.key.Disabled, c.Disabled)
	set(&e.key.Functions, c.Functions)
	if c.Expires != nil {
		e.key.Expires = stored(*c.Expires)
	}
	if c.Access != nil {
		e.key.Access = string(*c.Access)
	}
	// A key that has expired can still be disabled, or given another name.
	if c.Expires == nil {
		now = time.Time{}
	}
	if err := k.check(&e.key, now); err != nil {
		return Info{}, err
	}
	if !administers(&e) {
		if err := k.keepAdmin(old); err != nil {
			return Info{}, err
		}
	}
	if err := k.put(&e); err != nil {
		return Info{}, fmt.Errorf("store key: %w", err)
	}
	return e.info(), nil
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// stored returns t as the store will give it back.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Rotate replaces the secret of a key, or its token, or both: those that it has. The
// old ones stop working. Where RootKeyFile has this key, it is written anew.
func (k *Keyring) Rotate(idOrName string) (Issued, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	old := k.find(idOrName)
	if old == nil {
		return Issued{}, notFound(idOrName)
	}
	inFile, err := rootKeyFileHas(k.cfg.Dir, old.key.ID)
	if err != nil {
		return Issued{}, err
	}
	put := k.put
	if inFile && len(old.key.Sealed) > 0 {
		put = func(e *entry) error { return k.putWithFile(e, old.secret) }
	}
	issued, err := k.issue(old.key, old.usage, len(old.key.Sealed) > 0, len(old.key.TokenHash) > 0, put)
	if err != nil {
		return Issued{}, err
	}
	k.signing.Clear() // and with it the old secret
	return issued, nil
}

// putWithFile writes RootKeyFile before it stores the key, and takes that back where
// it cannot store it.
func (k *Keyring) putWithFile(e *entry, oldSecret string) error {
	if err := writeRootKey(k.cfg.Dir, e.key.ID, e.secret); err != nil {
		return err
	}
	err := k.put(e)
	if err == nil {
		return nil
	}
	if undo := writeRootKey(k.cfg.Dir, e.key.ID, oldSecret); undo != nil {
		return fmt.Errorf("%w; and %s has a secret now that is not valid: %w", err, RootKeyFile, undo)
	}
	return err
}

// Delete removes a key. It refuses to remove the last that can administer the node:
// one with Admin access that is enabled, never expires and can be used. The Unix
// socket would still be open, but that needs somebody at the node.
func (k *Keyring) Delete(idOrName string) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	e := k.find(idOrName)
	if e == nil {
		return notFound(idOrName)
	}
	if err := k.keepAdmin(e); err != nil {
		return err
	}
	if err := k.remove(e.key.ID); err != nil {
		return fmt.Errorf("delete key: %w", err)
	}
	k.signing.Clear()
	return nil
}

// find returns the key with that ID or name, or nil. No name looks like an ID.
func (k *Keyring) find(idOrName string) *entry {
	if e := k.entry(idOrName); e != nil {
		return e
	}
	for _, e := range *k.entries.Load() {
		if e.key.Name == idOrName {
			return e
		}
	}
	return nil
}

// check validates what a client said of a key, and brings it into the form that is
// stored. Caller holds changing.
func (k *Keyring) check(key *persist.Key, now time.Time) error {
	if !userName.MatchString(key.Name) {
		return invalid("The name %q of the key is not 1 to 64 letters, digits and characters of +=,.@_-.", key.Name)
	}
	if isID(key.Name) {
		return invalid("The name %q of the key looks like an access key ID.", key.Name)
	}
	if other := k.find(key.Name); other != nil && other.key.ID != key.ID {
		return conflict("There is an access key %q already. Choose another name, or rotate that one.", key.Name)
	}
	access := Access(key.Access)
	if !access.Valid() {
		return invalid("The access %q is not one of read, invoke, deploy and admin.", key.Access)
	}
	functions, err := checkFunctions(key.Functions)
	if err != nil {
		return err
	}
	if access == Admin && len(functions) > 0 {
		return invalid("A key with admin access cannot be limited to functions: it could give itself more.")
	}
	key.Functions = functions
	if !key.Expires.IsZero() && !key.Expires.After(now) {
		return invalid("The key would expire at %s, which is not in the future.", key.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// keepAdmin refuses to lose e where it is the last that can administer the node.
// Caller holds changing.
func (k *Keyring) keepAdmin(e *entry) error {
	if !administers(e) {
		return nil
	}
	for _, other := range *k.entries.Load() {
		if other != e && administers(other) {
			return nil
		}
	}
	return conflict("%q is the last access key that can administer the node for good. Create another one with admin access first.", e.key.Name)
}

// administers reports whether a key can administer the node, now and later.
func administers(e *entry) bool {
	return Access(e.key.Access) == Admin && e.key.Expires.IsZero() && e.usable(time.Time{})
}

func (e *entry) info() Info {
	info := Info{
		ID: e.key.ID, Name: e.key.Name, ARN: arn(e.key.Name), Access: Access(e.key.Access), Functions: slices.Clone(e.key.Functions),
		Created: e.key.Created, Expires: e.key.Expires, LastUsed: e.key.LastUsed, Disabled: e.key.Disabled,
		HasSecret: len(e.key.Sealed) > 0, HasToken: len(e.key.TokenHash) > 0,
	}
	if last := e.usage.last.Load(); last > 0 {
		info.LastUsed = time.Unix(last, 0).UTC()
	}
	if e.broken != nil {
		info.Problem = e.broken.Error() + "; rotate the key"
	}
	return info
}
