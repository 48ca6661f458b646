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
// Lambda's asynchronous invocation. An event that InvokeAsync took is on disk and
// runs at least once: a power cut while it runs means that it runs again.
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
// The order of a function's events is not kept. A function that is refused for
// want of concurrency gets fewer workers until its events go through.
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
// set, are made up for once: the latest of them, unless it is older than the
// schedule's MaximumEventAgeInSeconds, 24 hours where it has none. So nothing
// fires in bursts. A timer does not notice that the clock was set: what is due then
// may be up to an hour late. After a clock that was set back by up to three hours
// schedules wait until it has caught up. One that has run more than three hours after
// what the clock says now goes on from now, but not before the node has been up for an
// hour: until then it may be the clock of now that is wrong.
//
// # What it does not do
//
// It has no priorities, no ordering and no batches, and knows no destinations but
// functions. It does not look whether a function exists before an event is due.
// It polls nothing: an idle node sleeps.
package scheduler
