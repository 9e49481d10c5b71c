"""The gate on two programs: what it must catch, let pass, and survive."""

import os
import signal
import time
import unittest

from gate_case import BINARY, GateTest, mutant


class MutantTest(GateTest):
    def assert_caught(self, name):
        begin = time.monotonic()
        result = self.gate("--baseline-bin", BINARY, "--candidate-bin", mutant(name), "-o", "g.json")
        self.assertLess(time.monotonic() - begin, 60)
        self.assert_exit(result, 1)
        checks = self.checks(self.path("g.json"))
        self.assertEqual(checks["output_hashes"]["verdict"], "fail")
        because = checks["output_hashes"]["because"]
        for word in ("numerics changed", "gsm8k-mini/", "token ", "logit gap"):
            self.assertIn(word, because)
        self.assertNotIn("timing", str(checks.keys()))

    def test_router_bias_in_the_combine_weights_is_caught_within_a_minute(self):
        self.assert_caught("bias")

    def test_a_dropped_last_expert_is_caught_within_a_minute(self):
        self.assert_caught("last_expert")

    def test_the_replaced_routing_without_a_mutation_passes(self):
        result = self.gate("--baseline-bin", BINARY, "--candidate-bin", mutant("none"), "--only",
                           "outputs,accuracy")
        self.assert_exit(result, 0)

    def test_a_gross_slowdown_is_found(self):
        result = self.gate("--baseline-bin", BINARY, "--candidate-bin", mutant("slow"),
                           "--gate-file", self.gate_file(budget_seconds=200, interleaving="together"), "--only", "timing",
                           "-o", "g.json", env={"MOEBENCH_SLOWDOWN_PERCENT": "40"})
        self.assert_exit(result, 1)
        self.assertEqual(self.checks(self.path("g.json"))["cpu_ms_per_token"]["verdict"], "fail")


class IdenticalTest(GateTest):
    def test_identical_programs_end_within_the_budget_with_pass_or_inconclusive(self):
        begin = time.monotonic()
        result = self.gate("--baseline-bin", BINARY, "--candidate-bin", BINARY, "--gate-file",
                           self.gate_file(budget_seconds=25), "--keep", "kept")
        seconds = time.monotonic() - begin
        self.assertIn(result.returncode, (0, 4), result.stderr)
        self.assertLess(seconds, 35)
        self.assertIn("A B B A", result.stdout)
        self.assertTrue(os.path.exists(self.path("kept", "check-a", "run.json")))

    def test_running_in_turn_can_be_asked_for(self):
        result = self.gate("--baseline-bin", BINARY, "--candidate-bin", BINARY, "--gate-file",
                           self.gate_file(budget_seconds=5, interleaving="in_turn"), "--only",
                           "timing")
        self.assertIn(result.returncode, (0, 4), result.stderr)
        self.assertIn("Both programs ran in turn", result.stdout)

    def test_scratch_records_are_removed(self):
        os.mkdir(self.path("tmp"))
        result = self.gate("--baseline-bin", BINARY, "--candidate-bin", BINARY, "--gate-file",
                           self.gate_file(), "--only", "outputs", env={"TMPDIR": self.path("tmp")})
        self.assert_exit(result, 0)
        self.assertEqual(os.listdir(self.path("tmp")), [])


class BrokenCandidateTest(GateTest):
    def gate_on(self, candidate, *arguments, **keys):
        return self.gate("--baseline-bin", BINARY, "--candidate-bin", candidate, "--gate-file",
                         self.gate_file(**keys), "--junit", "j.xml", "-o", "g.html", *arguments)

    def assert_no_files(self):
        self.assertEqual([name for name in os.listdir(self.folder)
                          if name.startswith(("j.xml", "g.html"))], [])

    def test_a_crash_is_told_with_the_end_of_its_stderr(self):
        script = self.script("crash", "echo 'the kernel exploded' >&2; kill -SEGV $$")
        self.assert_refused(self.gate_on(script), "the candidate", "crashed: signal 11",
                            "the kernel exploded", codes=(3,))
        self.assert_no_files()

    def test_a_failure_is_told_with_its_exit_code(self):
        script = self.script("fail", "echo 'no such option' >&2; exit 7")
        self.assert_refused(self.gate_on(script), "exit code 7", "no such option", codes=(3,))
        self.assert_no_files()

    def test_a_hang_is_killed_with_its_children(self):
        script = self.script("hang", "echo 'waiting for a lock' >&2; sleep 987.6543")
        begin = time.monotonic()
        self.assert_refused(self.gate_on(script, run_timeout_seconds=10), "hangs",
                            "waiting for a lock", codes=(3,))
        self.assertLess(time.monotonic() - begin, 60)
        self.assert_no_files()
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{process}/cmdline", "rb") as file:
                    self.assertNotIn(b"987.6543", file.read())
            except OSError:
                pass

    def test_a_program_that_writes_no_record_is_told(self):
        self.assert_refused(self.gate_on(self.script("empty", "exit 0")), "run.json")
        self.assert_no_files()

    def test_other_weights_are_no_other_build(self):
        script = self.script("q8", f'exec "{BINARY}" "$@" --weights-type q8_0')
        self.assert_refused(self.gate_on(script), "weights", "q8_0", codes=(2,))
        self.assert_no_files()

    def test_what_is_no_program_is_refused_by_its_path(self):
        for path in (self.path("missing"), self.folder, self.gate_file()):
            self.assert_refused(self.gate_on(path), path, codes=(2,))

    def test_an_answer_that_changes_from_run_to_run_fails(self):
        # Every start has another seed (its process number: two start at once) and a temperature.
        script = self.script("dice", f'exec "{BINARY}" "$@" --temperature 1 --seed $$')
        result = self.gate("--baseline-bin", script, "--candidate-bin", script, "--gate-file",
                           self.gate_file(), "--only", "outputs,accuracy")
        self.assert_exit(result, 1)

    def test_ctrl_c_ends_it_and_its_program(self):
        script = self.script("slow", "sleep 876.5432")
        gate = self.start_program("gate", "--baseline-bin", script, "--candidate-bin", script)
        time.sleep(1.5)
        gate.send_signal(signal.SIGINT)
        _, stderr = gate.communicate(timeout=30)
        self.assertEqual(gate.returncode, 130, stderr)


if __name__ == "__main__":
    unittest.main()
