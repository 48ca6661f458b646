package gateway

import (
	"crypto/sha256"
	"errors"
	"fmt"
)

// keyring holds the API keys by the SHA-256 of their values. A look-up compares
// hashes and not values, so its duration tells nothing about a value.
type keyring struct {
	keys  map[[sha256.Size]byte]*apiKey
	plans map[planName]*plan
}

// planName names a key under a usage plan.
type planName struct{ key, plan string }

// apiKey is a Key made ready.
type apiKey struct {
	id, value string
	plans     map[*stage]*plan
}

// plan is a usage plan of one key: what it may use on all stages together.
type plan struct {
	in     Plan    // without API and Stage
	bucket *bucket // nil: no limit
	quota  *quota  // nil: no quota
}

// maxKeyBytes is the longest API key of AWS.
const maxKeyBytes = 128

func newKeyring(keys []Key, apis *APIs) (keyring, error) {
	ring := keyring{keys: make(map[[sha256.Size]byte]*apiKey, len(keys)), plans: make(map[planName]*plan)}
	if len(keys) > MaxKeys {
		return ring, &APIError{keys[MaxKeys].ID, fmt.Errorf("it is one more than %d keys", MaxKeys)}
	}
	for i := range keys {
		if err := ring.add(&keys[i], apis); err != nil {
			return ring, &APIError{keys[i].ID, err}
		}
	}
	return ring, nil
}

func (ring *keyring) add(in *Key, apis *APIs) error {
	hash := sha256.Sum256([]byte(in.Value))
	switch {
	case in.Value == "" || len(in.Value) > maxKeyBytes || !validFieldValue([]byte(in.Value)):
		return fmt.Errorf("its value cannot be an API key: use 1 to %d bytes that a header can have", maxKeyBytes)
	case ring.keys[hash] != nil:
		return fmt.Errorf("the API key %q has the same value", ring.keys[hash].id)
	case len(in.Plans) > MaxPlans:
		return fmt.Errorf("it is in %d usage plans: use at most %d", len(in.Plans), MaxPlans)
	}
	made := &apiKey{id: in.ID, value: in.Value, plans: make(map[*stage]*plan, len(in.Plans))}
	for _, p := range in.Plans {
		s := apis.stage(p.API, p.Stage)
		switch {
		case s == nil:
			return fmt.Errorf("usage plan %q: there is no stage %q of an API %q", p.ID, p.Stage, p.API)
		case made.plans[s] != nil:
			return fmt.Errorf("usage plans %q and %q both cover stage %q of API %q", made.plans[s].in.ID, p.ID, p.Stage, p.API)
		}
		p.API, p.Stage = "", ""
		shared := ring.plans[planName{in.ID, p.ID}]
		if shared == nil {
			var err error
			if shared, err = newPlan(p); err != nil {
				return fmt.Errorf("usage plan %q: %w", p.ID, err)
			}
			ring.plans[planName{in.ID, p.ID}] = shared
		} else if shared.in != p {
			return fmt.Errorf("usage plan %q: its limits are not the same for all stages", p.ID)
		}
		made.plans[s] = shared
	}
	ring.keys[hash] = made
	return nil
}

func newPlan(in Plan) (*plan, error) {
	if in.ID == "" {
		return nil, errors.New("its ID is missing")
	}
	p := &plan{in: in}
	var err error
	if in.Throttle != (Throttle{}) {
		if p.bucket, err = newBucket(in.Throttle); err != nil {
			return nil, err
		}
	}
	if in.Quota != 0 {
		p.quota, err = newQuota(in.Quota, in.Period)
	}
	return p, err
}

// find returns the key of this value, or nil.
func (ring *keyring) find(value []byte) *apiKey {
	if len(value) == 0 || len(value) > maxKeyBytes {
		return nil
	}
	return ring.keys[sha256.Sum256(value)]
}

func (ring *keyring) inherit(before *keyring) {
	for name, p := range ring.plans {
		old := before.plans[name]
		if old == nil {
			continue
		}
		if p.bucket != nil && old.bucket != nil {
			p.bucket.inherit(old.bucket)
		}
		if p.quota != nil && old.quota != nil {
			p.quota.inherit(old.quota)
		}
	}
}

// Used returns how many requests of a usage plan's quota a key has used in the
// current period; ok is false where the key has no such plan with a quota.
// Requests before the node's last start are not counted.
func (s *Server) Used(keyID, planID string) (n int, ok bool) {
	a := s.apis.Load()
	if a == nil {
		return 0, false
	}
	p := a.keys.plans[planName{keyID, planID}]
	if p == nil || p.quota == nil {
		return 0, false
	}
	return p.quota.used(s.now()), true
}
