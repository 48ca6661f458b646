package persist

import (
	"cmp"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// LiveAPIs is everything of API Gateway that decides what is served, at one
// moment. Drafts and deployments that no stage names are not in it.
type LiveAPIs struct {
	APIs        []API           // by ID
	Stages      []APIStage      // by API and name
	Deployments []APIDeployment // those that Stages name, by API and ID
	Keys        []APIKey
	Plans       []UsagePlan
	KeySets     []KeySet
	Root        RootAPI
}

// LiveAPIs returns what would be live after a change; what is live now is that
// after the zero APIChange. It does not check the change as ChangeAPIs does.
func (s *Store) LiveAPIs(ch APIChange) (LiveAPIs, error) {
	var live LiveAPIs
	err := s.view(func(tx *bolt.Tx) (err error) {
		live, err = liveAPIs(tx, ch)
		return err
	})
	if err != nil {
		return LiveAPIs{}, fmt.Errorf("read APIs: %w", err)
	}
	return live, nil
}

func liveAPIs(tx *bolt.Tx, ch APIChange) (live LiveAPIs, err error) {
	gone := make(map[string]bool)
	for _, e := range ch.deletions() {
		gone[e.bucket+"\x00"+string(e.key)] = true
	}
	deletedAPI := func(id string) bool { return gone[bucketAPIs+"\x00"+id] }

	if live.APIs, err = changed(tx, bucketAPIs, gone, ch.PutAPIs, func(a API) string { return a.ID }); err != nil {
		return live, err
	}
	stageKey := func(st APIStage) string { return string(memberKey(st.API, st.Name)) }
	if live.Stages, err = changed(tx, bucketAPIStages, gone, nil, stageKey); err != nil {
		return live, err
	}
	live.Stages = slices.DeleteFunc(live.Stages, func(st APIStage) bool { return deletedAPI(st.API) })
	live.Stages = putAmong(live.Stages, ch.PutStages, stageKey)
	if live.Deployments, err = named(tx, live.Stages, gone, ch.PutDeployments); err != nil {
		return live, err
	}
	if live.Keys, err = changed(tx, bucketAPIKeys, gone, ch.PutKeys, func(k APIKey) string { return k.ID }); err != nil {
		return live, err
	}
	if live.Plans, err = changed(tx, bucketUsagePlans, gone, ch.PutPlans, func(p UsagePlan) string { return p.ID }); err != nil {
		return live, err
	}
	if live.KeySets, err = changed(tx, bucketKeySets, gone, ch.PutKeySets, func(k KeySet) string { return k.Issuer }); err != nil {
		return live, err
	}
	if ch.Root != nil {
		live.Root = *ch.Root
		return live, nil
	}
	live.Root, err = rootAPI(tx)
	return live, err
}

// named returns the deployments that stages name, of those in put or else of
// those stored and not gone.
func named(tx *bolt.Tx, stages []APIStage, gone map[string]bool, put []APIDeployment) ([]APIDeployment, error) {
	var found []APIDeployment
	seen := make(map[string]bool, len(stages))
	for _, st := range stages {
		key := memberKey(st.API, st.Deployment)
		if st.Deployment == "" || seen[string(key)] {
			continue
		}
		seen[string(key)] = true
		if i := slices.IndexFunc(put, func(d APIDeployment) bool { return d.API == st.API && d.ID == st.Deployment }); i >= 0 {
			found = append(found, put[i])
			continue
		}
		if gone[bucketAPIDeployments+"\x00"+string(key)] {
			continue
		}
		d, there, err := get[APIDeployment](tx, bucketAPIDeployments, key)
		if err != nil {
			return nil, err
		}
		if there {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b APIDeployment) int { return cmp.Or(cmp.Compare(a.API, b.API), cmp.Compare(a.ID, b.ID)) })
	return found, nil
}

// changed returns the records of bucket without those that are gone, and with
// those of put, in order of their keys.
func changed[T any](tx *bolt.Tx, bucket string, gone map[string]bool, put []T, key func(T) string) ([]T, error) {
	stored, err := all[T](tx, bucket)
	if err != nil {
		return nil, err
	}
	stored = slices.DeleteFunc(stored, func(record T) bool { return gone[bucket+"\x00"+key(record)] })
	return putAmong(stored, put, key), nil
}

// putAmong puts records among stored ones, which are in order of their keys.
func putAmong[T any](stored, put []T, key func(T) string) []T {
	for _, record := range put {
		i, found := slices.BinarySearchFunc(stored, key(record), func(have T, want string) int { return cmp.Compare(key(have), want) })
		if found {
			stored[i] = record
		} else {
			stored = slices.Insert(stored, i, record)
		}
	}
	return stored
}
