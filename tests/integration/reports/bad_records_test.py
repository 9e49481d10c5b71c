"""Records and claims that are broken or don't fit, through the program: each a clear error that
names the place, or a stated verdict; never a figure."""

import json
import os
import shutil
import unittest

import program


class BadRecordsTest(program.ProgramTest):

    def setUp(self):
        super().setUp()
        self.make("run", "gsm8k-mini")

    def make(self, name, tasks):
        result = self.run_program("run", "--model", "null", "--tasks", tasks, "--limit", "4", "-o",
                                  self.path(name))
        self.assert_exit(result, 0)

    def change_record(self, change):
        record = self.record("run")
        change(record)
        with open(self.path("run", "run.json"), "w", encoding="utf-8") as file:
            json.dump(record, file)

    def test_a_record_of_a_newer_schema(self):
        self.change_record(lambda record: record.update(schema_version=99))
        for command in (["report", self.path("run")], ["compare", self.path("run"), self.path("run")],
                        ["claims", "deepseek-r2", self.path("run")]):
            self.assert_refused(self.run_program(*command), "run.json", "schema 99", "up to schema 1")

    def test_a_truncated_samples_file_drops_the_broken_line_and_says_so(self):
        path = self.path("run", "samples.jsonl")
        os.truncate(path, os.path.getsize(path) - 20)
        result = self.run_program("report", self.path("run"), "--format", "md")
        self.assert_exit(result, 0)
        self.assertIn("samples.jsonl", result.stdout)
        self.assertIn("3 of 4 attempts", " ".join(result.stdout.split()))

    def test_a_broken_line_inside_the_samples(self):
        path = self.path("run", "samples.jsonl")
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
        lines[1] = lines[1][:40] + "\n"
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(lines)
        self.assert_refused(self.run_program("report", self.path("run")), "samples.jsonl", "2")

    def test_a_run_with_no_samples(self):
        os.truncate(self.path("run", "samples.jsonl"), 0)
        result = self.run_program("report", self.path("run"), "--format", "md")
        self.assert_exit(result, 0)
        self.assertIn("holds no samples", result.stdout)
        self.assertNotIn("nan", result.stdout.lower())
        shutil.copytree(self.path("run"), self.path("empty"))
        self.assert_refused(self.run_program("compare", self.path("run"), self.path("empty")),
                            "holds no samples")

    def test_two_runs_of_different_tasks(self):
        self.make("other", "math-mini")
        self.assert_refused(self.run_program("compare", self.path("run"), self.path("other")),
                            "no task in common")

    def test_two_runs_of_different_sampling_unless_told(self):
        self.assert_exit(self.run_program("run", "--model", "null", "--tasks", "gsm8k-mini",
                                          "--limit", "4", "--temperature", "0.7", "-o",
                                          self.path("warm")), 0)
        self.assert_refused(self.run_program("compare", self.path("run"), self.path("warm")),
                            "temperature", "--allow-mismatch")
        told = self.run_program("compare", self.path("run"), self.path("warm"), "--allow-mismatch")
        self.assert_exit(told, 0)
        self.assertIn("temperature", told.stdout)

    def test_a_claim_about_an_unknown_metric_is_not_testable(self):
        claim = {"schema": 1, "title": "t", "claims": [{
            "id": "c", "statement": "It feels better.", "source": "s", "as_of": "2026",
            "tests": [{"metric": "vibes", "relation": "at-most", "subject": "null",
                       "reference": "x", "limit": 1}]}]}
        with open(self.path("claims.json"), "w", encoding="utf-8") as file:
            json.dump(claim, file)
        result = self.run_program("claims", self.path("claims.json"), self.path("run"))
        self.assert_exit(result, 4)
        self.assertIn("not testable", result.stdout)
        self.assertIn("vibes", result.stdout)

    def test_claims_that_are_no_claims(self):
        with open(self.path("claims.json"), "w", encoding="utf-8") as file:
            file.write('{"schema": 1, "title": "t", "claims": [{"id": "x"}]}')
        self.assert_refused(self.run_program("claims", self.path("claims.json")), "claims.json",
                            "statement")

    def test_a_load_test_is_no_evaluation(self):
        result = self.run_program("bench", "--model", "null", "--load", "concurrency:2",
                                  "--requests", "4", "--record", self.path("load"))
        self.assert_exit(result, 0)
        self.assert_refused(
            self.run_program("compare", self.path("run"), self.path("load", "concurrency-2")),
            "load test")


if __name__ == "__main__":
    unittest.main()
