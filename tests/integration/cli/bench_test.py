"""moebench bench on the canary."""

import csv
import io
import json
import unittest

from program import ProgramTest

BENCH = ("bench", "--model", "canary", "-p", "32", "-g", "8", "-b", "1,3", "-r", "2")


class BenchTest(ProgramTest):
    def test_every_format_holds_the_same_grid(self):
        tests = ["pp32", "tg8", "tg8 x 3"]
        lines = self.run_program(*BENCH, "-o", "jsonl")
        self.assert_exit(lines, 0)
        rows = [json.loads(line) for line in lines.stdout.splitlines()]
        self.assertEqual([row["test"] for row in rows], tests)
        for row in rows:
            self.assertEqual(len(row["tokens_per_second"]), 2)
            self.assertGreater(row["tokens_per_second_min"], 0)
            self.assertLessEqual(row["tokens_per_second_min"], row["tokens_per_second_median"])
            self.assertLessEqual(row["tokens_per_second_median"], row["tokens_per_second_max"])
            self.assertEqual(row["kind"], "measured")
        table = self.run_program(*BENCH, "-o", "csv")
        self.assert_exit(table, 0)
        self.assertEqual([row["test"] for row in csv.DictReader(io.StringIO(table.stdout))], tests)
        markdown = self.run_program(*BENCH)
        self.assert_exit(markdown, 0)
        self.assertEqual(len(markdown.stdout.splitlines()), 2 + len(tests))

    def test_the_context_is_a_dimension_of_the_grid(self):
        result = self.run_program("bench", "--model", "canary", "-p", "16", "-g", "8", "-b", "1",
                                  "--depth", "1,64,200", "-r", "1", "-o", "jsonl")
        self.assert_exit(result, 0)
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([row["test"] for row in rows],
                         ["pp16", "tg8", "tg8 @ d64", "tg8 @ d200"])
        self.assertEqual([row["prompt_tokens"] for row in rows[1:]], [1, 64, 200])

    def test_the_default_prompt_fits_a_model_made_for_short_texts(self):
        """The help's own examples, on a model of 512 tokens."""
        grid = self.run_program("bench", "--model", "canary", "-b", "1", "-r", "1", "-g", "4",
                                "-o", "jsonl")
        self.assert_exit(grid, 0)
        self.assertEqual(json.loads(grid.stdout.splitlines()[0])["test"], "pp256")
        load = self.run_program("bench", "--model", "canary", "--load", "offline", "--requests", "2",
                                "--goodput", "ttft:2000", "tpot:80", "--record", "runs")
        self.assert_exit(load, 0)
        self.assertEqual(self.record("runs/offline")["load"]["prompts"],
                         "256 random tokens, 64 generated")

    def test_what_cannot_be_measured_is_refused(self):
        self.assert_refused(self.run_program("bench", "--model", "null"), "null", codes=(2,))
        self.assert_refused(self.run_program(*BENCH, "-o", "xml"), "xml", codes=(2,))
        self.assert_refused(self.run_program("bench", "--model", "canary", "-p", "0"), "0", codes=(2,))


if __name__ == "__main__":
    unittest.main()
