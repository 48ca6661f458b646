// Package schedules is Amazon EventBridge Scheduler's API
// (https://docs.aws.amazon.com/scheduler/latest/APIReference/): schedules, the
// groups that they are in, and the tags of groups. It keeps schedules; the
// scheduler runs them.
//
// It promises Scheduler's paths, JSON shapes, bounds and errors. Where it
// differs, on purpose:
//   - A target is a function of this node, by an ARN of any region and account.
//     Other targets are refused with NotImplementedException, universal targets
//     and the parameters of other services too.
//   - DeadLetterConfig takes the ARN of a function, which gets AWS Lambda's
//     invocation record of the event; there are no queues. Without one the node
//     keeps the event as a dead letter.
//   - RetryPolicy narrows what the function's own configuration says of
//     asynchronous invocations, and never widens it: on AWS it is about reaching
//     Lambda, which cannot fail here.
//   - RoleArn may be missing; it is kept and shown and not used, as KmsKeyArn is.
//   - Dates in the past are taken: a schedule without times left never runs.
//   - ClientToken makes a repeated CreateSchedule or CreateScheduleGroup succeed;
//     the other operations may be repeated anyway and ignore it.
//   - ScheduleExpression takes cron expressions of five or six fields, @daily and the
//     like, and @every too, and refuses dates that never come.
//   - The member Ledge of CreateSchedule, UpdateSchedule and GetSchedule has what AWS
//     has not: Missed and MissedMax for times that passed while the node was off,
//     Overlap, and JitterSeconds. AWS's clients neither send nor see it, and an update
//     without it keeps what there is.
//   - The group "default" has no dates. A group is deleted at once, with its
//     schedules.
//
// Under /v1/schedules it tells when schedules run next and what became of their last
// runs, pauses and resumes them, and runs them now.
//
// It does not look whether the function of a target exists, as AWS does not.
package schedules
