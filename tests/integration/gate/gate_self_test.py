"""The project's own gate (ci/gate/self) on machines that are not the one that stored its baseline."""

import json
import os
import shutil
import subprocess
import unittest

from gate_case import BINARY, GateTest, mutant

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD = os.environ["MOEBENCH_BUILD"]
MICROBENCH = os.path.join(BUILD, "engine", "microbench", "moebench_microbench")


def has_avx2():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return " avx2" in file.read()


class SelfTest(GateTest):
    def setUp(self):
        super().setUp()
        self.stored = self.path("stored")
        shutil.copytree(os.path.join(ROOT, "ci", "gate", "baseline"),
                        os.path.join(self.stored, "baseline"))
        shutil.copy(os.path.join(ROOT, "ci", "gate", "instructions.json"), self.stored)

    def edit(self, name, change):
        path = os.path.join(self.stored, name)
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
        change(value)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(value, file)

    def change_an_output(self):
        path = os.path.join(self.stored, "baseline", "samples.jsonl")
        with open(path, encoding="utf-8") as file:
            samples = [json.loads(line) for line in file]
        samples[0]["output_sha256"] = "0" * 64
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(sample) + "\n" for sample in samples)

    def change_the_counts(self):
        def fewer(file):
            for count in file["counts"]:
                count["instructions"] = int(count["instructions"] * 0.8)
        self.edit("instructions.json", fewer)

    def build(self, moebench=BINARY, microbench=MICROBENCH):
        folder = self.path("build")
        os.makedirs(os.path.join(folder, "engine", "microbench"))
        os.symlink(moebench, os.path.join(folder, "moebench"))
        os.symlink(microbench, os.path.join(folder, "engine", "microbench", "moebench_microbench"))
        return folder

    def path_with(self, **programs):
        """A PATH with the system's programs, but valgrind only as given."""
        folder = self.path("bin")
        os.makedirs(folder)
        for directory in ("/usr/bin", "/bin"):
            for name in os.listdir(directory):
                if "valgrind" not in name and not os.path.lexists(os.path.join(folder, name)):
                    os.symlink(os.path.join(directory, name), os.path.join(folder, name))
        for name, text in programs.items():
            self.script(os.path.join("bin", name), text)
        return folder

    def script_of(self, name, *arguments, **changes):
        variables = dict(os.environ, MOEBENCH_GATE_STORED=self.stored, **changes)
        for name_of in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "MOEBENCH_ISA"):
            if name_of not in changes:
                variables.pop(name_of, None)
        return subprocess.run([os.path.join(ROOT, "ci", "gate", name), *arguments], text=True,
                              env=variables, capture_output=True, timeout=500, check=False)

    def assert_ends(self, result, code, *words):
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        for word in words:
            self.assertIn(word, result.stdout + result.stderr)

    def test_without_valgrind_outputs_still_count(self):
        self.assert_ends(self.script_of("self", BUILD, PATH=self.path_with()), 0,
                         "outputs and accuracy of the canary: pass", "there is no valgrind",
                         "instructions of the microbenchmarks: inconclusive")

    def test_a_valgrind_that_does_not_work_is_inconclusive(self):
        broken = self.path_with(valgrind="echo 'valgrind: Fatal error at startup' >&2; exit 1")
        self.assert_ends(self.script_of("instructions", BUILD, PATH=broken), 4,
                         "valgrind can't run", "Fatal error at startup")

    def test_a_machine_without_the_instruction_set_is_inconclusive(self):
        self.change_an_output()  # another instruction set may answer otherwise
        refusal = ("[ \"$MOEBENCH_ISA\" = avx2 ] && "
                   "{ echo 'moebench: error: MOEBENCH_ISA=avx2 is not a level that this machine "
                   "runs' >&2; exit 2; }; export MOEBENCH_ISA=scalar; exec %s \"$@\"")
        folder = self.build(self.script("no_avx2", refusal % BINARY),
                            self.script("no_avx2_bench", refusal % MICROBENCH))
        self.assert_ends(self.script_of("self", folder), 4, "don't promise equal tokens",
                         "this machine has no AVX2")

    @unittest.skipUnless(has_avx2(), "the stored baseline is AVX2's")
    def test_a_changed_output_fails_here_and_is_inconclusive_elsewhere(self):
        path = self.path_with()
        self.change_an_output()
        self.assert_ends(self.script_of("self", BUILD, PATH=path), 1, "numerics changed", "--accept")
        for part, key, value in (("build", "compiler", "GNU 11.1.0"),
                                 ("environment", "os", "Debian GNU/Linux 11 (bullseye)")):
            shutil.copy(os.path.join(ROOT, "ci", "gate", "baseline", "run.json"),
                        os.path.join(self.stored, "baseline"))

            def other(record, part=part, key=key, value=value):
                record[part][key] = value
            self.edit("baseline/run.json", other)
            self.assert_ends(self.script_of("self", BUILD, PATH=path), 4, value,
                             "may round otherwise")

    @unittest.skipUnless(has_avx2(), "the stored baseline is AVX2's")
    def test_a_wrong_kernel_fails(self):
        folder = self.build(mutant("last_expert"))
        self.assert_ends(self.script_of("self", folder, PATH=self.path_with()), 1,
                         "numerics changed", "outputs and accuracy of the canary: FAILED")

    @unittest.skipUnless(shutil.which("valgrind") and has_avx2(), "needs valgrind and AVX2")
    def test_more_instructions_fail_here_and_are_inconclusive_elsewhere(self):
        def store(**changes):
            self.edit("instructions.json", lambda file: file.update(changes))
        here = self.script_of("instructions", "--accept", BUILD)  # what this machine would store
        self.assertIn(here.returncode, (0, 4), here.stderr)
        self.change_the_counts()
        self.assert_ends(self.script_of("instructions", BUILD), 1, "worse")
        store(cpu="Some Other CPU @ 3 GHz")
        self.assert_ends(self.script_of("instructions", BUILD), 4, "Some Other CPU @ 3 GHz")
        store(flags="-O0")
        self.assert_ends(self.script_of("instructions", BUILD), 4, "-O0")
        store(compiler="Clang 21.1")
        self.assert_ends(self.script_of("instructions", BUILD), 4, "Clang 21.1")


if __name__ == "__main__":
    unittest.main()
