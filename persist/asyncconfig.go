package persist

import (
	"fmt"
	"time"
)

// AsyncConfig says what becomes of the events that are sent to a function, or to
// one of its versions or aliases, asynchronously
// (https://docs.aws.amazon.com/lambda/latest/api/API_FunctionEventInvokeConfig.html).
type AsyncConfig struct {
	Function      string    `json:"function"`
	Qualifier     string    `json:"qualifier"`               // Latest, a version or an alias; empty at Put means Latest
	MaxAgeSeconds int       `json:"maxAgeSeconds,omitempty"` // 60 to 21600; 0 means 21600
	MaxRetries    *int      `json:"maxRetries,omitempty"`    // after errors of the function, 0 to 2; nil means 2
	OnSuccess     string    `json:"onSuccess,omitempty"`     // ARN of the destination; empty for none
	OnFailure     string    `json:"onFailure,omitempty"`
	LastModified  time.Time `json:"lastModified"`

	// Ledge's own. Ordered has its events run one after the other. BatchSize is how many
	// of them go in one invocation, at most MaxBatchSize; 0 and 1 send each as it is.
	// A batch waits for BatchWindowSeconds to be filled, 0 to 300.
	Ordered            bool `json:"ordered,omitempty"`
	BatchSize          int  `json:"batchSize,omitempty"`
	BatchWindowSeconds int  `json:"batchWindowSeconds,omitempty"`
}

// PutAsyncConfig stores a configuration or replaces the one of that function
// and qualifier, and returns it with LastModified set. ErrNotFound says that
// there is no such function, ErrInvalid that batches cannot be so. The qualifier may
// outlive what it names.
func (s *Store) PutAsyncConfig(config AsyncConfig) (AsyncConfig, error) {
	if err := checkName("function name", config.Function); err != nil {
		return AsyncConfig{}, err
	}
	config.Qualifier = qualifierOrLatest(config.Qualifier)
	if err := checkName("qualifier", config.Qualifier); err != nil {
		return AsyncConfig{}, err
	}
	if err := config.checkBatches(); err != nil {
		return AsyncConfig{}, err
	}
	config.LastModified = milli(s.now())
	err := s.update(0, func(c *change) error {
		if err := functionExists(c.tx, config.Function); err != nil {
			return err
		}
		return c.put(bucketAsync, asyncKey(config.Function, config.Qualifier), config)
	})
	if err != nil {
		return AsyncConfig{}, fmt.Errorf("store asynchronous configuration of %s: %w", config.Function, err)
	}
	return config, nil
}

// GetAsyncConfig returns the configuration of exactly that qualifier, empty for
// Latest, or ErrNotFound.
func (s *Store) GetAsyncConfig(function, qualifier string) (AsyncConfig, error) {
	return oneRecord[AsyncConfig](s, bucketAsync, asyncKey(function, qualifier), whatAsync(function, qualifier))
}

// AsyncConfigs returns the configurations of a function in order of their
// qualifiers, or ErrNotFound where there is no such function.
func (s *Store) AsyncConfigs(function string) ([]AsyncConfig, error) {
	return configsOf[AsyncConfig](s, bucketAsync, function)
}

// DeleteAsyncConfig removes a configuration, or returns ErrNotFound.
func (s *Store) DeleteAsyncConfig(function, qualifier string) error {
	return s.update(0, func(c *change) error {
		key := asyncKey(function, qualifier)
		if c.tx.Bucket([]byte(bucketAsync)).Get(key) == nil {
			return fmt.Errorf("%s: %w", whatAsync(function, qualifier), ErrNotFound)
		}
		return c.delete(bucketAsync, key)
	})
}

func whatAsync(function, qualifier string) string {
	return "asynchronous configuration of " + function + ":" + qualifierOrLatest(qualifier)
}

// asyncKey is configKey for versions and aliases; Latest has its name in it.
func asyncKey(function, qualifier string) []byte {
	return memberKey(function, qualifierOrLatest(qualifier))
}

func qualifierOrLatest(qualifier string) string {
	if qualifier == "" {
		return Latest
	}
	return qualifier
}
