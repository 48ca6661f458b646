package persist

import (
	"strings"
)

// maxScheduleName is what AWS lets the name of a schedule have, in bytes.
const maxScheduleName = 64

// DeployedScheduleName names the schedule that a deploy makes for a function: tag, of
// at most 16 bytes, tells those of one function apart. All of them begin alike, so that
// they are found when the function goes without reading every schedule.
func DeployedScheduleName(function, tag string) string { return deployedPrefix(function) + tag }

func deployedPrefix(function string) string {
	const mark = "-cron-"
	const most = maxScheduleName - len(mark) - 16
	return function[:min(len(function), most)] + mark
}

// checkDeployed refuses a deploy's schedule that would not go with its function: one
// with another name, or of a function that is not there or is gone again.
func (c *change) checkDeployed(schedule *Schedule) error {
	if !schedule.Deployed {
		return nil
	}
	function := schedule.Target.Function
	if schedule.Group != DefaultScheduleGroup || !strings.HasPrefix(schedule.Name, deployedPrefix(function)) {
		return invalid("it is no schedule of a deploy of function %s, to judge by its name", function)
	}
	return functionExists(c.tx, function)
}

// dropDeployedSchedules removes the schedules that deploys made for a function. Those
// that were made by hand or by AWS's API stay, as they do in AWS.
func (c *change) dropDeployedSchedules(function string) error {
	prefix := memberKey(DefaultScheduleGroup, deployedPrefix(function))
	for _, key := range keysWith(c.tx.Bucket([]byte(bucketSchedules)), prefix) {
		// One that cannot be read is set aside by whoever reads it for its own sake.
		schedule, _, err := get[Schedule](c.tx, bucketSchedules, key)
		if err != nil || !schedule.Deployed || schedule.Target.Function != function {
			continue
		}
		if err := c.dropSchedule(key); err != nil {
			return err
		}
	}
	return nil
}
