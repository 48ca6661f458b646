package identity

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"ledge/edge/awsapi/sigv4"
	"ledge/persist"
)

func TestRootKey(t *testing.T) {
	n := newNode(t)
	file := filepath.Join(n.dir, RootKeyFile)
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if list := n.List(); len(list) != 1 || list[0].Name != "root" || list[0].Access != Admin || list[0].ID != n.root.KeyID || !list[0].HasSecret || list[0].HasToken {
		t.Errorf("keys %+v", list)
	}
	c, err := n.Authenticate(n.signed(t, n.root, "{}"))
	if err != nil || c.Name != "root" || c.ARN != "arn:aws:iam::000000000000:user/root" || c.KeyID != n.root.KeyID || string(c.Body) != "{}" {
		t.Errorf("caller %+v, %v", c, err)
	}
	if problems := n.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}

	// The key goes on to work where its file is gone.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	n.close(t)
	if n.open(t, deviceSecret) {
		t.Error("a second root key was made")
	}
	if _, err := n.Authenticate(n.plain(n.root, "{}")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file came back: %v", err)
	}
	// Nor is it written when the key is rotated.
	rotated, err := n.Rotate("root")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file came back: %v", err)
	}
	if _, err := n.Authenticate(n.signed(t, rotated.credentials(), "{}")); err != nil {
		t.Error(err)
	}
}

func TestRotateRootKey(t *testing.T) {
	n := newNode(t)
	old := n.root
	rotated, err := n.Rotate("root")
	if err != nil {
		t.Fatal(err)
	}
	if got := readRootKey(t, n.dir); got != rotated.credentials() || got.KeyID != old.KeyID || got.Secret == old.Secret {
		t.Errorf("the file has %+v, the key is %+v, was %+v", got, rotated, old)
	}
	_, err = n.Authenticate(n.signed(t, old, "{}"))
	wantCode(t, "old secret", err, 403, sigv4.CodeInvalid, "does not match")
	if _, err := n.Authenticate(n.signed(t, rotated.credentials(), "{}")); err != nil {
		t.Error(err)
	}

	// A disk that fails leaves key and file as they were.
	n.disk.err = errors.New("disk full")
	if _, err := n.Rotate("root"); !errors.Is(err, n.disk.err) {
		t.Errorf("Rotate: %v", err)
	}
	if got := readRootKey(t, n.dir); got != rotated.credentials() {
		t.Error("the file has a secret that is not valid")
	}
	if _, err := n.Authenticate(n.signed(t, rotated.credentials(), "{}")); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(n.dir, RootKeyFile+".new-*")); len(left) > 0 || err != nil {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	store, err := persist.Open(t.TempDir(), persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	good := Config{Store: store, DeviceSecret: deviceSecret, Dir: t.TempDir()}
	for name, spoil := range map[string]func(*Config){
		"short device secret": func(c *Config) { c.DeviceSecret = deviceSecret[:16] },
		"no folder":           func(c *Config) { c.Dir = filepath.Join(c.Dir, "missing") },
		"failing disk":        func(c *Config) { c.Store = &failingStore{Store: store, err: errors.New("disk full")} },
	} {
		bad := good
		spoil(&bad)
		if _, made, err := Open(bad); err == nil || made {
			t.Errorf("%s: made %t, %v", name, made, err)
		}
		if keys, err := store.Keys(); len(keys) > 0 || err != nil {
			t.Errorf("%s: %d keys are stored, %v", name, len(keys), err)
		}
	}
	if _, made, err := Open(good); err != nil || !made {
		t.Errorf("made %t, %v", made, err)
	}
}

// Somebody who copies the database, but not the device secret, learns no secret.
func TestCopiedDatabase(t *testing.T) {
	n := newNode(t)
	secrets := []string{n.root.Secret}
	ci := n.create(t, Order{Name: "ci", Access: Deploy, Secret: true, Token: true})
	secrets = append(secrets, ci.SecretAccessKey, ci.Token)
	n.close(t)
	database := readFile(t, filepath.Join(n.dir, "ledge.db"))
	if !bytes.Contains(database, []byte(ci.ID)) {
		t.Fatal("the key is not in the file")
	}
	for _, secret := range secrets {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)), secret[len(secret)-20:]} {
			if bytes.Contains(database, []byte(form)) {
				t.Errorf("the database has %q", form)
			}
		}
	}

	// On another device the secrets are lost, and that is said; tokens work, since
	// whoever sends one has it.
	if n.open(t, []byte("another device's 32 byte secret!")) {
		t.Error("a root key was made although there is one")
	}
	for _, c := range []sigv4.Credentials{n.root, ci.credentials(), {KeyID: ci.ID}} {
		_, err := n.Authenticate(n.signed(t, c, "{}"))
		wantCode(t, "signature", err, 403, CodeUnrecognized, "is invalid")
	}
	if _, err := n.Authenticate(withToken(ci.Token)); err != nil {
		t.Errorf("token: %v", err)
	}
	if problems := strings.Join(n.Problems(), "\n"); !strings.Contains(problems, `["ci" "root"]`) || !strings.Contains(problems, "ledge keys create") {
		t.Errorf("problems: %s", problems)
	}
	if info, err := n.Get("root"); err != nil || !strings.Contains(info.Problem, "device secret") {
		t.Errorf("info %+v, %v", info, err)
	}
	root, err := n.Rotate("root")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Authenticate(n.signed(t, root.credentials(), "{}")); err != nil {
		t.Errorf("after rotation: %v", err)
	}
	// The unusable key is no obstacle to removing others, and can be removed.
	if err := n.Delete("ci"); err != nil {
		t.Error(err)
	}
	if problems := n.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
}

// A sealed secret that somebody moves to another key in the database is worth
// nothing there.
func TestSealedSecretsAreBoundToTheirKey(t *testing.T) {
	s, err := newSealer(deviceSecret)
	if err != nil {
		t.Fatal(err)
	}
	sealed := s.seal("LDGEA", "secret")
	if got, err := s.open("LDGEA", sealed); got != "secret" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if bytes.Equal(sealed, s.seal("LDGEA", "secret")) {
		t.Error("the same secret looks the same twice")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := s.open("LDGEA", bad); !errors.Is(err, errSealed) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for _, bad := range [][]byte{nil, {1}, {2}, sealed[:20]} {
		if _, err := s.open("LDGEA", bad); !errors.Is(err, errSealed) {
			t.Errorf("%x: %v", bad, err)
		}
	}
	if _, err := s.open("LDGEB", sealed); !errors.Is(err, errSealed) {
		t.Errorf("another key: %v", err)
	}
}

func TestRandomText(t *testing.T) {
	seen := map[string]bool{}
	counts := map[rune]int{}
	for range 2000 {
		id, secret := newID(), newSecret()
		token := newToken(id)
		if !isID(id) || len(secret) != 40 || seen[id] || seen[secret] {
			t.Fatalf("%s, %s", id, secret)
		}
		if got, ok := tokenID(token); got != id || !ok {
			t.Fatalf("token %s has ID %s, %t", token, got, ok)
		}
		seen[id], seen[secret] = true, true
		for _, c := range secret {
			counts[c]++
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d characters occur, not 62", len(counts))
	}
	for c, n := range counts { // 80 000 / 62 is 1290, five standard deviations are 180
		if n < 1100 || n > 1480 {
			t.Errorf("%c occurs %d times", c, n)
		}
	}
	for _, bad := range []string{"", "ledge_", "ledge_" + newID(), "ledge_" + newID() + "_short", "ledge_x_" + strings.Repeat("a", 43), strings.Repeat("a", 70)} {
		if id, ok := tokenID(bad); ok {
			t.Errorf("%q is a token of %s", bad, id)
		}
	}
}

func TestManage(t *testing.T) {
	n := newNode(t)
	hour := n.clock().Add(time.Hour)
	ci := n.create(t, Order{Name: "ci", Access: Deploy, Functions: []string{"b*", "a", "a"}, Expires: hour, Secret: true})
	if ci.Token != "" || !ci.HasSecret || ci.HasToken || !reflect.DeepEqual(ci.Functions, []string{"a", "b*"}) || !ci.Expires.Equal(hour) {
		t.Errorf("issued %+v", ci)
	}
	person := n.create(t, Order{Name: "person@home", Access: Read, Functions: []string{"*"}, Token: true})
	if person.SecretAccessKey != "" || person.HasSecret || person.Functions != nil {
		t.Errorf("issued %+v", person)
	}
	for _, id := range []string{ci.ID, "ci"} {
		if info, err := n.Get(id); err != nil || !reflect.DeepEqual(info, ci.Info) {
			t.Errorf("Get(%s): %+v, %v", id, info, err)
		}
	}

	for name, test := range map[string]struct {
		order        Order
		status       int
		code, saying string
	}{
		"neither":                 {Order{Name: "x", Access: Read}, 400, CodeInvalid, "both"},
		"no name":                 {Order{Access: Read, Token: true}, 400, CodeInvalid, "1 to 64"},
		"bad name":                {Order{Name: "a b", Access: Read, Token: true}, 400, CodeInvalid, "1 to 64"},
		"long name":               {Order{Name: strings.Repeat("a", 65), Access: Read, Token: true}, 400, CodeInvalid, "1 to 64"},
		"name like an ID":         {Order{Name: newID(), Access: Read, Token: true}, 400, CodeInvalid, "looks like"},
		"name is taken":           {Order{Name: "ci", Access: Read, Token: true}, 409, CodeConflict, "already"},
		"no access":               {Order{Name: "x", Token: true}, 400, CodeInvalid, "read, invoke, deploy and admin"},
		"bad function":            {Order{Name: "x", Access: Read, Functions: []string{"a*b"}, Token: true}, 400, CodeInvalid, "a*b"},
		"too many functions":      {Order{Name: "x", Access: Read, Functions: make([]string, 101), Token: true}, 400, CodeInvalid, "100"},
		"admin of some functions": {Order{Name: "x", Access: Admin, Functions: []string{"a"}, Token: true}, 400, CodeInvalid, "itself"},
		"expired":                 {Order{Name: "x", Access: Read, Expires: n.clock(), Token: true}, 400, CodeInvalid, "future"},
	} {
		_, err := n.Create(test.order)
		wantCode(t, name, err, test.status, test.code, test.saying)
	}
	for what, err := range map[string]error{
		"Get":    func() error { _, err := n.Get("nobody"); return err }(),
		"Update": func() error { _, err := n.Update("nobody", Change{}); return err }(),
		"Rotate": func() error { _, err := n.Rotate("nobody"); return err }(),
		"Delete": n.Delete("nobody"),
	} {
		wantCode(t, what, err, 404, CodeNotFound, "nobody")
	}

	// Update changes what it is told and nothing else, also over a restart.
	name, disabled, access, functions, never := "build", true, Invoke, []string{"c"}, time.Time{}
	if _, err := n.Update("ci", Change{Name: &name, Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	updated, err := n.Update("build", Change{Access: &access, Functions: &functions, Expires: &never})
	want := ci.Info
	want.Name, want.ARN, want.Disabled, want.Access, want.Functions, want.Expires = name, arn(name), true, Invoke, functions, never
	if err != nil || !reflect.DeepEqual(updated, want) {
		t.Errorf("got\n%+v, %v\nwant\n%+v", updated, err, want)
	}
	n.close(t)
	n.open(t, deviceSecret)
	if info, err := n.Get(ci.ID); err != nil || !reflect.DeepEqual(info, want) {
		t.Errorf("after restart\n%+v, %v\nwant\n%+v", info, err, want)
	}
	taken := "root"
	_, err = n.Update("build", Change{Name: &taken})
	wantCode(t, "Update to a taken name", err, 409, CodeConflict, "already")
	past := n.clock().Add(-time.Hour)
	_, err = n.Update("build", Change{Expires: &past})
	wantCode(t, "Update to expired", err, 400, CodeInvalid, "future")

	// Both secrets of a key are rotated where it has both.
	both := n.create(t, Order{Name: "both", Access: Read, Secret: true, Token: true})
	next, err := n.Rotate("both")
	if err != nil || next.ID != both.ID || next.Token == both.Token || next.SecretAccessKey == both.SecretAccessKey {
		t.Errorf("rotated %+v, %v", next, err)
	}
	_, err = n.Authenticate(withToken(both.Token))
	wantCode(t, "old token", err, 403, CodeUnrecognized, "invalid")
	if _, err := n.Authenticate(withToken(next.Token)); err != nil {
		t.Error(err)
	}
	if err := n.Delete("both"); err != nil {
		t.Error(err)
	}
	_, err = n.Authenticate(withToken(next.Token))
	wantCode(t, "token of a deleted key", err, 403, CodeUnrecognized, "invalid")

	// A key whose time has come can still be disabled and renamed.
	short := n.create(t, Order{Name: "short", Access: Read, Token: true, Expires: n.clock().Add(time.Minute)})
	n.advance(time.Hour)
	if _, err := n.Update(short.ID, Change{Disabled: &disabled}); err != nil {
		t.Error(err)
	}

	n.disk.err = errors.New("disk full")
	before := n.List()
	for what, err := range map[string]error{
		"Create": func() error { _, err := n.Create(Order{Name: "x", Access: Read, Token: true}); return err }(),
		"Update": func() error { _, err := n.Update("build", Change{Disabled: new(bool)}); return err }(),
		"Rotate": func() error { _, err := n.Rotate("build"); return err }(),
		"Delete": n.Delete("build"),
	} {
		if !errors.Is(err, n.disk.err) {
			t.Errorf("%s with a full disk: %v", what, err)
		}
	}
	if after := n.List(); !reflect.DeepEqual(before, after) {
		t.Errorf("a change that was not stored is used:\n%+v\n%+v", after, before)
	}
}

func TestTooManyKeys(t *testing.T) {
	n := newNode(t)
	entries := map[string]*entry{}
	for i := range MaxKeys {
		id := newID()
		entries[id] = &entry{key: persist.Key{ID: id, Name: string(rune('a'+i%26)) + id[5:]}, usage: &usage{}}
	}
	n.entries.Store(&entries)
	_, err := n.Create(Order{Name: "x", Access: Read, Token: true})
	wantCode(t, "one more", err, 409, CodeConflict, "500")
}

func TestLastAdminKeyStays(t *testing.T) {
	n := newNode(t)
	disabled, read, soon := true, Read, n.clock().Add(time.Hour)
	refused := func(what string) {
		t.Helper()
		wantCode(t, what+": Delete", n.Delete("root"), 409, CodeConflict, "last access key")
		for _, c := range []Change{{Disabled: &disabled}, {Access: &read}, {Expires: &soon}} {
			_, err := n.Update("root", c)
			wantCode(t, what+": Update", err, 409, CodeConflict, "last access key")
		}
	}
	refused("alone")
	n.create(t, Order{Name: "ci", Access: Deploy, Secret: true})
	refused("with a key that is no admin")
	n.create(t, Order{Name: "temporary", Access: Admin, Secret: true, Expires: soon})
	refused("with a key that expires")
	n.create(t, Order{Name: "off", Access: Admin, Secret: true})
	if _, err := n.Update("off", Change{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	refused("with a key that is disabled")
	n.create(t, Order{Name: "other", Access: Admin, Token: true})
	if err := n.Delete("root"); err != nil {
		t.Errorf("Delete with another admin: %v", err)
	}
	wantCode(t, "Delete the other", n.Delete("other"), 409, CodeConflict, "last access key")
}

func TestUseIsNotedSeldom(t *testing.T) {
	n := newNode(t)
	for range 100 {
		if _, err := n.Authenticate(n.signed(t, n.root, "")); err != nil {
			t.Fatal(err)
		}
		n.advance(time.Minute)
	}
	last := n.clock().Add(-time.Minute)
	n.Keyring.Close()
	if got := n.disk.touches.Load(); got != 2 {
		t.Errorf("%d writes in 100 minutes", got)
	}
	if info, err := n.Get("root"); err != nil || !info.LastUsed.Equal(last) {
		t.Errorf("last used %s, %v", info.LastUsed, err)
	}
	n.close(t)
	n.open(t, deviceSecret)
	if info, err := n.Get("root"); err != nil || last.Sub(info.LastUsed) >= time.Hour || info.LastUsed.IsZero() {
		t.Errorf("last used %s after a restart, %v", info.LastUsed, err)
	}
	// Changing a key stores the time, too, instead of an older one.
	if _, err := n.Authenticate(n.signed(t, n.root, "")); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Update("root", Change{}); err != nil {
		t.Fatal(err)
	}
	if key, err := n.store.Key(n.root.KeyID); err != nil || !key.LastUsed.Equal(n.clock()) {
		t.Errorf("stored %s, %v", key.LastUsed, err)
	}
}
