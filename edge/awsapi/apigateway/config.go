package apigateway

import (
	"context"
	"net"
	"time"

	"ledge/engine"
	"ledge/persist"
)

const accountID = engine.AccountID

// Store is the part of persist.Store that is read. Changes go through a Changer.
type Store interface {
	API(id string) (persist.API, error)
	APIs() ([]persist.API, error)
	APIDeployment(api, id string) (persist.APIDeployment, error)
	APIDeployments(api string) ([]persist.APIDeployment, error)
	APIStage(api, name string) (persist.APIStage, error)
	APIStages(api string) ([]persist.APIStage, error)
	APIKey(id string) (persist.APIKey, error)
	APIKeys() ([]persist.APIKey, error)
	UsagePlan(id string) (persist.UsagePlan, error)
	UsagePlans() ([]persist.UsagePlan, error)
	KeySet(issuer string) (persist.KeySet, error)
	KeySets() ([]persist.KeySet, error)
	RootAPI() (persist.RootAPI, error)
	FunctionURLs() ([]persist.FunctionURL, error)
}

// Changer makes changes: edge.Reconciler.
type Changer interface {
	ChangeAPIs(ctx context.Context, edit func(*persist.APIChange) error) error
}

var _ Store = (*persist.Store)(nil)

// Config is what the service works with. Changer and Store are required.
type Config struct {
	Changer Changer
	Store   Store
	// Region stands in ARNs; empty means engine.DefaultRegion.
	Region string
	// Public is the gateway as clients reach it, host:port; empty means
	// localhost:8080. Where the host is an IP address or empty, localhost stands in
	// names, since an address cannot have a label before it.
	Public string
	// Now is the clock for dates of creation; nil means time.Now.
	Now func() time.Time
}

// service answers the operations. It has no state of its own.
type service struct {
	Config
	host string // public host:port that takes a label before it
}

func newService(cfg Config) *service {
	if cfg.Region == "" {
		cfg.Region = engine.DefaultRegion
	}
	if cfg.Public == "" {
		cfg.Public = "localhost:8080"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &service{Config: cfg, host: cfg.Public}
	host, port, err := net.SplitHostPort(cfg.Public)
	if err == nil && (host == "" || net.ParseIP(host) != nil) {
		s.host = net.JoinHostPort("localhost", port)
	}
	return s
}

// endpoint is where an API answers, without a slash at its end.
func (s *service) endpoint(api string) string { return "http://" + api + ".execute-api." + s.host }

// plainEndpoint is the same for clients that resolve no such names.
func (s *service) plainEndpoint(api string) string {
	return "http://" + s.host + "/_aws/execute-api/" + api
}

// now is the time in whole seconds, as API Gateway shows it.
func (s *service) now() time.Time { return s.Now().UTC().Truncate(time.Second) }
