"""Runs the moebench binary (its path is in $MOEBENCH) as a user would, without a terminal."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

BINARY = os.environ.get("MOEBENCH", "")
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
CANARY = os.path.join(ROOT, "engine", "canary", "model")


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if k not in ("MOEBENCH_DATA_DIR", "NO_COLOR")}
    env.update(changes)
    return env


class ProgramTest(unittest.TestCase):
    """Gives each test a folder of its own and the program."""

    def setUp(self):
        self.assertTrue(os.access(BINARY, os.X_OK),
                        "set MOEBENCH to the program's path (ctest does it)")
        self.folder = tempfile.mkdtemp(prefix="moebench_cli_")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def run_program(self, *arguments, timeout=240, **options):
        options.setdefault("env", environment())
        return subprocess.run([BINARY, *arguments], capture_output=True, text=True,
                              timeout=timeout, cwd=self.folder, check=False, **options)

    def start_program(self, *arguments):
        return subprocess.Popen([BINARY, *arguments], stdout=subprocess.PIPE, text=True,
                                stderr=subprocess.PIPE, cwd=self.folder, env=environment())

    def assert_exit(self, result, code):
        self.assertEqual(result.returncode, code,
                         f"\nstdout:\n{result.stdout}\nstderr:\n{result.stderr}")

    def assert_refused(self, result, *words, codes=(2, 3)):
        """An error a person can act on: the right code, one clear message, nothing on stdout."""
        self.assertIn(result.returncode, codes, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertIn("moebench: error: ", result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def record(self, *names):
        with open(self.path(*names, "run.json"), encoding="utf-8") as file:
            return json.load(file)

    def samples(self, *names):
        with open(self.path(*names, "samples.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def outcomes(self, *names):
        """What must not depend on interruptions, threads or batch: all but times."""
        rows = []
        for sample in self.samples(*names):
            for key in ("timing", "segment", "cached_tokens", "retries"):
                sample.pop(key, None)
            rows.append(json.dumps(sample, sort_keys=True))
        return sorted(rows)
