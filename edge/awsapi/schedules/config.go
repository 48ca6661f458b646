package schedules

import (
	"time"

	"ledge/engine"
	"ledge/persist"
)

const accountID = engine.AccountID

// Store is the part of persist.Store that schedules are kept in.
type Store interface {
	CreateSchedule(persist.Schedule) (persist.Schedule, error)
	UpdateSchedule(persist.Schedule) (persist.Schedule, error)
	GetSchedule(group, name string) (persist.Schedule, error)
	SetScheduleState(group, name, state string) (persist.Schedule, error)
	GetScheduleStatus(group, name string) (persist.ScheduleStatus, error)
	ScheduleStatuses(persist.ScheduleQuery) (persist.SchedulePage, error)
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

// Runner runs schedules: scheduler.Schedules.
type Runner interface {
	// Changed is told of each schedule that was created, updated or deleted. Those
	// that go with their group are left out.
	Changed(group, name string)
	// Next returns when a schedule is due next, zero for never.
	Next(persist.ScheduleStatus) time.Time
	// RunNow queues an event of a schedule besides its times and returns the request
	// id. Its errors are those of persist.Store.RunSchedule.
	RunNow(group, name string) (id string, err error)
}

// Config is what the service works with. All but Region is required.
type Config struct {
	Store       Store
	Expressions Expressions
	Runner      Runner
	// Region stands in ARNs; empty means engine.DefaultRegion.
	Region string
}

// service answers the operations. It has no state of its own.
type service struct{ Config }

func newService(cfg Config) *service {
	if cfg.Region == "" {
		cfg.Region = engine.DefaultRegion
	}
	return &service{cfg}
}

func (s *service) scheduleARN(group, name string) string {
	return "arn:aws:scheduler:" + s.Region + ":" + accountID + ":schedule/" + group + "/" + name
}

func (s *service) groupARN(name string) string {
	return "arn:aws:scheduler:" + s.Region + ":" + accountID + ":schedule-group/" + name
}
