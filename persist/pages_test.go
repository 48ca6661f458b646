package persist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"
)

// The check must accept what bbolt writes, also for data that needs branch
// pages, overflow pages and buckets inside pages.
func TestCheckAcceptsWhatBoltWrites(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	for i := range 200 {
		name := "f" + strings.Repeat("x", i%50) + string(rune('a'+i%26))
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
		noErr(t, s.putOwn(name, "small", []byte("in the bucket's own page")))
		noErr(t, s.putOwn(name, strings.Repeat("k", 1+i), make([]byte, i*i)))
		if i%3 == 0 {
			_, err := s.DeleteFunction(name)
			noErr(t, err)
		}
		data, err := os.ReadFile(s.db.Path())
		noErr(t, err)
		if err := checkFile(bytes.NewReader(data), int64(len(data)), allPages); err != nil {
			t.Fatalf("after %d functions: %v", i, err)
		}
	}
}

func TestCheckFindsWhatBoltWouldTrust(t *testing.T) {
	good := fillStore(t, t.TempDir())
	noErr(t, checkFile(bytes.NewReader(good), int64(len(good)), allPages))
	m, err := newestMeta(bytes.NewReader(good), int64(len(good)))
	noErr(t, err)
	at := func(id uint64) uint64 { return id * m.pageSize }
	le := binary.LittleEndian
	walk := newPageCheck(bytes.NewReader(good), m, func() error { return nil })
	noErr(t, walk.all(allPages))
	branch := uint64(0) // one that is in use, not what a commit left behind
	for id, inUse := range walk.seen {
		if inUse && le.Uint16(good[at(uint64(id))+8:]) == flagBranch && le.Uint64(good[at(uint64(id)):]) == uint64(id) {
			branch = uint64(id)
		}
	}
	if branch == 0 {
		t.Fatal("the store has no branch page")
	}
	for name, damage := range map[string]func(b []byte){
		"branch that points to itself":   func(b []byte) { le.PutUint64(b[at(branch)+pageHead+8:], branch) },
		"branch that points to the root": func(b []byte) { le.PutUint64(b[at(branch)+pageHead+8:], m.root) },
		"branch that points outside":     func(b []byte) { le.PutUint64(b[at(branch)+pageHead+8:], m.pages) },
		"branch with nothing below":      func(b []byte) { le.PutUint16(b[at(branch)+10:], 0) },
		"key outside its page":           func(b []byte) { le.PutUint32(b[at(branch)+pageHead+4:], 1<<30) },
		"page with another's number":     func(b []byte) { le.PutUint64(b[at(m.root):], 3) },
		"page with more than fits":       func(b []byte) { le.PutUint16(b[at(m.root)+10:], 60_000) },
		"page longer than the file":      func(b []byte) { le.PutUint32(b[at(m.root)+12:], 1<<31) },
		"page of no kind":                func(b []byte) { le.PutUint16(b[at(m.root)+8:], 0x55) },
		"value longer than its page":     func(b []byte) { le.PutUint32(b[at(m.root)+pageHead+12:], 1<<31) },
		"freelist longer than its page":  func(b []byte) { le.PutUint16(b[at(m.freelist)+10:], 0xfffe) },
		"freelist of wild length": func(b []byte) {
			le.PutUint16(b[at(m.freelist)+10:], 0xffff)
			le.PutUint64(b[at(m.freelist)+pageHead:], 1<<40)
		},
		"page both free and in use": func(b []byte) {
			le.PutUint16(b[at(m.freelist)+10:], 1)
			le.PutUint64(b[at(m.freelist)+pageHead:], m.root)
		},
		"freelist that is something else": func(b []byte) { le.PutUint16(b[at(m.freelist)+8:], flagLeaf) },
	} {
		b := bytes.Clone(good)
		damage(b)
		if err := checkFile(bytes.NewReader(b), int64(len(b)), allPages); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzCheckFile overwrites up to eight bytes of a good file at two places.
func FuzzCheckFile(f *testing.F) {
	good := fillStore(f, f.TempDir())
	f.Add(uint32(0), uint64(0), uint32(8), uint64(0), uint32(0))
	f.Add(uint32(2*4096+8), uint64(flagBranch), uint32(2*4096), uint64(1), uint32(100))
	f.Add(uint32(3*4096+10), uint64(0xffff), uint32(3*4096+16), uint64(1)<<40, uint32(9000))
	f.Fuzz(func(t *testing.T, at1 uint32, value1 uint64, at2 uint32, value2 uint64, cut uint32) {
		b := bytes.Clone(good)[:len(good)-int(cut)%len(good)]
		for at, value := range map[uint32]uint64{at1: value1, at2: value2} {
			var field [8]byte
			binary.LittleEndian.PutUint64(field[:], value)
			copy(b[int(at)%len(b):], field[:])
		}
		if err := checkFile(bytes.NewReader(b), int64(len(b)), allPages); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
	})
}
