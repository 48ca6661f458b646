// Package scheduler says when things happen. So far these are the node's own
// chores, which run by cron expressions; schedules, queues and triggers of
// functions will run here too.
package scheduler
