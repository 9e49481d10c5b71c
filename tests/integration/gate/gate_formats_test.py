"""What the gate writes for CI systems, read as they read it; instruction counts."""

import json
import os
import re
import shutil
import subprocess
import textwrap
import unittest
import xml.etree.ElementTree

from gate_case import BINARY, GateTest, environment

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
        # Jenkins' and Maven's schemas know no `skipped` here.
        self.assertEqual(set(root.keys()), {"name", "tests", "failures", "errors", "time"})
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


class GithubActionTest(GateTest):
    """A dry run of ci/action.yml: its step as a runner would start it."""

    def setUp(self):
        super().setUp()
        with open(os.path.join(HERE, "..", "..", "..", "ci", "action.yml"), encoding="utf-8") as file:
            self.action = file.read()
        head, block = self.action.split("      run: |\n")
        self.step = textwrap.dedent(block)
        self.variables = dict(re.findall(r"^        (\w+): \$\{\{ inputs\.([\w-]+) \}\}$", head,
                                         re.MULTILINE))
        inputs = head.split("\ninputs:\n")[1].split("\noutputs:\n")[0]
        self.defaults = {name: "" for name in re.findall(r"^  ([\w-]+):$", inputs, re.MULTILINE)}
        self.defaults.update(re.findall(r'^  ([\w-]+):\n(?:    .*\n)*?    default: "?([^"\n]*)"?$',
                                        inputs, re.MULTILINE))

    def play(self, **inputs):
        given = dict(self.defaults, **{name.replace("_", "-"): v for name, v in inputs.items()})
        changes = {name: given[value] for name, value in self.variables.items()}
        output = self.path("github_output")
        open(output, "w", encoding="utf-8").close()
        done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self.step],
                              cwd=self.folder, capture_output=True, text=True, check=False,
                              env=environment(GITHUB_OUTPUT=output, GITHUB_STEP_SUMMARY="",
                                              GITHUB_ACTIONS="", **changes))
        with open(output, encoding="utf-8") as file:
            return done, file.read()

    def test_every_input_is_declared_and_used(self):
        self.assertEqual(set(self.variables.values()), set(self.defaults))
        self.assertEqual(self.defaults["budget-seconds"], "120")

    def test_exit_codes_become_verdicts(self):
        for code, verdict, strict, ends in ((0, "pass", "false", 0), (1, "fail", "false", 1),
                                            (3, "error", "false", 3),
                                            (4, "inconclusive", "false", 0),
                                            (4, "inconclusive", "true", 4)):
            judge = self.script("judge", f'printf "%s\\n" "$@" >arguments; exit {code}')
            done, output = self.play(moebench=judge, baseline="a b", candidate="new",
                                     gate_file="g.json", fail_on_inconclusive=strict)
            self.assertEqual(done.returncode, ends, done.stderr)
            self.assertEqual(output, f"verdict={verdict}\n")
        with open(self.path("arguments"), encoding="utf-8") as file:
            arguments = file.read().splitlines()
        self.assertEqual(arguments[:5], ["gate", "--baseline-bin", "a b", "--candidate-bin", "new"])
        self.assertIn("g.json", arguments)

    def test_the_real_gate_runs_in_it(self):
        quick = self.gate_file(check={"model": "canary", "tasks": "gsm8k-mini", "limit": 3},
                               timing={"model": "canary", "tasks": "gsm8k-mini", "limit": 2,
                                       "threads": 1})
        done, output = self.play(baseline=BINARY, candidate=BINARY, gate_file=quick,
                                 budget_seconds="60")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(output, ("verdict=pass\n", "verdict=inconclusive\n"))
        self.assertIn("::notice title=moebench gate::", done.stdout)
        xml.etree.ElementTree.parse(self.path("moebench-gate.xml"))
        self.assertTrue(os.path.getsize(self.path("moebench-gate.html")) > 1000)


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
