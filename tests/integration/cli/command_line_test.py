"""Help, version, usage errors: what a newcomer meets first."""

import os
import subprocess
import unittest

from program import BINARY, ProgramTest, environment


class CommandLineTest(ProgramTest):
    def test_help_names_every_command_with_examples_and_exit_codes(self):
        result = self.run_program("--help")
        self.assert_exit(result, 0)
        self.assertEqual(result.stderr, "")
        for word in ("run", "report", "bench", "Examples:", "Exit codes:", "130"):
            self.assertIn(word, result.stdout)

    def test_each_command_has_a_help_that_fits_the_screen(self):
        commands = [line.split()[0] for line in
                    self.run_program("--help").stdout.split("Commands:\n")[1].split("\n\n")[0]
                    .splitlines() if line.startswith("  ") and line[2] != " "]
        self.assertGreaterEqual(set(commands), {"run", "report", "bench"})
        for command in commands:
            result = self.run_program(command, "--help")
            self.assert_exit(result, 0)
            examples = result.stdout.partition("Example")[2]
            self.assertRegex(examples, rf"moebench {command}\b|--{command}s? ",
                             f"moebench {command} --help shows no example of its own")
            for line in result.stdout.splitlines():
                self.assertLessEqual(len(line), 110, f"moebench {command} --help: {line}")

    def test_version_tells_the_commit_and_the_compiler(self):
        result = self.run_program("--version")
        self.assert_exit(result, 0)
        self.assertRegex(result.stdout, r"^moebench \d+\.\d+\.\d+ \((unknown|[0-9a-f]{12}(-dirty)?)\)\n")

    def test_without_a_command_it_shows_help_and_fails(self):
        result = self.run_program()
        self.assert_exit(result, 2)
        self.assertEqual(result.stdout, "")
        self.assertIn("Commands:", result.stderr)

    def test_a_misspelt_command_or_option_is_named(self):
        self.assert_refused(self.run_program("rnu", "--model", "canary"), "'rnu'", "try: moebench --help",
                            codes=(2,))
        self.assert_refused(self.run_program("run", "--modle", "canary"), "--modle",
                            "try: moebench run --help", codes=(2,))

    def test_a_command_of_a_command_is_named_when_it_is_misspelt_or_missing(self):
        self.assert_refused(self.run_program("model", "info", "canary"),
                            "there is no command 'model info'", "try: moebench model --help",
                            codes=(2,))
        self.assert_refused(self.run_program("model"), "'model' needs one of its commands: inspect",
                            codes=(2,))

    def test_a_model_that_is_not_there_is_the_users_to_mend(self):
        for model in ("canry", "./nope.gguf"):
            self.assert_refused(self.run_program("run", "--model", model, "--tasks", "gsm8k-mini"),
                                f"{model}: no such file", codes=(2,))

    def test_a_port_that_cannot_be_is_refused_with_its_range(self):
        self.assert_refused(self.run_program("serve", "--model", "canary", "--port", "99999"),
                            "--port", "0 to 65535", codes=(2,))

    def test_data_finds_its_folder_as_run_does(self):
        os.makedirs(self.path("d"))
        with open(self.path("d", "math500.jsonl"), "w", encoding="utf-8") as file:
            file.write("{}\n")
        result = self.run_program("data", "verify", env=environment(MOEBENCH_DATA_DIR="d"))
        self.assert_exit(result, 1)
        self.assertIn("FAILED  math500", result.stdout)
        os.makedirs(self.path("empty"))
        for folder, words in (("nodata", "no such folder"), ("empty", "holds no file of any task")):
            result = self.run_program("data", "verify", "--data", folder)
            self.assertEqual(result.returncode, 2)
            self.assertIn(words, result.stderr)
            self.assertIn(f"--data {folder}", result.stderr)

    def test_a_missing_model_or_task_tells_what_to_give(self):
        self.assert_refused(self.run_program("run", "--tasks", "gsm8k-mini"), "model", codes=(2,))
        self.assert_refused(self.run_program("run", "--model", "null"), "--list-tasks", codes=(2,))
        self.assert_refused(self.run_program("run", "--model", "null", "--tasks", "gsm9k"), "gsm9k",
                            codes=(2,))

    def test_the_tasks_are_listed_on_stdout(self):
        result = self.run_program("run", "--list-tasks")
        self.assert_exit(result, 0)
        names = [line.split()[0] for line in result.stdout.splitlines()]
        self.assertGreaterEqual(set(names), {"gsm8k", "gsm8k-mini", "math", "math-mini", "math500"})
        self.assertIn("openai/grade-school-math", result.stdout, "each task names its source")

    def test_published_data_that_is_not_there_comes_with_the_remedy(self):
        result = self.run_program("run", "--model", "null", "--tasks", "gsm8k")
        self.assert_refused(result, "gsm8k", "--data", codes=(2,))

    def test_no_colours_without_a_terminal(self):
        result = self.run_program("run", "--model", "null", "--tasks", "gsm8k-mini", "-n", "3",
                                  "-o", "a", env=environment(TERM="xterm"))
        self.assert_exit(result, 0)
        self.assertNotIn("\033", result.stdout + result.stderr)

    def test_a_reader_that_has_read_enough_gets_no_complaint(self):
        read, write = os.pipe()
        os.close(read)
        result = subprocess.run([BINARY, "cost"], stdout=write, stderr=subprocess.PIPE, text=True,
                                check=False)
        os.close(write)
        self.assertEqual((result.returncode, result.stderr), (3, ""))

    def test_a_full_device_behind_stdout_is_an_error(self):
        for arguments in (("run", "--list-tasks"), ("devices",), ("model", "inspect", "canary")):
            with self.subTest(arguments=arguments), open("/dev/full", "w", encoding="utf-8") as full:
                result = subprocess.run([BINARY, *arguments], stdout=full, text=True,
                                        stderr=subprocess.PIPE, check=False)
                self.assertEqual(result.returncode, 3)
                self.assertIn("stdout", result.stderr)


if __name__ == "__main__":
    unittest.main()
