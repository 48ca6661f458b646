package schedules

import (
	"ledge/engine"
	"ledge/persist"
)

const accountID = engine.AccountID

// Store is the part of persist.Store that schedules are kept in.
type Store interface {
	CreateSchedule(persist.Schedule) (persist.Schedule, error)
	UpdateSchedule(persist.Schedule) (persist.Schedule, error)
	GetSchedule(group, name string) (persist.Schedule, error)
	DeleteSchedule(group, name string) error
	Schedules(persist.ScheduleQuery) (schedules []persist.Schedule, more bool, err error)
	CreateScheduleGroup(persist.ScheduleGroup) (persist.ScheduleGroup, error)
	GetScheduleGroup(name string) (persist.ScheduleGroup, error)
	DeleteScheduleGroup(name string) error
	ScheduleGroups(prefix, after string, limit int) (groups []persist.ScheduleGroup, more bool, err error)
	TagScheduleGroup(name string, set map[string]string, remove []string) error
}

var _ Store = (*persist.Store)(nil)

// Expressions judges schedule expressions: scheduler.Expressions.
type Expressions interface {
	// Check returns what is wrong with an expression, or with the name of a time
	// zone, which is empty for UTC: a sentence without a full stop.
	Check(expression, timezone string) error
}

// Config is what the service works with. Store and Expressions are required.
type Config struct {
	Store       Store
	Expressions Expressions
	// Changed is told of each schedule that was created, updated or deleted:
	// scheduler.Schedules.Changed. Those that go with their group are left out.
	// Nil where nobody runs them.
	Changed func(group, name string)
	// Region stands in ARNs; empty means engine.DefaultRegion.
	Region string
}

// service answers the operations. It has no state of its own.
type service struct{ Config }

func newService(cfg Config) *service {
	if cfg.Region == "" {
		cfg.Region = engine.DefaultRegion
	}
	if cfg.Changed == nil {
		cfg.Changed = func(string, string) {}
	}
	return &service{cfg}
}

func (s *service) scheduleARN(group, name string) string {
	return "arn:aws:scheduler:" + s.Region + ":" + accountID + ":schedule/" + group + "/" + name
}

func (s *service) groupARN(name string) string {
	return "arn:aws:scheduler:" + s.Region + ":" + accountID + ":schedule-group/" + name
}
