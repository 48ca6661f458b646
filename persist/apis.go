package persist

import (
	"encoding/json"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// keyRootAPI is the setting that holds the RootAPI, as JSON.
const keyRootAPI = "root-api"

// API returns the API with that ID, or ErrNotFound.
func (s *Store) API(id string) (API, error) {
	return oneRecord[API](s, bucketAPIs, []byte(id), "API "+id)
}

// APIs returns all APIs in order of their IDs.
func (s *Store) APIs() ([]API, error) { return allRecords[API](s, bucketAPIs) }

// APIDeployment returns a deployment, the draft where id is empty, or
// ErrNotFound.
func (s *Store) APIDeployment(api, id string) (APIDeployment, error) {
	return oneRecord[APIDeployment](s, bucketAPIDeployments, memberKey(api, id), "deployment "+id+" of API "+api)
}

// APIDeployments returns the deployments of an API in order of their IDs,
// without the draft.
func (s *Store) APIDeployments(api string) (deployments []APIDeployment, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		deployments, err = members[APIDeployment](tx, bucketAPIDeployments, api)
		return err
	})
	if len(deployments) > 0 && deployments[0].ID == "" { // the empty ID sorts first
		deployments = deployments[1:]
	}
	return deployments, err
}

// APIStage returns a stage, or ErrNotFound.
func (s *Store) APIStage(api, name string) (APIStage, error) {
	return oneRecord[APIStage](s, bucketAPIStages, memberKey(api, name), "stage "+name+" of API "+api)
}

// APIStages returns the stages of an API in order of their names.
func (s *Store) APIStages(api string) (stages []APIStage, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		stages, err = members[APIStage](tx, bucketAPIStages, api)
		return err
	})
	return stages, err
}

// RootAPI returns the stage that answers at the node's root, zero where there
// is none.
func (s *Store) RootAPI() (root RootAPI, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		root, err = rootAPI(tx)
		return err
	})
	return root, err
}

// rootAPI takes a root that makes no sense for none: all else goes on to serve.
func rootAPI(tx *bolt.Tx) (RootAPI, error) {
	root, _, err := get[RootAPI](tx, bucketSettings, []byte(keyRootAPI))
	if errors.Is(err, ErrDamaged) {
		return RootAPI{}, nil
	}
	return root, err
}

// APIChange is one change of what API Gateway has, made in one transaction. A
// record that exists is replaced. What it deletes it deletes first.
type APIChange struct {
	DeleteAPIs []string // IDs, each with its deployments and stages
	PutAPIs    []API

	DeleteDeployments []APIDeployment // by API and ID
	PutDeployments    []APIDeployment

	DeleteStages []APIStage // by API and Name
	PutStages    []APIStage

	DeleteKeys []string // IDs
	PutKeys    []APIKey

	DeletePlans []string // IDs
	PutPlans    []UsagePlan

	DeleteKeySets []string // issuers
	PutKeySets    []KeySet

	Root *RootAPI // nil: as it is
}

// Writes returns the number of records that the change puts or deletes.
func (ch *APIChange) Writes() int {
	n := len(ch.DeleteAPIs) + len(ch.PutAPIs) + len(ch.DeleteDeployments) + len(ch.PutDeployments) +
		len(ch.DeleteStages) + len(ch.PutStages) + len(ch.DeleteKeys) + len(ch.PutKeys) +
		len(ch.DeletePlans) + len(ch.PutPlans) + len(ch.DeleteKeySets) + len(ch.PutKeySets)
	if ch.Root != nil {
		n++
	}
	return n
}

// DraftsOnly reports whether nothing that is served can change: the change
// puts drafts and nothing else.
func (ch *APIChange) DraftsOnly() bool {
	for _, d := range ch.PutDeployments {
		if d.ID != "" {
			return false
		}
	}
	return ch.Writes() == len(ch.PutDeployments)
}

// apiEntry is a record as it is written.
type apiEntry struct {
	bucket     string
	key, value []byte
}

// ChangeAPIs makes a change. ErrNotFound says that an API to delete, or that of
// a deployment or a stage, does not exist, or the deployment that a stage names.
func (s *Store) ChangeAPIs(ch APIChange) error {
	puts, size, err := ch.entries()
	if err != nil {
		return fmt.Errorf("change APIs: %w", err)
	}
	err = s.update(size, func(c *change) error {
		if err := ch.check(c.tx); err != nil {
			return err
		}
		for _, e := range ch.deletions() {
			if err := c.delete(e.bucket, e.key); err != nil {
				return err
			}
		}
		for _, id := range ch.DeleteAPIs {
			for _, bucket := range []string{bucketAPIDeployments, bucketAPIStages} {
				if err := c.dropMembers(bucket, id); err != nil {
					return err
				}
			}
		}
		for _, e := range puts {
			if err := c.putBytes(e.bucket, e.key, e.value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("change APIs: %w", err)
	}
	return nil
}

// check refuses what would leave a record without the one that it belongs to.
func (ch *APIChange) check(tx *bolt.Tx) error {
	there := func(bucket string, key []byte) bool { return tx.Bucket([]byte(bucket)).Get(key) != nil }
	apis := make(map[string]bool, len(ch.PutAPIs)) // exist after the change
	for _, id := range ch.DeleteAPIs {
		if !there(bucketAPIs, []byte(id)) {
			return fmt.Errorf("API %s: %w", id, ErrNotFound)
		}
		apis[id] = false
	}
	for _, a := range ch.PutAPIs {
		apis[a.ID] = true
	}
	exists := func(id string) bool {
		known, changed := apis[id]
		return changed && known || !changed && there(bucketAPIs, []byte(id))
	}
	deployments := make(map[string]bool, len(ch.PutDeployments))
	for _, d := range ch.DeleteDeployments {
		deployments[string(memberKey(d.API, d.ID))] = false
	}
	for _, d := range ch.PutDeployments {
		if !exists(d.API) {
			return fmt.Errorf("API %s: %w", d.API, ErrNotFound)
		}
		deployments[string(memberKey(d.API, d.ID))] = true
	}
	for _, st := range ch.PutStages {
		if !exists(st.API) {
			return fmt.Errorf("API %s: %w", st.API, ErrNotFound)
		}
		key := memberKey(st.API, st.Deployment)
		known, changed := deployments[string(key)]
		if st.Deployment != "" && !(changed && known || !changed && there(bucketAPIDeployments, key)) {
			return fmt.Errorf("deployment %s of API %s: %w", st.Deployment, st.API, ErrNotFound)
		}
	}
	return nil
}

// deletions returns what the change deletes, apart from what belongs to an API.
func (ch *APIChange) deletions() []apiEntry {
	var gone []apiEntry
	add := func(bucket string, key []byte) { gone = append(gone, apiEntry{bucket: bucket, key: key}) }
	for _, id := range ch.DeleteAPIs {
		add(bucketAPIs, []byte(id))
	}
	for _, d := range ch.DeleteDeployments {
		add(bucketAPIDeployments, memberKey(d.API, d.ID))
	}
	for _, st := range ch.DeleteStages {
		add(bucketAPIStages, memberKey(st.API, st.Name))
	}
	for _, id := range ch.DeleteKeys {
		add(bucketAPIKeys, []byte(id))
	}
	for _, id := range ch.DeletePlans {
		add(bucketUsagePlans, []byte(id))
	}
	for _, issuer := range ch.DeleteKeySets {
		add(bucketKeySets, []byte(issuer))
	}
	if ch.Root != nil && *ch.Root == (RootAPI{}) {
		add(bucketSettings, []byte(keyRootAPI))
	}
	return gone
}

// entries encodes what the change puts. size is the number of bytes.
func (ch *APIChange) entries() (puts []apiEntry, size int, err error) {
	add := func(what, name, bucket string, key []byte, record any) {
		value, failed := json.Marshal(record)
		switch {
		case failed != nil:
			failed = fmt.Errorf("encode %s: %w", what, failed)
		case len(value) > maxRecordBytes:
			failed = invalid("the %s %s has %d bytes, at most %d are stored", what, name, len(value), maxRecordBytes)
		default:
			failed = checkText(what, name, maxPathBytes)
		}
		if failed != nil {
			err = errors.Join(err, failed)
			return
		}
		puts, size = append(puts, apiEntry{bucket, key, value}), size+len(value)
	}
	for _, a := range ch.PutAPIs {
		add("API", a.ID, bucketAPIs, []byte(a.ID), a)
	}
	for _, d := range ch.PutDeployments {
		add("deployment of API", d.API, bucketAPIDeployments, memberKey(d.API, d.ID), d)
	}
	for _, st := range ch.PutStages {
		add("stage", st.Name, bucketAPIStages, memberKey(st.API, st.Name), st)
	}
	for _, k := range ch.PutKeys {
		add("API key", k.ID, bucketAPIKeys, []byte(k.ID), k)
	}
	for _, p := range ch.PutPlans {
		add("usage plan", p.ID, bucketUsagePlans, []byte(p.ID), p)
	}
	for _, k := range ch.PutKeySets {
		add("issuer", k.Issuer, bucketKeySets, []byte(k.Issuer), k)
	}
	if ch.Root != nil && *ch.Root != (RootAPI{}) {
		add("root API", ch.Root.API, bucketSettings, []byte(keyRootAPI), *ch.Root)
	}
	return puts, size, err
}
