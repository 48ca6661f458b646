package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"ledge/edge"
	"ledge/engine"
	"ledge/persist"

	bolt "go.etcd.io/bbolt"
)

// plainBucket is the bucket of the bbolt files that the rows here compare with.
var plainBucket = []byte("b")

func openPlain(path string) (*bolt.DB, error) {
	plain, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		return nil, err
	}
	err = plain.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket(plainBucket); return err })
	if err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	return plain, nil
}

// getPlain copies a value, as whoever uses it after the transaction must.
func getPlain(plain *bolt.DB, key string) error {
	return plain.View(func(tx *bolt.Tx) error {
		if value := bytes.Clone(tx.Bucket(plainBucket).Get([]byte(key))); value == nil {
			return fmt.Errorf("there is no key %s", key)
		}
		return nil
	})
}

// values compares data of functions with a plain bbolt file, which has no sequence
// numbers, no limits and no times.
func (b *bench) values() error {
	store, err := b.openStore("values")
	if err != nil {
		return err
	}
	defer store.Close()
	plain, err := openPlain(filepath.Join(b.dir, "plain.db"))
	if err != nil {
		return err
	}
	defer plain.Close()
	data, value := store.Data(), make([]byte, 100)
	const keys = 1000
	key := func(i int64) string { return fmt.Sprintf("key %04d", i%keys) }
	// However short the puts are, the gets find something.
	for i := int64(0); i < keys && err == nil; i += persist.MaxWrites {
		writes := make([]persist.Write, min(persist.MaxWrites, keys-i))
		for n := range writes {
			writes[n] = persist.Write{Bucket: "b", Key: key(i + int64(n)), Kind: persist.WritePut, Value: value}
		}
		if _, err = data.Write(persist.Origin{}, writes); err != nil {
			break
		}
		err = plain.Update(func(tx *bolt.Tx) error {
			for _, w := range writes {
				if err := tx.Bucket(plainBucket).Put([]byte(w.Key), value); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	rows := []struct {
		name         string
		callers      int
		ours, theirs func(i int64) error
	}{
		{"put", crowd, func(i int64) error {
			_, err := data.Write(persist.Origin{}, []persist.Write{{Bucket: "b", Key: key(i), Kind: persist.WritePut, Value: value}})
			return err
		}, func(i int64) error {
			return plain.Update(func(tx *bolt.Tx) error { return tx.Bucket(plainBucket).Put([]byte(key(i)), value) })
		}},
		{"get", 1, func(i int64) error {
			_, err := data.Get("b", key(i))
			return err
		}, func(i int64) error { return getPlain(plain, key(i)) }},
	}
	for _, row := range rows {
		var ours, theirs, ratios []float64
		for range b.rounds {
			mine, err := b.fromCallers(row.callers, row.ours)
			if err != nil {
				return err
			}
			other, err := b.fromCallers(row.callers, row.theirs)
			if err != nil {
				return err
			}
			ours, theirs, ratios = append(ours, mine), append(theirs, other), append(ratios, mine/other)
		}
		b.row("| %s of a value of 100 bytes, callers: %d (in process) | %.0f/s | %.0f/s plain bbolt | %.2f | |",
			row.name, row.callers, median(ours), median(theirs), median(ratios))
	}
	return nil
}

// readsOfOne is how many keys the example "reads" gets in one invocation, so that the
// way into the guest does not count. It gets the keys 0 to 9.
const readsOfOne = 10_000

// reads compares values that a function in Wasm gets with a plain bbolt file.
func (b *bench) reads() error {
	store, err := b.openStore("reads")
	if err != nil {
		return err
	}
	defer store.Close()
	plain, err := openPlain(filepath.Join(b.dir, "reads.db"))
	if err != nil {
		return err
	}
	defer plain.Close()
	data, value := store.Data(), make([]byte, 100)
	for i := range 10 {
		key := strconv.Itoa(i)
		_, err := data.Write(persist.Origin{}, []persist.Write{{Bucket: persist.OwnBucket("f"), Key: key, Kind: persist.WritePut, Value: value}})
		if err == nil {
			err = plain.Update(func(tx *bolt.Tx) error { return tx.Bucket(plainBucket).Put([]byte(key), value) })
		}
		if err != nil {
			return err
		}
	}
	functions, err := b.openReads(data)
	if err != nil {
		return err
	}
	defer functions.Close()
	var ours, theirs, ratios []float64
	for range b.rounds {
		invocations, err := b.fromCallers(1, func(int64) error {
			var res engine.Result
			return functions.Invoke(b.ctx, &engine.Invocation{Function: "f"}, &res)
		})
		if err != nil {
			return err
		}
		gets, err := b.fromCallers(1, func(i int64) error { return getPlain(plain, strconv.FormatInt(i%10, 10)) })
		if err != nil {
			return err
		}
		mine := invocations * readsOfOne
		ours, theirs, ratios = append(ours, mine), append(theirs, gets), append(ratios, mine/gets)
	}
	b.row("| KV get from a function: 100 bytes, an Extism plug-in with ledge_kv_get, 10 000 an invocation (in process) | %.0f/s | %.0f/s plain bbolt, in Go | %.2f | |",
		median(ours), median(theirs), median(ratios))
	return nil
}

// openReads deploys the example as f, with the data of a store.
func (b *bench) openReads(data *persist.Data) (*engine.Runtime, error) {
	wasm, err := os.ReadFile(filepath.Join(b.functions, "reads.wasm"))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(wasm)
	f := engine.Function{Name: "f", Runtime: engine.RuntimeExtism, CodeDir: filepath.Join(b.dir, "reads-code"), CodeHash: hex.EncodeToString(sum[:])}
	if err := os.Mkdir(f.CodeDir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(f.CodeDir, engine.ModuleFile), wasm, 0o600); err != nil {
		return nil, err
	}
	cfg := engine.DefaultConfig()
	cfg.ArtifactDir, cfg.DeviceKey, cfg.Data = filepath.Join(b.dir, "reads-artifacts"), [32]byte{1}, edge.NewFunctionData(data)
	functions, err := engine.Open(cfg)
	if err != nil {
		return nil, err
	}
	if _, err := functions.Deploy(context.Background(), f, nil); err != nil {
		return nil, errors.Join(err, functions.Close())
	}
	return functions, nil
}
