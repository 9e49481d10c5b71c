"""Load tests through the program: bench --load on the canary, its outputs, and what reports,
comparisons and claims make of the records."""

import csv
import io
import json
import os
import unittest

import program


class LoadTest(program.ProgramTest):

    def bench(self, *arguments):
        result = self.run_program("bench", "--model", "canary", "--requests", "6", "-p", "24", "-g",
                                  "8", "-b", "4", *arguments)
        self.assert_exit(result, 0)
        return result.stdout

    def test_every_format_holds_the_same_rows(self):
        loads = ["--load", "offline,concurrency:2,poisson:50", "--goodput", "ttft:60000", "tpot:60000",
                 "--usd-per-hour", "0.36"]
        rows = json.loads(self.bench(*loads, "-o", "json"))
        self.assertEqual([r["arrivals"] for r in rows], ["offline", "concurrency", "poisson"])
        for row in rows:
            self.assertEqual((row["requests"], row["failed_requests"]), (6, 0))
            self.assertEqual((row["prompt_tokens"], row["output_tokens"]), (6 * 24, 6 * 8))
            self.assertEqual(row["good_requests"], 6)
            self.assertAlmostEqual(row["output_tokens_per_second"] * row["wall_seconds"], 48)
            for metric in ("scheduled_ttft", "scheduled_e2el", "ttft", "tpot", "itl", "e2el"):
                for which in ("mean", "p50", "p90", "p99"):
                    self.assertGreater(row[f"{metric}_{which}_ms"], 0, metric)
            self.assertGreaterEqual(row["scheduled_e2el_mean_ms"], row["e2el_mean_ms"])
            self.assertGreater(row["output_usd_per_million"], 0)
        lines = self.bench(*loads, "-o", "jsonl").splitlines()
        self.assertEqual([list(json.loads(line)) for line in lines], [list(r) for r in rows])
        table = list(csv.DictReader(io.StringIO(self.bench(*loads, "-o", "csv"))))
        self.assertEqual(list(table[0]), list(rows[0]))
        self.assertIn("| poisson 50.0 requests/s |", self.bench(*loads, "-o", "md"))

    def test_a_recorded_load_is_a_run_that_every_report_takes(self):
        for label, load in (("a", "concurrency:1,concurrency:4"), ("b", "concurrency:1,concurrency:4")):
            self.bench("--load", load, "-r", "2", "--usd-per-hour", "0.36", "--label", label,
                       "--record", self.path(label))
        folders = sorted(os.listdir(self.path("a")))
        self.assertEqual(folders, ["concurrency-1-r1", "concurrency-1-r2", "concurrency-4-r1",
                                   "concurrency-4-r2"])
        for sample in self.samples("a", "concurrency-4-r1"):
            self.assertEqual(sample["verdict"], "ungraded")
            self.assertEqual(len(sample["timing"]["chunk_ms"]), 8)
        report = self.run_program("report", self.path("a", "concurrency-4-r1"), "--format", "md")
        self.assert_exit(report, 0)
        self.assertIn("A load test: concurrency 4", report.stdout)
        self.assertNotIn("## Accuracy", report.stdout)
        compared = self.run_program("compare", self.path("a", "concurrency-1-r1"),
                                    self.path("a", "concurrency-4-r1"), "--format", "md")
        self.assert_exit(compared, 0)
        self.assertIn("Throughput against interactivity", compared.stdout)
        claims = {"schema": 1, "title": "t", "claims": [{
            "id": "c", "statement": "a costs no more than a hundred times b.", "source": "s",
            "as_of": "2026", "tests": [{"metric": "usd_per_output_token",
                                        "relation": "ratio-at-most", "subject": "a",
                                        "reference": "b", "limit": 1000}]}]}
        with open(self.path("claims.json"), "w", encoding="utf-8") as file:
            json.dump(claims, file)
        runs = [self.path(label, folder) for label in "ab" for folder in folders]
        judged = self.run_program("claims", self.path("claims.json"), *runs, "--format", "json")
        self.assertIn(judged.returncode, (0, 4), judged.stderr)
        self.assertIn("concurrency 4, 24 random tokens, 8 generated: an output token costs",
                      judged.stdout)
        self.assertIn("over 2 and 2 runs", judged.stdout)

    def test_the_questions_of_a_task_end_where_the_model_ends_them(self):
        rows = json.loads(self.bench("--load", "concurrency:3", "--task", "gsm8k-mini", "-o", "json",
                                     "--record", self.path("load")))
        self.assertEqual(rows[0]["prompts"], "questions of gsm8k-mini")
        self.assertGreater(rows[0]["thinking_tokens"], 0, "the canary thinks")
        self.assertGreater(rows[0]["ttfo_mean_ms"], rows[0]["ttft_mean_ms"])
        reasons = {s["finish_reason"] for s in self.samples("load", "concurrency-3")}
        self.assertIn("eos", reasons)

    def test_what_cannot_be_a_load_is_refused(self):
        for arguments in (["--load", "sometimes"], ["--load", "poisson:0"],
                          ["--load", "offline,offline"], ["--load", "offline", "--goodput", "ttft"]):
            self.assert_refused(self.run_program("bench", "--model", "canary", *arguments))


if __name__ == "__main__":
    unittest.main()
