"""moebench run: the record, resume after a kill, interruption, a full disk."""

import json
import os
import random
import resource
import signal
import time
import unittest

from program import BINARY, ProgramTest, environment

NULL = ("run", "--model", "null", "--tasks", "gsm8k-mini,math-mini")
SLOW = ("run", "--model", "null:10", "--tasks", "gsm8k-mini", "--limit", "60", "--batch-size", "4")
CANARY = ("run", "--model", "canary", "--tasks", "gsm8k-mini,math-mini", "--limit", "4",
          "--max-tokens", "96")


class RunTest(ProgramTest):
    def wait_for_samples(self, count, *names):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with open(self.path(*names, "samples.jsonl"), encoding="utf-8") as file:
                    if sum(line.endswith("\n") for line in file) >= count:
                        return
            except FileNotFoundError:
                pass
            time.sleep(0.005)
        self.fail(f"no {count} samples within a minute")

    def test_the_folder_holds_the_record_and_the_reports(self):
        result = self.run_program(*NULL, "-o", "a", "--usd-per-hour", "0.5", "--step-log")
        self.assert_exit(result, 0)
        self.assertIn("gsm8k-mini", result.stdout)
        for name in ("run.json", "samples.jsonl", "report.md", "report.html"):
            self.assertTrue(os.path.getsize(self.path("a", name)) > 0, name)
        self.assertEqual([n for n in os.listdir(self.path("a")) if n.endswith((".new", ".tmp"))], [])
        record = self.record("a")
        self.assertEqual(record["status"], "complete")
        self.assertEqual(record["run_id"], "a")
        self.assertEqual(record["requested"]["tasks"], "gsm8k-mini,math-mini")
        self.assertEqual(record["price"]["usd_per_hour"], 0.5)
        samples = self.samples("a")
        self.assertEqual(len(samples), 400)
        self.assertEqual(len({(s["task"], s["question_id"], s["attempt"]) for s in samples}), 400)
        for task in record["tasks"]:
            graded = [s["verdict"] for s in samples if s["task"] == task["name"]]
            self.assertEqual(task["counts"]["correct"], graded.count("correct"))
            self.assertEqual(sum(task["counts"].values()), 200)

    def test_the_default_folder_is_new_and_named(self):
        result = self.run_program(*NULL, "--limit", "2")
        self.assert_exit(result, 0)
        (folder,) = os.listdir(self.path("runs"))
        self.assertRegex(folder, r"^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-null$")
        self.assertIn(folder, result.stderr)

    def test_a_folder_with_a_run_is_not_overwritten(self):
        self.assert_exit(self.run_program(*NULL, "-n", "2", "-o", "a"), 0)
        before = self.samples("a")
        self.assert_refused(self.run_program(*NULL, "-n", "3", "-o", "a"), "--resume", codes=(2,))
        self.assertEqual(self.samples("a"), before)

    def test_report_renders_the_same_again(self):
        self.assert_exit(self.run_program(*NULL, "-n", "5", "-o", "a"), 0)
        with open(self.path("a", "report.html"), encoding="utf-8") as file:
            first = file.read()
        os.remove(self.path("a", "report.html"))
        self.assert_exit(self.run_program("report", "a"), 0)
        with open(self.path("a", "report.html"), encoding="utf-8") as file:
            self.assertEqual(file.read(), first)
        as_json = self.run_program("report", "a", "--format", "json")
        self.assert_exit(as_json, 0)
        self.assertIn("tables", json.loads(as_json.stdout))

    def test_killed_at_any_moment_and_resumed_it_equals_a_run_never_killed(self):
        self.assert_exit(self.run_program(*SLOW, "-o", "whole"), 0)
        moments = random.Random(7)
        for attempt in range(4):
            folder = f"killed{attempt}"
            process = self.start_program(*SLOW, "-o", folder)
            self.wait_for_samples(1, folder)
            time.sleep(moments.uniform(0, 0.4))
            process.kill()
            process.communicate()
            done = len(self.outcomes_so_far(folder))
            self.assertEqual(self.record(folder)["status"], "running")
            self.assert_exit(self.run_program("run", "--resume", folder), 0)
            self.assertEqual(self.outcomes(folder), self.outcomes("whole"),
                             f"killed with {done} answers")
            self.assertEqual(self.record(folder)["status"], "complete")
            self.assertEqual(self.record(folder)["tasks"], self.record("whole")["tasks"])

    def outcomes_so_far(self, folder):
        with open(self.path(folder, "samples.jsonl"), encoding="utf-8") as file:
            return [line for line in file if line.endswith("\n")]

    def test_resume_refuses_other_settings(self):
        self.assert_exit(self.run_program(*SLOW, "-o", "a"), 0)
        self.assert_refused(self.run_program("run", "--resume", "a", "--seed", "3"), "--seed",
                            codes=(2,))
        self.assert_refused(self.run_program("run", "--resume", "nowhere"), "run.json", codes=(2,))

    def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(self):
        process = self.start_program(*SLOW, "-o", "a")
        self.wait_for_samples(5, "a")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertIn("moebench run --resume a", stderr)
        self.assertIn("gsm8k-mini", stdout)
        self.assertEqual(self.record("a")["status"], "partial")
        kept = len(self.samples("a"))
        self.assertTrue(5 <= kept < 60, kept)
        self.assert_exit(self.run_program("run", "--resume", "a"), 0)
        self.assertEqual(len(self.samples("a")), 60)

    def test_a_second_ctrl_c_ends_it_at_once(self):
        process = self.start_program("run", "--model", "null:2000", "--tasks", "gsm8k-mini", "-o", "a")
        deadline = time.monotonic() + 30
        while not os.path.exists(self.path("a", "run.json")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)

    def test_a_full_disk_is_told_and_nothing_finished_is_lost(self):
        # A limit on the size of a file plays the full disk: run.json fits, samples.jsonl does not.
        limit = 20_000
        result = self.run_program(
            *NULL, "-o", "a",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assert_exit(result, 3)
        self.assertIn("samples.jsonl", result.stderr)
        self.assertIn("moebench run --resume a", result.stderr)
        kept = self.samples("a")  # every line is whole
        self.assertGreater(len(kept), 3)
        self.assertEqual(self.record("a")["status"], "partial")
        self.assert_exit(self.run_program("run", "--resume", "a"), 0)
        self.assert_exit(self.run_program(*NULL, "-o", "whole"), 0)
        self.assertEqual(self.outcomes("a"), self.outcomes("whole"))

    def test_two_programs_do_not_write_one_folder(self):
        process = self.start_program(*SLOW, "-o", "a")
        self.wait_for_samples(1, "a")
        self.assert_refused(self.run_program("run", "--resume", "a"), "another moebench", codes=(2,))
        process.kill()
        process.communicate()


class CanaryRunTest(ProgramTest):
    def test_answers_do_not_depend_on_batch_or_threads(self):
        for folder, batch, threads in (("one", "1", "1"), ("many", "8", "2")):
            self.assert_exit(self.run_program(*CANARY, "-b", batch, "--threads", threads,
                                              "-o", folder), 0)
        self.assertEqual(self.outcomes("one"), self.outcomes("many"))
        record = self.record("many")
        self.assertEqual(record["engine"]["name"], "moebench")
        self.assertGreater(record["model"]["experts"], 1)
        self.assertRegex(record["model"]["sha256"], "^[0-9a-f]{64}$")
        self.assertIn("overhead", record)
        decoded = sum(s["decode_tokens"] for s in record["steps"])
        generated = sum(s["output_tokens"] for s in self.samples("many"))
        # The first token of an answer comes out of its prefill.
        self.assertEqual(decoded, generated - len(self.samples("many")))
        for sample in self.samples("many"):
            timing = sample["timing"]
            self.assertLessEqual(timing["first_token_ms"], timing["last_token_ms"])

    def test_sampling_is_repeatable_and_the_seed_matters(self):
        sampled = (*CANARY, "--temperature", "1", "--samples", "2")
        for folder, seed in (("a", "1"), ("again", "1"), ("other", "2")):
            self.assert_exit(self.run_program(*sampled, "--seed", seed, "-o", folder), 0)
        self.assertEqual(self.outcomes("a"), self.outcomes("again"))
        self.assertNotEqual([s["output"] for s in self.samples("a")],
                            [s["output"] for s in self.samples("other")])

    def test_a_low_token_cap_is_warned_about(self):
        result = self.run_program("run", "--model", "canary", "--tasks", "gsm8k-mini", "-n", "3",
                                  "--max-tokens", "3", "-o", "a")
        self.assert_exit(result, 0)
        self.assertIn("cut at 3 tokens", result.stderr)
        self.assertTrue(any("cut at 3 tokens" in w for w in self.record("a")["warnings"]))


if __name__ == "__main__":
    unittest.main()
