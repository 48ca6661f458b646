package persist

import (
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// FunctionURL is an HTTP address of its own of a function or of one of its
// aliases (https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html).
type FunctionURL struct {
	ID         string    `json:"id"` // the first label of its host; no two have the same
	Function   string    `json:"function"`
	Qualifier  string    `json:"qualifier,omitempty"` // an alias; empty: Latest
	AuthType   string    `json:"authType"`            // "NONE", "AWS_IAM"
	CORS       *CORS     `json:"cors,omitempty"`
	InvokeMode string    `json:"invokeMode"` // "BUFFERED"
	Created    time.Time `json:"created"`
	Modified   time.Time `json:"modified"`
}

const whatURL = "URL"

// PutFunctionURL creates a URL, or with replace changes one, which keeps its ID
// and its time of creation. A zero Modified means now. It returns what it stored.
// ErrExists where there is one and replace is false, ErrNotFound where there is none
// and it is true, or no such function or alias.
func (s *Store) PutFunctionURL(u FunctionURL, replace bool) (FunctionURL, error) {
	if u.Qualifier == Latest {
		u.Qualifier = ""
	}
	if u.Modified.IsZero() {
		u.Modified = milli(s.now())
	}
	var stored FunctionURL
	err := s.update(0, func(c *change) error {
		if err := qualifierExists(c.tx, u.Function, u.Qualifier); err != nil {
			return err
		}
		old, exists, err := get[FunctionURL](c.tx, bucketURLs, configKey(u.Function, u.Qualifier))
		switch {
		case err != nil:
			return err
		case exists && !replace:
			return ErrExists
		case !exists && replace:
			return ErrNotFound
		}
		next := u
		next.Created = u.Modified
		if exists {
			next.ID, next.Created = old.ID, old.Created
		}
		if err := checkName("ID", next.ID); err != nil {
			return err
		}
		if err := c.put(bucketURLs, configKey(u.Function, u.Qualifier), next); err != nil {
			return err
		}
		stored = next
		return nil
	})
	if err != nil {
		return FunctionURL{}, fmt.Errorf("store URL of function %s: %w", u.Function, err)
	}
	return stored, nil
}

// GetFunctionURL returns the URL of a function or of one of its aliases, or
// ErrNotFound.
func (s *Store) GetFunctionURL(function, qualifier string) (u FunctionURL, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		u, err = config[FunctionURL](tx, bucketURLs, whatURL, function, qualifier)
		return err
	})
	return u, err
}

// FunctionURLsOf returns the URLs of a function in order of their qualifiers.
// ErrNotFound where there is no such function.
func (s *Store) FunctionURLsOf(function string) ([]FunctionURL, error) {
	return configsOf[FunctionURL](s, bucketURLs, function)
}

// FunctionURLs returns the URLs of all functions.
func (s *Store) FunctionURLs() ([]FunctionURL, error) { return allRecords[FunctionURL](s, bucketURLs) }

// DeleteFunctionURL removes one, or returns ErrNotFound.
func (s *Store) DeleteFunctionURL(function, qualifier string) error {
	return deleteConfig(s, bucketURLs, whatURL, function, qualifier)
}
