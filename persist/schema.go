package persist

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Buckets of the database.
//
//	meta       "schema", "generation", "clock" -> big-endian uint64
//	functions  name 00 uint64(version)         -> Function; $LATEST is version 0
//	published  name                            -> uint64, last version number; outlives the function
//	aliases    function 00 alias               -> Alias
//	routes     Route.Key                       -> Route
//	settings   key                             -> text
//	kv         function -> bucket of key       -> value; until schema 3
//	damaged    bucket 00 key                   -> a record that could not be decoded
//
// since schema 2, for AWS's APIs:
//
//	keys           access key ID               -> Key
//	audit          uint64(sequence)            -> AuditRecord
//	policies       function 00 qualifier       -> Policy
//	urls           function 00 qualifier       -> FunctionURL
//	provisioned    function 00 qualifier       -> Provisioned
//	asyncconfigs   function 00 qualifier       -> AsyncConfig
//	mappings       UUID                        -> EventSourceMapping
//	layers         name 00 uint64(version)     -> LayerVersion
//	layercounts    name                        -> uint64, last version number
//	apis           API ID                      -> API
//	apideployments API ID 00 deployment ID     -> APIDeployment, the draft under the empty ID
//	apistages      API ID 00 stage             -> APIStage
//	apikeys        key ID                      -> APIKey
//	usageplans     plan ID                     -> UsagePlan
//	keysets        issuer                      -> KeySet
//	schedules      group 00 name               -> Schedule
//	schedulegroups name                        -> ScheduleGroup
//	queue, deadletters                         -> see queue_layout.go
//
// since schema 3, for events:
//
//	data, databuckets, expiries, changes                  -> see data_layout.go
//	feeds          mapping UUID                           -> Feed
//	schedulestates group 00 name                          -> ScheduleState
//
// Numbers are big-endian so that keys sort by them. Records are JSON.
const (
	bucketMeta      = "meta"
	bucketFunctions = "functions"
	bucketPublished = "published"
	bucketAliases   = "aliases"
	bucketRoutes    = "routes"
	bucketSettings  = "settings"
	bucketKV        = "kv"
	bucketDamaged   = "damaged"

	bucketKeys           = "keys"
	bucketAudit          = "audit"
	bucketPolicies       = "policies"
	bucketURLs           = "urls"
	bucketProvisioned    = "provisioned"
	bucketAsync          = "asyncconfigs"
	bucketMappings       = "mappings"
	bucketLayers         = "layers"
	bucketLayerCounts    = "layercounts"
	bucketAPIs           = "apis"
	bucketAPIDeployments = "apideployments"
	bucketAPIStages      = "apistages"
	bucketAPIKeys        = "apikeys"
	bucketUsagePlans     = "usageplans"
	bucketKeySets        = "keysets"
	bucketSchedules      = "schedules"
	bucketScheduleGroups = "schedulegroups"
	bucketQueue          = "queue"
	bucketDeadLetters    = "deadletters"

	bucketData           = "data"
	bucketDataBuckets    = "databuckets"
	bucketExpiries       = "expiries"
	bucketChanges        = "changes"
	bucketFeeds          = "feeds"
	bucketScheduleStates = "schedulestates"

	keySchema     = "schema"
	keyGeneration = "generation"
)

// migration brings a database from the schema before it to its own.
type migration func(*bolt.Tx) error

// migrations returns the steps from an empty file to the schema of this
// release, which is their number. Entries are only ever appended: a database
// in the field has run some first part of them.
func migrations() []migration {
	return []migration{
		createBuckets(
			bucketMeta, bucketFunctions, bucketPublished, bucketAliases,
			bucketRoutes, bucketSettings, bucketKV, bucketDamaged,
		),
		createBuckets(
			bucketKeys, bucketAudit, bucketPolicies, bucketURLs, bucketProvisioned, bucketAsync,
			bucketMappings, bucketLayers, bucketLayerCounts, bucketAPIs, bucketAPIDeployments, bucketAPIStages,
			bucketAPIKeys, bucketUsagePlans, bucketKeySets, bucketSchedules, bucketScheduleGroups,
			bucketQueue, bucketDeadLetters,
		),
		inOrder(
			createBuckets(bucketData, bucketDataBuckets, bucketExpiries, bucketChanges, bucketFeeds, bucketScheduleStates),
			moveKV,
			splitScheduleStates,
			addPriorities,
		),
	}
}

func createBuckets(names ...string) migration {
	return func(tx *bolt.Tx) error {
		for _, name := range names {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return fmt.Errorf("create bucket %s: %w", name, err)
			}
		}
		return nil
	}
}

func inOrder(steps ...migration) migration {
	return func(tx *bolt.Tx) error {
		for _, step := range steps {
			if err := step(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

// SchemaError says that a newer release wrote the database. Nothing in it was
// changed.
type SchemaError struct {
	Path      string
	Found     uint64 // schema of the file
	Supported uint64 // newest schema that this release reads
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("%s has schema %d, this release reads up to %d; run the newer release again, or start with another data folder",
		e.Path, e.Found, e.Supported)
}

// migrate brings the database to the last of steps, in one transaction.
func migrate(db *bolt.DB, steps []migration, faults *faults) error {
	found, err := schemaOf(db)
	if err != nil {
		return err
	}
	supported := uint64(len(steps))
	if found > supported {
		return &SchemaError{Path: db.Path(), Found: found, Supported: supported}
	}
	if found == supported {
		return nil
	}
	return db.Update(func(tx *bolt.Tx) error {
		for i := found; i < supported; i++ {
			if err := steps[i](tx); err != nil {
				return fmt.Errorf("migrate to schema %d: %w", i+1, err)
			}
		}
		if err := tx.Bucket([]byte(bucketMeta)).Put([]byte(keySchema), binary.BigEndian.AppendUint64(nil, supported)); err != nil {
			return err
		}
		return faults.at(stepMigrate)
	})
}

// schemaOf returns the schema of the database, 0 where it is empty.
func schemaOf(db *bolt.DB) (schema uint64, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		if meta := tx.Bucket([]byte(bucketMeta)); meta != nil {
			if v := meta.Get([]byte(keySchema)); len(v) == 8 {
				schema = binary.BigEndian.Uint64(v)
				return nil
			}
		}
		if k, _ := tx.Cursor().First(); k != nil {
			return fmt.Errorf("%w: it has data but no schema version", ErrDamaged)
		}
		return nil
	})
	return schema, err
}

func readGeneration(tx *bolt.Tx) uint64 {
	if v := tx.Bucket([]byte(bucketMeta)).Get([]byte(keyGeneration)); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func writeGeneration(tx *bolt.Tx, generation uint64) error {
	return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyGeneration), binary.BigEndian.AppendUint64(nil, generation))
}
