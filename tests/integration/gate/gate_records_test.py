"""The gate on stored records, Google Benchmark files and its own settings."""

import json
import os
import unittest

from gate_case import GateTest


class StoredRecordsTest(GateTest):
    def setUp(self):
        super().setUp()
        self.run_canary("a")
        self.run_canary("b")

    def compare(self, *arguments):
        return self.gate("--baseline", "a", "--candidate", "b", "-o", "g.json", *arguments)

    def test_the_same_build_gives_the_same_outputs(self):
        self.compare()
        checks = self.checks(self.path("g.json"))
        self.assertEqual(checks["output_hashes"]["verdict"], "pass")
        self.assertEqual(checks["accuracy"]["verdict"], "pass")
        self.assert_exit(self.compare("--only", "outputs,accuracy"), 0)

    def test_other_machines_make_timings_inconclusive_and_accuracy_still_compares(self):
        def change(record):
            record["environment"]["cpu"] = "Another CPU"
            record["segments"][0]["cpu_seconds"] *= 2
        self.edit_record("b", change)
        result = self.compare()
        self.assert_exit(result, 4)
        checks = self.checks(self.path("g.json"))
        self.assertEqual(checks["accuracy"]["verdict"], "pass")
        self.assertIn("inconclusive", checks["cpu_ms_per_token"]["verdict"])
        self.assertIn("Another CPU", result.stdout)

    def test_a_gross_slowdown_fails(self):
        def change(record):
            record["segments"][0]["cpu_seconds"] *= 8
        self.edit_record("b", change)
        self.assert_exit(self.compare(), 1)

    def test_a_lost_answer_is_seen(self):
        samples = self.samples("b")
        samples[0]["output"] += " and more"
        samples[0]["output_sha256"] = "0" * 64
        with open(self.path("b", "samples.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(sample) + "\n" for sample in samples)
        result = self.compare()
        self.assert_exit(result, 1)
        self.assertIn("numerics changed: 1 of 12", result.stderr)

    def test_records_that_cannot_be_compared_are_refused(self):
        self.run_canary("math", tasks="math-mini")
        self.run_canary("q8", "--weights-type", "q8_0")
        for candidate, word in (("math", "no task in common"), ("q8", "weights"),
                                ("missing", "run.json")):
            self.assert_refused(self.gate("--baseline", "a", "--candidate", candidate), word,
                                codes=(2,))
        self.edit_record("b", lambda record: record["model"].update(sha256="feed" * 16))
        self.assert_refused(self.compare("--junit", "j.xml"), "another model", "feedfeed", codes=(2,))
        with open(self.path("b", "samples.jsonl"), "w", encoding="utf-8"):
            pass
        self.assert_refused(self.compare(), "b holds no samples", codes=(2,))
        self.assertFalse(os.path.exists(self.path("j.xml")))


class UsageTest(GateTest):
    def test_a_gate_needs_one_whole_source(self):
        for arguments in ((), ("--baseline", "a"), ("--candidate-bin", "x"),
                          ("--baseline", "a", "--candidate", "b", "--history", "h"),
                          ("--instructions", "--history", "h")):
            self.assert_refused(self.gate(*arguments), codes=(2,))

    def test_a_broken_gate_file_is_refused_by_name_and_key(self):
        for keys, word in (({"budget": 1}, "budget"), ({"alpha": 7}, "alpha"),
                           ({"metrics": {"speed": {}}}, "speed")):
            path = self.gate_file(**keys)
            result = self.gate("--baseline-bin", "x", "--candidate-bin", "y", "--gate-file", path)
            self.assert_refused(result, path, word, codes=(2,))


def google_benchmark(scale, repetitions):
    benchmarks = []
    for name in ("decode", "prefill"):
        slower = scale if name == "decode" else 1
        for i in range(repetitions):
            benchmarks.append({"name": name, "run_name": name, "run_type": "iteration",
                               "repetitions": repetitions, "repetition_index": i, "threads": 1,
                               "iterations": 100, "real_time": 5.0, "time_unit": "ms",
                               "cpu_time": slower * (5 + 0.01 * i)})
        benchmarks.append({"name": name + "_median", "run_name": name, "run_type": "aggregate",
                           "aggregate_name": "median", "cpu_time": 1.0, "real_time": 1.0,
                           "time_unit": "ms"})
    return {"context": {"host_name": "h", "num_cpus": 2, "library_build_type": "release"},
            "benchmarks": benchmarks}


class GoogleBenchmarkTest(GateTest):
    def compare(self, scale, repetitions):
        for name, factor in (("old.json", 1), ("new.json", scale)):
            with open(self.path(name), "w", encoding="utf-8") as file:
                json.dump(google_benchmark(factor, repetitions), file)
        return self.gate("--google-benchmark", "old.json", "new.json", "-o", "g.json")

    def test_repetitions_decide(self):
        self.assert_exit(self.compare(1, 10), 0)
        self.assert_exit(self.compare(1.08, 10), 1)
        checks = self.checks(self.path("g.json"))
        self.assertEqual(checks["decode"]["verdict"], "fail")
        self.assertEqual(checks["prefill"]["verdict"], "pass")

    def test_one_repetition_is_inconclusive(self):
        self.assert_exit(self.compare(1.5, 1), 4)

    def write(self, name, scale, repetitions):
        with open(self.path(name), "w", encoding="utf-8") as file:
            json.dump(google_benchmark(scale, repetitions), file)
        return name

    def test_the_files_of_several_starts_are_pooled(self):
        old = [self.write(f"old{i}.json", 1, 2) for i in range(5)]
        new = [self.write(f"new{i}.json", 1.08, 2) for i in range(5)]
        result = self.gate("--google-benchmark", old[0], new[0], "-o", "g.json")
        self.assert_exit(result, 4)  # two repetitions can't tell
        result = self.gate("--google-benchmark", "--baseline", *old, "--candidate", *new, "-o",
                           "g.json")
        self.assert_exit(result, 1)
        checks = self.checks(self.path("g.json"))
        self.assertEqual(checks["decode"]["verdict"], "fail")
        self.assertEqual(checks["prefill"]["verdict"], "pass")
        with open(self.path("g.json"), encoding="utf-8") as file:
            self.assertIn("old0.json and 4 more", file.read())

    def test_a_file_that_counts_twice_or_on_no_side_is_refused(self):
        old, new = self.write("old.json", 1, 9), self.write("new.json", 1, 9)
        self.assert_refused(self.gate("--google-benchmark", "--baseline", old, old, "--candidate",
                                      new), "the baseline names old.json twice", codes=(2,))
        for arguments in (("--google-benchmark",), ("--google-benchmark", old),
                          ("--google-benchmark", old, new, "--baseline", old, "--candidate", new)):
            self.assert_refused(self.gate(*arguments), "one file a side", "--candidate", codes=(2,))
        self.assert_refused(self.gate("--google-benchmark", "--baseline", old), "belong together",
                            codes=(2,))

    def test_half_a_file_is_refused(self):
        self.compare(1, 3)
        with open(self.path("new.json"), "r+", encoding="utf-8") as file:
            file.truncate(200)
        self.assert_refused(self.gate("--google-benchmark", "old.json", "new.json"), "new.json",
                            codes=(2,))


if __name__ == "__main__":
    unittest.main()
