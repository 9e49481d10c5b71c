"""What the gate writes for CI systems, read as they read it; instruction counts."""

import json
import os
import re
import shutil
import unittest
import xml.etree.ElementTree

from gate_case import GateTest

HERE = os.path.dirname(os.path.abspath(__file__))


class CiFormatsTest(GateTest):
    def setUp(self):
        super().setUp()
        self.run_canary("a")
        self.run_canary("b")

        def slower(record):
            record["segments"][0]["cpu_seconds"] *= 8
        self.edit_record("b", slower)

    def test_junit_is_what_its_schema_says(self):
        result = self.gate("--baseline", "a", "--candidate", "b", "--junit", "j.xml")
        self.assert_exit(result, 1)
        root = xml.etree.ElementTree.parse(self.path("j.xml")).getroot()
        self.assertEqual(root.tag, "testsuites")
        suite = root.find("testsuite")
        cases = suite.findall("testcase")
        self.assertEqual(int(suite.get("tests")), len(cases))
        self.assertEqual(int(suite.get("failures")), len(suite.findall("testcase/failure")))
        self.assertEqual(int(suite.get("skipped")), len(suite.findall("testcase/skipped")))
        self.assertEqual(suite.get("errors"), "0")
        float(suite.get("time"))
        names = {case.get("name") for case in cases}
        self.assertTrue({"output_hashes", "accuracy", "cpu_ms_per_token"} <= names, names)
        for case in cases:
            self.assertTrue(case.get("classname").startswith("moebench.gate."))
            self.assertLessEqual(len(case), 1)
        failed = suite.find("testcase[@name='cpu_ms_per_token']/failure")
        self.assertIn("worse", failed.get("message"))

    def test_github_gets_annotations_and_a_summary(self):
        summary = self.path("summary.md")
        with open(summary, "w", encoding="utf-8") as file:
            file.write("before\n")
        result = self.gate("--baseline", "a", "--candidate", "b",
                           env={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary})
        self.assert_exit(result, 1)
        commands = [line for line in result.stdout.splitlines() if line.startswith("::")]
        for line in commands:
            self.assertRegex(line, r"^::(error|warning|notice) title=[^:,]+::.+$")
        self.assertTrue(any(line.startswith("::error title=moebench gate%3A cpu_ms_per_token::")
                            for line in commands), commands)
        with open(summary, encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text.startswith("before\n"))
        self.assertIn("| cpu\\_ms\\_per\\_token |", text)

    def test_every_report_format_is_whole(self):
        for name in ("g.json", "g.html", "g.md", "g.csv"):
            self.gate("--baseline", "a", "--candidate", "b", "-o", name)
            with open(self.path(name), encoding="utf-8") as file:
                self.assertIn("cpu_ms_per_token", file.read().replace("\\", ""))
        with open(self.path("g.json"), encoding="utf-8") as file:
            json.load(file)

    def test_a_report_that_cannot_be_written_is_an_error_and_leaves_nothing(self):
        result = self.gate("--baseline", "a", "--candidate", "b", "--junit", "no/such/j.xml")
        self.assertEqual(result.returncode, 3)
        self.assertFalse(os.path.exists(self.path("no")))


@unittest.skipUnless(shutil.which("valgrind"), "needs valgrind")
class InstructionsTest(GateTest):
    def count(self, baseline, candidate, *arguments):
        return self.gate("--instructions", "--baseline-bin", baseline, "--candidate-bin", candidate,
                         "-o", "g.json", "--", *arguments)

    def test_the_same_program_has_the_same_count(self):
        self.assert_exit(self.count("/bin/true", "/bin/true"), 0)
        with open(self.path("g.json"), encoding="utf-8") as file:
            self.assertTrue(re.search(r'"instructions"', file.read()))

    def test_more_instructions_fail(self):
        self.assert_exit(self.count("/bin/true", "/bin/ls", "/"), 1)

    def test_a_program_that_fails_is_told(self):
        self.assert_refused(self.count("/bin/true", "/bin/false"), "candidate", "exit code 1")


if __name__ == "__main__":
    unittest.main()
