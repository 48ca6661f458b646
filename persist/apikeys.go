package persist

import "time"

// APIKey is an API key of API Gateway. Its value is stored as it is, since API
// Gateway shows it whenever it is asked for: API keys meter, they do not
// protect (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html).
type APIKey struct {
	ID          string            `json:"id"`
	Name        string            `json:"name,omitempty"`
	Description string            `json:"description,omitempty"`
	CustomerID  string            `json:"customerId,omitempty"`
	Value       string            `json:"value"`
	Enabled     bool              `json:"enabled"`
	Tags        map[string]string `json:"tags,omitempty"`
	Created     time.Time         `json:"created"`
	Updated     time.Time         `json:"updated"`
}

// UsagePlan says which keys may use which stages, and how much.
type UsagePlan struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	ProductCode string            `json:"productCode,omitempty"`
	Stages      []RootAPI         `json:"stages,omitempty"`
	Keys        []string          `json:"keys,omitempty"` // IDs
	Rate        *float64          `json:"rate,omitempty"` // requests a second; nil: no limit
	Burst       *int              `json:"burst,omitempty"`
	Quota       int               `json:"quota,omitempty"`  // requests in a Period; 0: no quota
	Period      string            `json:"period,omitempty"` // "DAY", "WEEK" or "MONTH"
	Tags        map[string]string `json:"tags,omitempty"`
}

// KeySet is the public keys of an issuer of JSON Web Tokens.
type KeySet struct {
	Issuer  string    `json:"issuer"` // the tokens' iss, a URL
	Keys    []byte    `json:"keys"`   // a JWK Set document (RFC 7517)
	Updated time.Time `json:"updated"`
}

// APIKey returns the key with that ID, or ErrNotFound.
func (s *Store) APIKey(id string) (APIKey, error) {
	return oneRecord[APIKey](s, bucketAPIKeys, []byte(id), "API key "+id)
}

// APIKeys returns all keys in order of their IDs.
func (s *Store) APIKeys() ([]APIKey, error) { return allRecords[APIKey](s, bucketAPIKeys) }

// UsagePlan returns the plan with that ID, or ErrNotFound.
func (s *Store) UsagePlan(id string) (UsagePlan, error) {
	return oneRecord[UsagePlan](s, bucketUsagePlans, []byte(id), "usage plan "+id)
}

// UsagePlans returns all plans in order of their IDs.
func (s *Store) UsagePlans() ([]UsagePlan, error) { return allRecords[UsagePlan](s, bucketUsagePlans) }

// KeySet returns the keys of an issuer, or ErrNotFound.
func (s *Store) KeySet(issuer string) (KeySet, error) {
	return oneRecord[KeySet](s, bucketKeySets, []byte(issuer), "key set of "+issuer)
}

// KeySets returns all key sets in order of their issuers.
func (s *Store) KeySets() ([]KeySet, error) { return allRecords[KeySet](s, bucketKeySets) }
