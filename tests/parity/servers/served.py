"""A `moebench serve` of one model, for as long as a with-block lasts."""

import os
import subprocess


class Served:
    def __init__(self, moebench, model, *arguments, environment=None):
        self.command = [moebench, "serve", "--model", model, "--port", "0", *arguments]
        self.environment = dict(os.environ, **(environment or {}))
        self.process = self.url = None

    def __enter__(self):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.PIPE, env=self.environment)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise SystemExit(f"the server did not start:\n{self.process.stderr.read()}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=60)
