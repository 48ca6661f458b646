"""EventBridge Scheduler and STS with boto3
(https://docs.aws.amazon.com/scheduler/latest/APIReference/)."""

import unittest
from datetime import datetime, timezone

import node


class Schedules(node.Case):
    @classmethod
    def setUpClass(cls):
        cls.client = node.client("scheduler")
        cls.functions = node.client("lambda")
        arn = node.create(cls.functions, "tick")
        cls.addClassCleanup(cls.functions.delete_function, FunctionName="tick")
        cls.target = {"Arn": arn, "RoleArn": node.ROLE, "Input": '{"from": "schedule"}'}

    def schedule(self, name, expression="rate(5 minutes)", **settings):
        made = self.client.create_schedule(Name=name, ScheduleExpression=expression, FlexibleTimeWindow={"Mode": "OFF"},
                                           Target=self.target, **settings)
        self.addCleanup(self.client.delete_schedule, Name=name, **({"GroupName": settings["GroupName"]} if "GroupName" in settings else {}))
        return made["ScheduleArn"]

    def test_life(self):
        arn = self.schedule("life", "cron(0 8 ? * MON-FRI *)", ScheduleExpressionTimezone="Europe/Berlin", Description="d")
        self.assertTrue(arn.endswith(":schedule/default/life"), arn)
        got = self.client.get_schedule(Name="life")
        self.assertEqual((got["ScheduleExpression"], got["ScheduleExpressionTimezone"], got["State"], got["GroupName"]),
                         ("cron(0 8 ? * MON-FRI *)", "Europe/Berlin", "ENABLED", "default"))
        self.assertEqual(got["Target"]["Input"], '{"from": "schedule"}')
        self.assertEqual(got["Target"]["RetryPolicy"], {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185})
        self.assertIsInstance(got["CreationDate"], datetime)
        self.assertRefused("ConflictException", self.client.create_schedule, Name="life", ScheduleExpression="rate(1 hour)",
                           FlexibleTimeWindow={"Mode": "OFF"}, Target=self.target)
        # UpdateSchedule replaces all of it: what is not given goes back to its default.
        self.client.update_schedule(Name="life", ScheduleExpression="rate(1 hour)", State="DISABLED",
                                    FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}, Target=self.target)
        got = self.client.get_schedule(Name="life")
        self.assertEqual((got["ScheduleExpression"], got["State"], got.get("Description")), ("rate(1 hour)", "DISABLED", None))
        self.assertEqual(got["FlexibleTimeWindow"], {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15})

    def test_one_time_with_end(self):
        self.schedule("once", "at(2090-01-01T00:00:00)", EndDate=datetime(2091, 1, 1, tzinfo=timezone.utc))
        self.assertEqual(self.client.get_schedule(Name="once")["EndDate"], datetime(2091, 1, 1, tzinfo=timezone.utc))

    def test_groups_and_pages(self):
        self.client.create_schedule_group(Name="night", Tags=[{"Key": "team", "Value": "edge"}])
        self.addCleanup(self.client.delete_schedule_group, Name="night")
        self.assertRefused("ConflictException", self.client.create_schedule_group, Name="night")
        for i in range(5):
            self.schedule(f"page-{i}", GroupName="night")
        pages = list(self.client.get_paginator("list_schedules").paginate(GroupName="night", PaginationConfig={"PageSize": 2}))
        self.assertEqual([s["Name"] for p in pages for s in p["Schedules"]], [f"page-{i}" for i in range(5)])
        self.assertEqual(len(pages), 3)
        self.assertEqual(self.client.list_schedules(GroupName="night", NamePrefix="page-3")["Schedules"][0]["Target"]["Arn"], self.target["Arn"])
        groups = [g["Name"] for p in self.client.get_paginator("list_schedule_groups").paginate() for g in p["ScheduleGroups"]]
        self.assertEqual(groups, ["default", "night"])
        arn = self.client.get_schedule_group(Name="night")["Arn"]
        self.assertEqual(self.client.list_tags_for_resource(ResourceArn=arn)["Tags"], [{"Key": "team", "Value": "edge"}])

    def test_refused(self):
        self.assertRefused("ResourceNotFoundException", self.client.get_schedule, Name="nobody")
        self.assertRefused("ResourceNotFoundException", self.client.delete_schedule, Name="nobody")
        self.assertRefused("ResourceNotFoundException", self.client.create_schedule, Name="x", GroupName="nobody",
                           ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"}, Target=self.target)
        for expression in "every day", "rate(0 minutes)", "rate(1 fortnight)", "cron(* * * * *)", "cron(61 * * * ? *)", "at(tomorrow)":
            with self.subTest(expression):
                self.assertRefused("ValidationException", self.client.create_schedule, Name="x", ScheduleExpression=expression,
                                   FlexibleTimeWindow={"Mode": "OFF"}, Target=self.target)
        self.assertRefused("ValidationException", self.client.create_schedule, Name="x", ScheduleExpression="rate(1 hour)",
                           ScheduleExpressionTimezone="Mars/Olympus", FlexibleTimeWindow={"Mode": "OFF"}, Target=self.target)
        self.assertRefused("ValidationException", self.client.delete_schedule_group, Name="default")


class Identity(unittest.TestCase):
    def test_who_am_i(self):
        me = node.client("sts").get_caller_identity()
        self.assertRegex(me["Arn"], r"^arn:aws:iam::\d{12}:user/")
        self.assertEqual(len(me["Account"]), 12)


if __name__ == "__main__":
    unittest.main()
