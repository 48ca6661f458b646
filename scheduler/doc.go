// Package scheduler says when things happen: the node's own chores, events that
// functions get later, and schedules.
//
// # Chores
//
// RunChores runs what the node does for itself, by cron expressions.
//
// # The queue
//
// Queue runs functions on events that nobody waits for, with the rules of AWS
// Lambda's asynchronous invocation. An event that Submit took is on disk and
// runs at least once: a power cut while it runs means that it runs again, and so
// does a worker that has not ended within persist.LeaseTime.
//
//   - After an error of the function it is tried again after one and after two
//     minutes, then given up (AsyncConfig.MaxRetries).
//   - Where the function could not run, because its concurrency or the node's
//     memory was used up, or the node failed, it is tried again after 1 s, then
//     less and less often down to every 5 minutes, until it is 6 hours old
//     (AsyncConfig.MaxAgeSeconds). All events of that function wait meanwhile.
//   - What was given up goes to the on-failure destination, another function, in
//     the transaction in which it leaves the queue, or without one to the node's
//     dead letters. So does at once what is for a function or version that is not
//     there, and what was being run at six ends of the node.
//   - A function that succeeded has its reply sent to the on-success destination.
//
// Functions take turns, one event each, and none has more than half of the
// workers; so one that hangs, or has a long backlog, holds up itself. Two that
// hang at the same time can hold up the others until their timeouts end them.
// A function that is refused for want of concurrency gets fewer workers until its
// events go through.
//
// What its sender says of an event (persist.Job):
//
//   - OrderKey: the events of a function that have the same one run one after the
//     other, as they came. The next begins when the one before has succeeded, was
//     given up or was removed; one that is tried again, or is to run later, holds
//     up those behind it and nobody else. A function may have all of its events in
//     one line (AsyncConfig.Ordered). Others keep no order, nor do the records that
//     destinations get, unless their function is so.
//   - DedupID: a second event for the function with the same one within five
//     minutes is not stored; its sender gets the ID of the first.
//   - Priority: of a function's events that are due the highest run first, and the
//     lowest only when there are no others. It is no matter between functions, nor
//     within a line.
//   - Due: it runs no sooner.
//
// A function may have its events in batches (AsyncConfig.BatchSize), in the form in which
// AWS Lambda gets them from SQS. A batch has up to so many events, of at most 6 MB, of one
// version or alias, and one of each OrderKey, since only the first of a line may run. It
// waits until it is full, or its oldest event has been due for the window
// (AsyncConfig.BatchWindowSeconds). It counts as one worker, and its events are settled in
// one transaction, each by its own rules. A function may say which of them failed
// (batchItemFailures). What failed, or was interrupted, is tried again alone: an event that
// spoils each batch it is in spoils one. A power cut has all of them run again.
//
// The queue is bounded (persist.QueueLimits). Where it is full an event is refused,
// or takes the place of the oldest of those that wait and matter no more than it.
//
// When the node stops, functions that run have the drain timeout to end; then they
// are stopped and their events handed back, to run when the node starts again.
// That is no failure of theirs. Run takes events up as it can run them, so a long
// queue does not hold up the start.
//
// Times are the clock's, which a device without a battery for it may have wrong
// after a start: an event from before the clock was set seems old when it is. One
// that is due further ahead than any can be was queued by a clock that was wrong,
// and runs at once.
//
// # Schedules
//
// Schedules queues an event at each time that a schedule names, in the language
// of Amazon EventBridge Scheduler (Expression). The event and the note that the
// schedule was acted on are one transaction: a crash neither loses nor doubles it.
// A flexible time window delays the event by chance, within the window.
//
// Times that pass while the node is off, or are jumped over when its clock is
// set, are missed, unless that was within the last minute. Of them the latest runs,
// none, or so many of the latest (persist.Schedule.Missed), but none that is older than
// the schedule's MaximumEventAgeInSeconds, 24 hours where it has none. The others are
// counted. A time at which the run before has not ended is left out where the schedule
// says so (persist.Schedule.Overlap).
//
// At the start schedules wait for a clock that is plainly wrong, for a while
// (SchedulesConfig.ClockWait). Later it is noticed at once that the clock was set, but on
// a machine that cannot tell (Clock.Watch): there what is due then may be up to an hour
// late. After a clock that was set back by up to three hours schedules wait until it
// has caught up. One that has run more than three hours after what the clock says now
// goes on from now, but not before something keeps the clock right or the node has been
// up for an hour: until then it may be the clock of now that is wrong.
//
// # What it does not do
//
// There are no destinations but functions. Whether a version or an alias exists is
// looked up when an event is due. It polls nothing but a clock that it waits for at the
// start: an idle node sleeps.
package scheduler
