package persist

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestKV(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	for _, name := range []string{"f", "g"} {
		_, err := s.PutFunction(testFunction(name), "", nil)
		noErr(t, err)
	}
	kv := s.KV()
	big := bytes.Repeat([]byte{7}, MaxValueBytes)
	longKey := strings.Repeat("k", MaxKeyBytes)
	for key, value := range map[string][]byte{
		"text": []byte("value"), "empty": {}, "big": big, longKey: {1}, "binary\x00\xff key": {0, 255},
	} {
		noErr(t, kv.Put("f", key, value))
		got, err := kv.Get("f", key)
		noErr(t, err)
		if got == nil || !bytes.Equal(got, value) {
			t.Errorf("%.20q: got %d bytes, nil %t", key, len(got), got == nil)
		}
		if got, err := kv.Get("g", key); err != nil || got != nil {
			t.Errorf("%.20q: another function sees %.20q, %v", key, got, err)
		}
	}
	if v, err := kv.Get("nobody", "k"); err != nil || v != nil {
		t.Errorf("of a function that is not there: %q, %v", v, err)
	}
	closeStore(t, s)

	s = openStore(t, dir, Options{})
	kv = s.KV()
	got, err := kv.Get("f", "text")
	noErr(t, err)
	got[0] = 'X' // it is the caller's
	if again, err := kv.Get("f", "text"); err != nil || string(again) != "value" {
		t.Errorf("after the caller wrote to its copy: %q, %v", again, err)
	}
	noErr(t, kv.Delete("f", "text"))
	noErr(t, kv.Delete("f", "text"))
	noErr(t, kv.Delete("nobody", "text"))
	if v, err := kv.Get("f", "text"); err != nil || v != nil {
		t.Errorf("after Delete: %q, %v", v, err)
	}
}

func TestKVSizes(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	kv := s.KV()
	long := strings.Repeat("k", MaxKeyBytes+1)
	get := func(key string) error { _, err := kv.Get("f", key); return err }
	for what, err := range map[string]error{
		"get no key": get(""), "get long key": get(long),
		"put no key": kv.Put("f", "", nil), "put long key": kv.Put("f", long, nil),
		"delete no key": kv.Delete("f", ""), "delete long key": kv.Delete("f", long),
		"put large value": kv.Put("f", "k", make([]byte, MaxValueBytes+1)),
	} {
		var size *SizeError
		if !errors.As(err, &size) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := get("k"); err != nil {
		t.Error(err)
	}
}

func TestKVConcurrently(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	_, err := s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	kv := s.KV()
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for i := range 20 {
				key, want := fmt.Sprint(worker, i), fmt.Sprint(i)
				if err := kv.Put("f", key, []byte(want)); err != nil {
					t.Error(err)
				}
				if got, err := kv.Get("f", key); err != nil || string(got) != want {
					t.Errorf("%s: %q, %v", key, got, err)
				}
			}
		})
	}
	wg.Wait()
}
