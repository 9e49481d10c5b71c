"""--launch: the server starts, is measured, and is gone afterwards, whatever happens."""

import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import program  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def process_ids(word):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                arguments = file.read().split(b"\0")
        except OSError:
            continue
        if word.encode() in arguments and not any(b"{port}" in a for a in arguments):
            found.append(int(pid))
    return found


class LaunchTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.mark = f"mark-{os.path.basename(self.folder)}"  # in the server's argument vector

    def server(self, more=""):
        return f"'{sys.executable}' '{HERE}/fault_server.py' {{port}} {self.mark} {more}"

    def assert_gone(self):
        limit = time.monotonic() + 15
        while process_ids(self.mark) and time.monotonic() < limit:
            time.sleep(0.05)
        self.assertEqual(process_ids(self.mark), [])

    def test_our_own_server_gives_what_the_engine_gives(self):
        common = ("--tasks", "gsm8k-mini", "--limit", "6", "--max-tokens", "40")
        self.assert_exit(self.run_program("run", "--model", "canary", *common, "-o", "here"), 0)
        command = (f"'{program.BINARY}' serve --model {{model}} --host {{host}} --port {{port}} "
                   f"--batch-size {{batch}} --served-name {self.mark}")
        self.assert_exit(self.run_program("run", "--model", "openai:canary", "--launch", command,
                                          *common, "-o", "there"), 0)
        self.assertEqual(self.outcomes("here"), self.outcomes("there"))
        self.assert_gone()

    def test_the_server_ends_with_the_run(self):
        result = self.run_program("generate", "-m", "openai:m", "--launch", self.server(), "hello")
        self.assert_exit(result, 0)
        self.assertIn("#### ", result.stdout)
        self.assert_gone()

    def test_the_server_ends_when_we_are_killed(self):
        for number in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(signal=number):
                child = self.start_program(
                    "run", "--model", "openai:m", "--launch", self.server(), "--tasks", "gsm8k-mini",
                    "--request-rate", "2", "-o", f"killed{number}")
                limit = time.monotonic() + 60
                while not process_ids(self.mark) and time.monotonic() < limit:
                    time.sleep(0.05)
                self.assertTrue(process_ids(self.mark), "the server never started")
                time.sleep(1)
                child.send_signal(number)
                child.communicate(timeout=60)
                self.assert_gone()

    def test_a_server_that_ends_at_once_is_told_with_its_last_words(self):
        command = f"'{sys.executable}' -c 'import sys; sys.exit(\"no weights here\")' {{port}}"
        result = self.run_program("generate", "-m", "openai:m", "--launch", command, "hello")
        self.assert_refused(result, "ended with status 1", "no weights here")

    def run_with_tmp(self, *arguments):
        os.makedirs(self.path("tmp"), exist_ok=True)
        return self.run_program(*arguments, env=program.environment(TMPDIR=self.path("tmp")))

    def test_a_failed_launch_leaves_no_log_where_there_is_no_run(self):
        command = f"'{sys.executable}' -c 'import sys; sys.exit(\"no weights here\")' {{port}}"
        result = self.run_with_tmp("generate", "-m", "openai:m", "--launch", command, "hello")
        self.assert_refused(result, "no weights here")
        silent = self.run_with_tmp("generate", "-m", "openai:m", "--launch",
                                   f"'{sys.executable}' -c 'raise SystemExit(4)' {{port}}", "hello")
        self.assert_refused(silent, "ended with status 4; it printed nothing")
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_a_launched_server_leaves_no_log_in_tmp_when_we_are_killed(self):
        os.makedirs(self.path("tmp"))
        child = subprocess.Popen(
            [program.BINARY, "generate", "-m", "openai:m", "--launch",
             f"'{sys.executable}' -c 'import time; time.sleep(600)' {{port}} {self.mark}", "hello"],
            stderr=subprocess.DEVNULL, cwd=self.folder,
            env=program.environment(TMPDIR=self.path("tmp")))
        limit = time.monotonic() + 60
        while not process_ids(self.mark) and time.monotonic() < limit:
            time.sleep(0.05)
        self.assertTrue(process_ids(self.mark), "the server never started")
        child.kill()
        child.wait()
        self.assert_gone()
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_a_run_keeps_the_servers_log_in_its_own_folder(self):
        run = ("run", "--model", "openai:m", "--tasks", "gsm8k-mini", "--limit", "2", "-o", "a")
        words = "; ".join(f"print({n})" for n in range(40))
        command = f"'{sys.executable}' -c '{words}; raise SystemExit(1)' {{port}}"
        result = self.run_with_tmp(*run, "--launch", command)
        self.assert_refused(result, "ended with status 1; its last words:\n25\n", "a/server.log")
        with open(self.path("a", "server.log"), encoding="utf-8") as log:
            self.assertEqual(log.read().split(), [str(n) for n in range(40)])
        # A second start appends, and tells its own last words alone.
        command = f"'{sys.executable}' -c 'print(\"again\"); raise SystemExit(1)' {{port}}"
        result = self.run_with_tmp(*run, "--launch", command)
        self.assert_refused(result, "its last words:\nagain\n")
        self.assertNotIn("39", result.stderr)
        self.assert_exit(self.run_with_tmp(*run, "--launch", self.server()), 0)
        with open(self.path("a", "server.log"), encoding="utf-8") as log:
            self.assertEqual(log.read().split()[38:], ["38", "39", "again"])
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_a_misspelt_server_leaves_no_folder_behind(self):
        for name in ("no-such-program", "./no-such-program"):
            result = self.run_program("run", "--model", "openai:m", "--tasks", "gsm8k-mini",
                                      "--launch", name + " {port}", "-o", "a")
            self.assert_refused(result, f"'{name}' cannot be started", "No such" if "/" in name else
                                "no such program on PATH", codes=(2,))
            self.assertFalse(os.path.exists(self.path("a")))

    def test_no_shell_is_involved(self):
        result = self.run_program("generate", "-m", "openai:m", "--launch",
                                  self.server("; touch shell; $(touch shell) > shell | touch shell"),
                                  "hello")
        self.assert_exit(result, 0)
        self.assertFalse(os.path.exists(self.path("shell")))
        self.assert_gone()

    def test_a_command_that_cannot_be_is_refused(self):
        for command, word in (("no-such-program {port}", "cannot be started"),
                              ("server --port 1", "has no {port}"), ("a 'b {port}", "never closed"),
                              ("a {port} {color}", "no placeholder {color}"),
                              ("a {port} {context}", "{context} is not known")):
            with self.subTest(command=command):
                self.assert_refused(self.run_program("generate", "-m", "openai:m", "--launch",
                                                     command, "hello"), word)


if __name__ == "__main__":
    unittest.main()
