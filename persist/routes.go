package persist

import (
	"fmt"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// PutRoute stores a route. Its function must exist, or it returns ErrNotFound.
// Where a route has the same key, whosoever it is, replace decides between
// replacing it and ErrExists.
func (s *Store) PutRoute(r Route, replace bool) error {
	if err := checkRoute(r); err != nil {
		return err
	}
	err := s.update(0, func(c *change) error {
		if err := functionExists(c.tx, r.Function); err != nil {
			return err
		}
		if !replace {
			other, taken, err := get[Route](c.tx, bucketRoutes, []byte(r.Key()))
			if err != nil {
				return err
			}
			if taken {
				return fmt.Errorf("it leads to function %s: %w", other.Function, ErrExists)
			}
		}
		return c.put(bucketRoutes, []byte(r.Key()), r)
	})
	if err != nil {
		return fmt.Errorf("store route %q: %w", r.Key(), err)
	}
	return nil
}

// checkRoute makes sure that Key tells routes apart.
func checkRoute(r Route) error {
	if err := checkText("route path", r.Path, maxPathBytes); err != nil {
		return err
	}
	if r.Method == "" {
		if strings.Contains(r.Path, " ") {
			return invalid("the route path %q has a space and the route no method", r.Path)
		}
		return nil
	}
	if err := checkName("route method", r.Method); err != nil {
		return err
	}
	if strings.Contains(r.Method, " ") {
		return invalid("the route method %q has a space", r.Method)
	}
	return nil
}

// DeleteRoute removes the route with that Key, or returns ErrNotFound.
func (s *Store) DeleteRoute(key string) error {
	return s.update(0, func(c *change) error {
		if key == "" || c.tx.Bucket([]byte(bucketRoutes)).Get([]byte(key)) == nil {
			return fmt.Errorf("route %q: %w", key, ErrNotFound)
		}
		return c.delete(bucketRoutes, []byte(key))
	})
}

// Routes returns all routes in order of their keys.
func (s *Store) Routes() ([]Route, error) { return allRecords[Route](s, bucketRoutes) }

// FunctionRoutes returns the routes of one function in order of their keys. It
// looks through all of them: a node has at most some thousands.
func (s *Store) FunctionRoutes(function string) ([]Route, error) {
	var routes []Route
	err := s.view(func(tx *bolt.Tx) error {
		if err := functionExists(tx, function); err != nil {
			return err
		}
		var err error
		routes, err = routesOf(tx, function)
		return err
	})
	return routes, err
}

func routesOf(tx *bolt.Tx, function string) ([]Route, error) {
	routes, err := all[Route](tx, bucketRoutes)
	if err != nil {
		return nil, err
	}
	var own []Route
	for _, r := range routes {
		if r.Function == function {
			own = append(own, r)
		}
	}
	return own, nil
}
