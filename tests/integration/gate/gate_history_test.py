"""The history: many writers, kills, what it finds."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

from gate_case import BINARY, GateTest, environment


class HistoryTest(GateTest):
    def setUp(self):
        super().setUp()
        self.run_canary("run")

    def copies(self, count, slower_from=None):
        """Runs of a made-up past: one a day, each with its commit, slower from one of them on."""
        record = self.record("run")
        shuffled = random.Random(4)
        paths = []
        for i in range(count):
            name = f"run{i}"
            shutil.copytree(self.path("run"), self.path(name))

            def change(r, i=i):
                r["run_id"] = f"run{i}"
                r["started_utc"] = f"2026-01-{i + 1:02d}T00:00:00Z"
                r["build"]["commit"] = f"{i:012x}"
                slower = 1.1 if slower_from is not None and i >= slower_from else 1
                r["segments"][0]["cpu_seconds"] = (
                    record["segments"][0]["cpu_seconds"] * slower * shuffled.uniform(0.997, 1.003))
                r["segments"][0]["wall_seconds"] = record["segments"][0]["wall_seconds"]
            self.edit_record(name, change)
            paths.append(name)
        return paths

    def history(self, *arguments):
        return self.run_program("history", *arguments)

    def stored(self):
        with sqlite3.connect(self.path("h.sqlite")) as database:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone()[0], "ok")
            figures = dict(database.execute(
                "SELECT run_id, count(name) FROM runs LEFT JOIN figures ON run = id GROUP BY id"))
        return figures

    def test_a_change_is_found_and_dated_to_its_commit(self):
        self.assert_exit(self.history("add", "-f", "h.sqlite", *self.copies(24, slower_from=13)), 0)
        result = self.history("changes", "-f", "h.sqlite", "--format", "json")
        self.assert_exit(result, 0)
        rows = json.loads(result.stdout)["tables"][0]["rows"]
        cpu = [row for row in rows if row["figure"] == "cpu_ms_per_token"]
        self.assertEqual(len(cpu), 1, rows)
        self.assertTrue(cpu[0]["commit"].startswith("00000000000d"), cpu)
        self.assert_exit(self.gate("--history", "h.sqlite", "--junit", "j.xml"), 1)
        self.assert_exit(self.history("plot", "-f", "h.sqlite", "-o", "h.html"), 0)
        with open(self.path("h.html"), encoding="utf-8") as file:
            self.assertIn("<svg", file.read())
        self.assertEqual(len(self.stored()), 24)

    def test_a_run_is_there_once(self):
        for _ in range(2):
            self.assert_exit(self.history("add", "-f", "h.sqlite", "run"), 0)
        self.assertEqual(len(self.stored()), 1)
        self.assert_exit(self.history("list", "-f", "h.sqlite"), 0)
        self.assert_exit(self.gate("--history", "h.sqlite"), 4)

    def test_many_writers_at_once_lose_nothing(self):
        names = self.copies(12)
        writers = [subprocess.Popen([BINARY, "history", "add", "-f", "h.sqlite", name],
                                    cwd=self.folder, env=environment(), stderr=subprocess.PIPE)
                   for name in names]
        for writer in writers:
            _, stderr = writer.communicate(timeout=120)
            self.assertEqual(writer.returncode, 0, stderr)
        figures = self.stored()
        self.assertEqual(len(figures), 12)
        self.assertEqual(len(set(figures.values())), 1)

    def test_a_killed_writer_leaves_whole_runs(self):
        names = self.copies(25)
        clock = random.Random(9)
        for name in names:
            writer = subprocess.Popen([BINARY, "history", "add", "-f", "h.sqlite", name],
                                      cwd=self.folder, env=environment(), stderr=subprocess.DEVNULL)
            time.sleep(clock.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        self.assert_exit(self.history("add", "-f", "h.sqlite", "run"), 0)
        figures = self.stored()
        self.assertIn(self.record("run")["run_id"], figures)
        self.assertEqual(len(set(figures.values())), 1, figures)

    def test_what_is_no_history_is_refused(self):
        with open(self.path("text"), "w", encoding="utf-8") as file:
            file.write("x" * 5000)
        with sqlite3.connect(self.path("other.sqlite")) as database:
            database.execute("CREATE TABLE t (x)")
        for name in ("text", "other.sqlite"):
            before = os.path.getsize(self.path(name))
            self.assert_refused(self.history("add", "-f", name, "run"), name, codes=(2,))
            self.assert_refused(self.history("list", "-f", name), name, codes=(2,))
            self.assertEqual(os.path.getsize(self.path(name)), before)
        self.assert_refused(self.history("list", "-f", "missing"), "missing", codes=(2,))
        self.assertFalse(os.path.exists(self.path("missing")))

    def test_a_run_without_samples_is_refused_before_anything_is_written(self):
        shutil.copytree(self.path("run"), self.path("bare"))
        os.remove(self.path("bare", "samples.jsonl"))
        result = self.history("add", "-f", "h.sqlite", "run", "bare")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("bare", result.stderr)
        self.assertFalse(os.path.exists(self.path("h.sqlite")))

    def test_a_read_only_history_is_an_error_and_stays_as_it_was(self):
        self.assert_exit(self.history("add", "-f", "h.sqlite", "run"), 0)
        self.copies(1)
        with open(self.path("h.sqlite"), "rb") as file:
            before = file.read()
        os.chmod(self.path("h.sqlite"), 0o444)
        os.chmod(self.folder, 0o555)
        self.addCleanup(os.chmod, self.folder, 0o755)
        # root writes anywhere, so as root the program runs as nobody.
        options = {"user": 65534} if os.geteuid() == 0 else {}
        if options:
            shutil.copy(BINARY, "/tmp/moebench_read_only_test")
            self.addCleanup(os.remove, "/tmp/moebench_read_only_test")
        program = "/tmp/moebench_read_only_test" if options else BINARY
        add = subprocess.run([program, "history", "add", "-f", "h.sqlite", "run0"], cwd=self.folder,
                             env=environment(), capture_output=True, text=True, **options)
        self.assertEqual(add.returncode, 3, add.stderr)
        self.assertIn("h.sqlite", add.stderr)
        listed = subprocess.run([program, "history", "list", "-f", "h.sqlite"], cwd=self.folder,
                                env=environment(), capture_output=True, text=True, **options)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        with open(self.path("h.sqlite"), "rb") as file:
            self.assertEqual(file.read(), before)


if __name__ == "__main__":
    unittest.main()
