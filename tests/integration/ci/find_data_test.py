"""ci/find_data: which folder of published problems ci/test takes."""

import os
import shutil
import subprocess
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "ci", "find_data")


class FindDataTest(unittest.TestCase):
    def setUp(self):
        self.beside = os.path.realpath(tempfile.mkdtemp(prefix="moebench_find_data_"))
        self.addCleanup(shutil.rmtree, self.beside, True)
        os.makedirs(os.path.join(self.beside, "checkout", "ci"))
        self.script = shutil.copy(SCRIPT, os.path.join(self.beside, "checkout", "ci"))

    def make(self, folder, *names):
        path = os.path.join(self.beside, folder)
        os.makedirs(path)
        for name in names:
            with open(os.path.join(path, name), "w", encoding="utf-8"):
                pass
        return path

    def found(self, data_dir=None):
        env = {k: v for k, v in os.environ.items() if k != "MOEBENCH_DATA_DIR"}
        if data_dir is not None:
            env["MOEBENCH_DATA_DIR"] = data_dir
        # Its place counts, not the caller's.
        return subprocess.run([self.script], env=env, cwd="/", check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def test_without_any_it_prints_nothing(self):
        self.assertEqual(self.found(), "")

    def test_a_data_folder_beside_the_checkout_is_found(self):
        path = self.make("some where/data", "math_test.jsonl", "gsm8k_test.jsonl")
        self.assertEqual(self.found(), path + "\n")
        self.assertEqual(self.found(""), path + "\n", "set to nothing is as good as unset")

    def test_a_folder_that_lacks_one_of_the_files_is_passed_over(self):
        self.make("a/data", "math_test.jsonl")
        path = self.make("b/data", "math_test.jsonl", "gsm8k_test.jsonl")
        self.make("c/data", "math_test.jsonl", "gsm8k_test.jsonl")
        self.assertEqual(self.found(), path + "\n")

    def test_the_variable_comes_first(self):
        self.make("a/data", "math_test.jsonl", "gsm8k_test.jsonl")
        self.assertEqual(self.found("/my/problems"), "/my/problems\n")


if __name__ == "__main__":
    unittest.main()
