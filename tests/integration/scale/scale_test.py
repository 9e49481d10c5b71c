"""Shards and their merge, workers, and what a power loss leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration", "cli"))

from program import BINARY, ProgramTest, environment  # noqa: E402  pylint: disable=wrong-import-position

NULL = ("run", "--model", "null", "--tasks", "gsm8k-mini,math-mini", "--limit", "10", "--samples", "2",
        "--temperature", "1")
CANARY = ("run", "--model", "canary", "--tasks", "gsm8k-mini,math-mini", "--limit", "3",
          "--max-tokens", "64", "--samples", "2", "--temperature", "0.7")


class ScaleTest(ProgramTest):
    def assert_same_results(self, *folders):
        result = subprocess.run([os.path.join(ROOT, "ci", "same_results"),
                                 *(self.path(folder) for folder in folders)],
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def run_shards(self, command, count, prefix="part"):
        folders = [f"{prefix}{index}" for index in range(1, count + 1)]
        for index, folder in enumerate(folders, 1):
            self.assert_exit(self.run_program(*command, "--shard", f"{index}/{count}", "-o", folder),
                             0)
        return folders


class ShardTest(ScaleTest):
    def test_merged_shards_are_the_whole_run(self):
        self.assert_exit(self.run_program(*NULL, "-o", "whole"), 0)
        # 10 questions: even and uneven shares, and shards that have no question at all.
        for count in (1, 3, 4, 12):
            parts = self.run_shards(NULL, count, f"of{count}_")
            merged = f"merged{count}"
            self.assert_exit(self.run_program("merge", merged, *reversed(parts)), 0)
            self.assert_same_results("whole", merged)
            record = self.record(merged)
            self.assertEqual(record["merged_from"], parts)
            self.assertEqual(record["results_sha256"], self.record("whole")["results_sha256"])
            self.assertEqual(len(record["segments"]), count)
            for sample in self.samples(merged):
                self.assertLess(sample["segment"], count)
            self.assertFalse(any("merge" in warning for warning in record.get("warnings", [])))
            self.assertTrue(os.path.getsize(self.path(merged, "report.html")) > 0)

    def test_a_shard_says_that_it_is_a_part(self):
        (part, _) = self.run_shards(NULL, 2)
        self.assertEqual(self.record(part)["shard"], {"index": 1, "count": 2})
        self.assertTrue(any("part 1 of 2" in w for w in self.record(part)["warnings"]))

    def test_merged_canary_shards_are_the_whole_run(self):
        self.assert_exit(self.run_program(*CANARY, "--step-log", "-o", "whole"), 0)
        parts = self.run_shards((*CANARY, "--step-log"), 2)
        self.assert_exit(self.run_program("merge", "merged", *parts), 0)
        self.assert_same_results("whole", "merged")
        merged = self.record("merged")
        self.assertEqual(sum(step["decode_tokens"] for step in merged["steps"]),
                         sum(step["decode_tokens"] for step in self.record("whole")["steps"]))
        with open(self.path("merged", "steps.jsonl"), encoding="utf-8") as file:
            self.assertEqual({json.loads(line).get("segment", 0) for line in file}, {0, 1})

    def test_merge_refuses_gaps_overlaps_and_mixed_settings(self):
        one, two, three = self.run_shards(NULL, 3)
        refused = lambda runs, *words: self.assert_refused(
            self.run_program("merge", "merged", *runs), *words, codes=(2,))
        refused((one, three), "shard 2 of 3 is missing")
        shutil.copytree(self.path(one), self.path("again"))
        refused((one, two, three, "again"), "there twice")
        self.assert_exit(self.run_program(*NULL, "-o", "whole"), 0)
        refused((one, two, "whole"), "not a shard")
        self.assert_exit(self.run_program(*NULL, "--seed", "5", "--shard", "3/3", "-o", "seeded"), 0)
        refused((one, two, "seeded"), "--seed 5")
        self.assert_exit(self.run_program(*NULL, "--shard", "3/4", "-o", "quarter"), 0)
        refused((one, two, "quarter"), "number of shards")
        refused((one, two, "nowhere"), "run.json")
        self.assertFalse(os.path.exists(self.path("merged")))

    def test_merge_refuses_other_builds_models_and_unfinished_runs(self):
        parts = self.run_shards(NULL, 2)
        changes = {
            "the build": lambda r: r["build"].update(commit="0123456789ab"),
            "the model's hash": lambda r: r["model"].update(sha256="00"),
            "the instruction set": lambda r: r["engine"].update(isa="other"),
            "the data of math-mini": lambda r: r["tasks"][1].update(data_sha256="00"),
            "is not complete": lambda r: r.update(status="running"),
            "there is no shard": lambda r: r["shard"].update(index=7, count=2),
            "number of shards": lambda r: r["shard"].update(count=10**18),
            "is not what run.json says": lambda r: r["tasks"][0].update(planned_questions=10**15),
            "more samples than planned": lambda r: r["tasks"][1].update(planned_questions=4),
        }
        with open(self.path(parts[1], "run.json"), encoding="utf-8") as file:
            original = file.read()
        for words, change in changes.items():
            record = json.loads(original)
            change(record)
            with open(self.path(parts[1], "run.json"), "w", encoding="utf-8") as file:
                json.dump(record, file)
            self.assert_refused(self.run_program("merge", "merged", *parts), words, codes=(2,))

    def test_merge_refuses_samples_that_were_changed(self):
        parts = self.run_shards(NULL, 2)
        path = self.path(parts[0], "samples.jsonl")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace('"verdict":"wrong"', '"verdict":"correct"', 1))
        self.assert_refused(self.run_program("merge", "merged", *parts), "was changed", codes=(2,))

    def test_a_shard_is_named_in_full(self):
        for shard in ("0/4", "5/4", "1", "1/0", "a/b", "1/4x", "-1/4"):
            self.assert_refused(self.run_program(*NULL, f"--shard={shard}", "-o", "a"), "--shard",
                                codes=(2,))


class ResumeTest(ScaleTest):
    def break_off(self, folder, keep, tail=b""):
        """What a killed run leaves: some lines, a tail, and a run.json that says it runs."""
        with open(self.path(folder, "samples.jsonl"), "rb") as file:
            lines = file.read().splitlines(keepends=True)
        # As they came in, which is in no order.
        with open(self.path(folder, "samples.jsonl"), "wb") as file:
            file.write(b"".join(reversed(lines[:keep])) + tail)
        record = self.record(folder)
        record["status"] = "running"
        del record["results_sha256"]
        record["segments"][-1].update(ended_utc="", wall_seconds=0)
        with open(self.path(folder, "run.json"), "w", encoding="utf-8") as file:
            json.dump(record, file)

    def test_whatever_a_crash_leaves_the_resumed_run_is_the_whole_one(self):
        self.assert_exit(self.run_program(*NULL, "-o", "whole"), 0)
        with open(self.path("whole", "samples.jsonl"), "rb") as file:
            line = file.readline()
        tails = {"nothing": b"", "half a line": line[:100], "lost pages": b"\0" * 5000,
                 "lost pages and a line behind": b"\0" * 5000 + line, "one brace": b"{"}
        for number, (what, tail) in enumerate(tails.items()):
            for keep in (0, 7, 40):
                folder = f"a{number}_{keep}"
                shutil.copytree(self.path("whole"), self.path(folder))
                self.break_off(folder, keep, tail)
                for stale in ("samples.jsonl.new", "run.json.new"):
                    with open(self.path(folder, stale), "wb") as file:
                        file.write(b"half written")
                self.assert_exit(self.run_program("run", "--resume", folder), 0)
                self.assert_same_results("whole", folder)
                self.assertTrue(any("was killed" in w for w in self.record(folder)["warnings"]), what)

    def test_killed_before_the_first_answer(self):
        process = self.start_program("run", "--model", "null:5000", "--tasks", "gsm8k-mini", "-o", "a")
        deadline = time.monotonic() + 30
        while not os.path.exists(self.path("a", "run.json")) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.kill()
        process.communicate()
        process = self.start_program("run", "--resume", "a")
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, stderr)

    def test_a_disk_that_fills_while_the_run_is_completed(self):
        # Completion writes samples.jsonl anew; here that fails, and the next attempt succeeds.
        self.assert_exit(self.run_program(*NULL, "-o", "whole"), 0)
        shutil.copytree(self.path("whole"), self.path("a"))
        self.break_off("a", 40)
        os.mkdir(self.path("a", "samples.jsonl.new"))
        self.assert_refused(self.run_program("run", "--resume", "a"), "samples.jsonl.new", codes=(3,))
        self.assertEqual(len(self.samples("a")), 40)
        os.rmdir(self.path("a", "samples.jsonl.new"))
        self.assert_exit(self.run_program("run", "--resume", "a"), 0)
        self.assert_same_results("whole", "a")


class WorkerTest(ScaleTest):
    def test_a_worker_answers_as_the_engine_in_process_does(self):
        self.assert_exit(self.run_program(*CANARY, "-o", "in_process"), 0)
        self.assert_exit(self.run_program(*CANARY, "--workers", "1", "-o", "worker"), 0)
        self.assert_exit(self.run_program(*CANARY, "--workers", "2", "--threads", "1",
                                          "-o", "two"), 0)
        self.assert_same_results("in_process", "worker", "two")
        one, other = self.record("in_process"), self.record("worker")
        for record in (one, other):
            self.assertGreater(sum(map(sum, record["expert_load"])), 0)
            decoded = sum(step["decode_tokens"] for step in record["steps"])
            self.assertEqual(decoded, sum(s["output_tokens"] - 1 for s in self.samples("worker")))
        self.assertEqual(one["model"], other["model"])
        self.assertGreater(other["peak_memory_bytes"], 0)

    def test_two_workers_on_the_cpu_want_their_cores_said(self):
        self.assert_refused(self.run_program(*NULL, "--workers", "2", "-o", "a"), "--threads",
                            codes=(2,))

    def test_a_bad_model_is_told_as_in_process(self):
        results = [self.run_program("run", "--model", "nowhere.gguf", "--tasks", "gsm8k-mini",
                                    *workers, "-o", "a") for workers in ((), ("--workers", "1"))]
        for result in results:
            self.assert_refused(result, "nowhere.gguf")
        self.assertEqual(results[0].stderr, results[1].stderr)
        self.assertEqual(results[0].returncode, results[1].returncode)

    def test_ctrl_c_on_a_terminal_leaves_the_worker_to_the_program(self):
        # A terminal sends the signal to the whole process group.
        process = subprocess.Popen(
            [BINARY, "run", "--model", "null:10", "--tasks", "gsm8k-mini", "--limit", "60", "-b", "4",
             "--workers", "1", "-o", "a"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
            env=environment(), start_new_session=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if os.path.exists(self.path("a", "samples.jsonl")) and len(self.samples("a")) >= 3:
                break
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertEqual([w for w in self.record("a").get("warnings", []) if "worker" in w], [])
        self.assert_exit(self.run_program("run", "--resume", "a"), 0)
        self.assertEqual(len(self.samples("a")), 60)

    def test_a_worker_talks_to_no_terminal_and_survives_garbage(self):
        for garbage in (b"", b"hello\n", b"\xff\xff\xff\xff", b"\x02\0\0\0{}",
                        b"\x05\0\0\0[[[[[", os.urandom(5000)):
            result = subprocess.run([BINARY, "worker"], input=garbage, capture_output=True,
                                    timeout=60, check=False)
            self.assertIn(result.returncode, (0, 2), result.stderr)
            self.assertIn(b'"type":"hello"', result.stdout)


if __name__ == "__main__":
    unittest.main()
