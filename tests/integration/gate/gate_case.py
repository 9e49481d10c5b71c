"""What the gate's tests share: small runs, small gate files, reading its outputs."""

import json
import os
import stat

from program import BINARY, ProgramTest, environment

MUTANTS = os.environ.get("MOEBENCH_MUTANTS", "")


def mutant(name):
    return os.path.join(MUTANTS, "moebench_mutant_" + name)


class GateTest(ProgramTest):
    def gate(self, *arguments, env=None, timeout=240):
        changes = {"GITHUB_ACTIONS": "", "GITHUB_STEP_SUMMARY": ""}
        changes.update(env or {})
        return self.run_program("gate", *arguments, env=environment(**changes), timeout=timeout)

    def gate_file(self, **keys):
        settings = {"check": {"model": "canary", "tasks": "gsm8k-mini", "limit": 12},
                    "timing": {"model": "canary", "tasks": "gsm8k-mini", "limit": 12, "threads": 1},
                    "run_timeout_seconds": 100, "budget_seconds": 200}
        settings.update(keys)
        path = self.path("gate.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(settings, file)
        return path

    def script(self, name, text):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text + "\n")
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def run_canary(self, name, *arguments, tasks="gsm8k-mini"):
        result = self.run_program("run", "--model", "canary", "--tasks", tasks, "--limit",
                                  "12", "-o", name, *arguments)
        self.assert_exit(result, 0)
        return self.path(name)

    def edit_record(self, name, change):
        record = self.record(name)
        change(record)
        with open(self.path(name, "run.json"), "w", encoding="utf-8") as file:
            json.dump(record, file)

    def checks(self, report):
        with open(report, encoding="utf-8") as file:
            tables = {table["id"]: table["rows"] for table in json.load(file)["tables"]}
        return {row["check"]: row for row in tables["checks"]}


__all__ = ["BINARY", "GateTest", "environment", "mutant"]
