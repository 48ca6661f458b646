package persist

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// PutAlias creates an alias or replaces it and returns what it stored.
// expectRevision is as for PutFunction. The function and every version that the
// alias names must exist, or it returns ErrNotFound; a name that could be a
// version and a weight outside 0 to 1 are ErrInvalid.
func (s *Store) PutAlias(a Alias, expectRevision string) (Alias, error) {
	if err := checkAlias(a); err != nil {
		return Alias{}, err
	}
	var stored Alias
	err := s.update(0, func(c *change) error {
		if err := functionExists(c.tx, a.Function); err != nil {
			return err
		}
		old, exists, err := get[Alias](c.tx, bucketAliases, memberKey(a.Function, a.Name))
		if err != nil {
			return err
		}
		if err := checkRevision("alias "+a.Name, exists, old.RevisionID, expectRevision); err != nil {
			return err
		}
		if err := versionExists(c.tx, a.Function, a.Version); err != nil {
			return err
		}
		for version := range a.Weights {
			if err := versionExists(c.tx, a.Function, version); err != nil {
				return err
			}
		}
		next := a
		next.RevisionID = newRevision()
		if err := c.put(bucketAliases, memberKey(a.Function, a.Name), next); err != nil {
			return err
		}
		stored = next
		return nil
	})
	if err != nil {
		return Alias{}, fmt.Errorf("store alias %s of function %s: %w", a.Name, a.Function, err)
	}
	return stored, nil
}

func checkAlias(a Alias) error {
	if err := checkName("alias name", a.Name); err != nil {
		return err
	}
	if _, isVersion := versionNumber(a.Name); isVersion {
		return invalid("alias %q would hide a version; use a name with a letter", a.Name)
	}
	sum := 0.0
	for version, weight := range a.Weights {
		if !(weight >= 0 && weight <= 1) { // NaN too
			return invalid("weight %v of version %s is not within 0 and 1", weight, version)
		}
		sum += weight
	}
	if sum > 1 {
		return invalid("the weights of alias %s add up to more than 1", a.Name)
	}
	return nil
}

func versionExists(tx *bolt.Tx, function, version string) error {
	number, isVersion := versionNumber(version)
	if version == "" || !isVersion {
		return invalid("%q is not a version", version)
	}
	if tx.Bucket([]byte(bucketFunctions)).Get(versionKey(function, number)) == nil {
		return fmt.Errorf("version %s: %w", version, ErrNotFound)
	}
	return nil
}

// GetAlias returns an alias, or ErrNotFound which says whether the alias or
// the function is missing.
func (s *Store) GetAlias(function, name string) (Alias, error) {
	var a Alias
	err := s.view(func(tx *bolt.Tx) error {
		var err error
		a, err = aliasOf(tx, function, name)
		return err
	})
	return a, err
}

func aliasOf(tx *bolt.Tx, function, name string) (Alias, error) {
	a, found, err := get[Alias](tx, bucketAliases, memberKey(function, name))
	if err != nil || found {
		return a, err
	}
	if err := functionExists(tx, function); err != nil {
		return Alias{}, err
	}
	return Alias{}, fmt.Errorf("alias %s of function %s: %w", name, function, ErrNotFound)
}

// Aliases returns the aliases of a function in order of their names, or
// ErrNotFound where there is no such function.
func (s *Store) Aliases(function string) ([]Alias, error) {
	return configsOf[Alias](s, bucketAliases, function)
}

// DeleteAlias removes an alias with what is configured for it: permissions, its
// URL, provisioned and asynchronous settings. Routes that name it stay, and lead nowhere
// until there is such an alias again.
func (s *Store) DeleteAlias(function, name string) error {
	return s.update(0, func(c *change) error {
		if _, err := aliasOf(c.tx, function, name); err != nil {
			return err
		}
		if err := c.delete(bucketAliases, memberKey(function, name)); err != nil {
			return err
		}
		return c.dropQualifier(function, name)
	})
}
