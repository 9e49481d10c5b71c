"""`moebench run --model openai:...` against servers that misbehave: no hang, no lost sample, no wrong
count, and no key where it does not belong."""

import os
import random
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import program  # noqa: E402
from fault_server import FAULTS, FaultServer, answer_words  # noqa: E402

N = 24


class OpenAiClientTest(program.ProgramTest):
    def serve(self, *arguments, **options):
        server = FaultServer(*arguments, **options)
        self.addCleanup(server.close)
        return server

    def ask(self, folder, *urls, more=(), env=None, timeout=120, limit=N, batch=8):
        return self.run_program(
            "run", "--model", "openai:m", "--base-url", ",".join(urls), "--tasks", "gsm8k-mini",
            "--limit", str(limit), "-b", str(batch), "-o", folder, *more, timeout=timeout,
            **({"env": program.environment(**env)} if env else {}))

    def assert_all_answered(self, folder):
        samples = self.samples(folder)
        self.assertEqual(len(samples), N)
        self.assertEqual(len({s["question_id"] for s in samples}), N)
        for sample in samples:
            # The whole answer of one attempt, and nothing of those that broke.
            self.assertEqual(sample["finish_reason"], "eos", sample)
            self.assertEqual(sample["thinking"], "let me see")
            self.assertRegex(sample["output"], r"^( w\d+)+\n#### \d+$")
            self.assertEqual(sample["output_tokens"], 6 + sample["output"].count(" w"))
            self.assertEqual(sample["cached_tokens"], 2)

    def test_a_good_server_gives_every_answer(self):
        server = self.serve()
        self.assert_exit(self.ask("good", server.url), 0)
        self.assert_all_answered("good")
        self.assertEqual(server.n_posts, N)
        self.assertLessEqual(server.most_in_flight, 8)

    def test_each_fault_costs_an_attempt_and_no_answer(self):
        self.assert_exit(self.ask("good", self.serve().url), 0)
        for fault in FAULTS:
            with self.subTest(fault=fault):
                server = self.serve(lambda n, fault=fault: fault if n in (2, 5) else "ok")
                result = self.ask(fault, server.url, more=("--request-seconds", "1.5"))
                self.assert_exit(result, 0)
                self.assert_all_answered(fault)
                self.assertEqual(self.outcomes(fault), self.outcomes("good"))
                self.assertEqual(server.n_posts, N + 2)
                self.assertIn("tried again", " ".join(self.record(fault)["warnings"]))
                self.assertEqual(self.record(fault)["retries"],
                                 {"requests_retried": 2, "retries": 2})
                self.assertEqual(sorted(s["retries"] for s in self.samples(fault)),
                                 [0] * (N - 2) + [1] * 2)
                with open(self.path(fault, "report.md"), encoding="utf-8") as report:
                    self.assertRegex(report.read(), r"requests asked again *\| *2 ")
        self.assertEqual(self.record("good")["retries"], {"requests_retried": 0, "retries": 0})

    def test_faults_at_random_cost_no_answer(self):
        self.assert_exit(self.ask("good", self.serve().url), 0)
        fate = random.Random(7)
        faults = [fate.choice(FAULTS) if fate.random() < 0.3 else "ok" for _ in range(4000)]
        server = self.serve(lambda n: faults[n])
        result = self.ask("random", server.url, more=("--request-seconds", "1", "--retries", "12"))
        self.assert_exit(result, 0)
        self.assertEqual(self.outcomes("random"), self.outcomes("good"))

    def test_a_server_of_many_reasons_fills_no_record(self):
        server = self.serve(lambda n: "many_reasons" if n < 60 else "ok")
        self.assert_exit(self.ask("many", server.url, more=("--retries", "30"), batch=24), 0)
        self.assert_all_answered("many")
        warnings = " ".join(self.record("many")["warnings"])
        self.assertEqual(warnings.count("of many"), 30)
        self.assertIn("other reasons (30 times)", warnings)

    def test_a_request_that_always_fails_is_recorded_as_failed(self):
        server = self.serve(lambda n: "500")
        result = self.ask("failed", server.url, more=("--retries", "1"))
        self.assert_exit(result, 0)
        samples = self.samples("failed")
        self.assertEqual(len(samples), N)
        self.assertEqual({s["verdict"] for s in samples}, {"failed"})
        self.assertEqual(server.n_posts, 2 * N)
        self.assertIn("gave up after 2 attempts: status 500", samples[0]["failure"])
        self.assertEqual(self.record("failed")["retries"],
                         {"requests_retried": N, "retries": N})

    def test_a_server_that_dies_ends_the_run_which_can_be_resumed(self):
        server = self.serve(token_seconds=0.02)
        child = self.start_program("run", "--model", "openai:m", "--base-url", server.url, "--tasks",
                                   "gsm8k-mini", "--limit", str(N), "-b", "2", "--retries", "1",
                                   "-o", "dies")
        while server.n_posts < 8:
            time.sleep(0.02)
        port = server.server.server_address[1]
        server.script = lambda n: "close"
        server.close()
        _, errors = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 3, errors)
        self.assertIn("nothing answers any more", errors)
        again = FaultServer(port=port)
        self.addCleanup(again.close)
        self.assert_exit(self.run_program("run", "--resume", "dies"), 0)
        self.assert_all_answered("dies")

    def test_the_load_is_shared_between_endpoints(self):
        servers = [self.serve(token_seconds=0.002) for _ in range(3)]
        self.assert_exit(self.ask("three", *[s.url for s in servers]), 0)
        self.assert_all_answered("three")
        self.assertEqual(sum(s.n_posts for s in servers), N)
        for server in servers:
            self.assertGreaterEqual(server.n_posts, N // 6)

    def test_an_endpoint_that_fails_leaves_its_work_to_the_other(self):
        good, bad = self.serve(), self.serve(lambda n: "close")
        self.assert_exit(self.ask("one", good.url, bad.url), 0)
        self.assert_all_answered("one")

    def test_the_request_rate_is_kept(self):
        server = self.serve()
        self.assert_exit(self.ask("rate", server.url, more=("--request-rate", "20")), 0)
        # One request may catch up, and arrivals jitter.
        self.assertGreaterEqual(server.times[-1] - server.times[0], 0.95 * (N - 2) / 20)

    def test_the_key_goes_to_the_server_and_nowhere_else(self):
        key = "sk-4f1d9c77a2"
        server = self.serve(lambda n: "400" if n % 2 else "ok")
        result = self.ask("key", server.url, more=("--api-key-env", "TEST_KEY"),
                          env={"TEST_KEY": key})
        self.assert_exit(result, 0)
        self.assertIn("Bearer " + key, server.authorizations)
        self.assertNotIn(key, result.stdout + result.stderr)
        for folder, _, names in os.walk(self.path("key")):
            for name in names:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    self.assertNotIn(key, file.read(), name)
        failed = [s for s in self.samples("key") if s["verdict"] == "failed"]
        self.assertEqual(len(failed), N // 2)
        self.assertIn("status 400: bad Bearer [key]", failed[0]["failure"])

    def test_a_key_that_is_told_back_is_in_no_record(self):
        key = "sk-4f1d9c77a2"
        server = self.serve(lambda n: "key" if n == 1 else "ok")
        env = {"env": {"TEST_KEY": key}}
        result = self.ask("key", server.url, more=("--api-key-env", "TEST_KEY"), **env)
        self.assert_exit(result, 0)
        failures = [s["failure"] for s in self.samples("key") if s["verdict"] == "failed"]
        self.assertEqual(failures, ["the answer holds the API key, which no record may tell"])
        self.assertEqual(subprocess.run(["grep", "-r", key, self.path("key")]).returncode, 1)
        launch = f"'{sys.executable}' -m http.server {{port}} --bind 127.0.0.1 {key}"
        for arguments, word in ((("--base-url", server.url + "?key=" + key), "a query in it"),
                                (("--launch", launch), "holds the API key")):
            refused = self.run_program("generate", "-m", "openai:m", "--api-key-env", "TEST_KEY",
                                       *arguments, "hello", env=program.environment(TEST_KEY=key))
            self.assert_refused(refused, word)
            self.assertNotIn(key, refused.stderr)

    def test_markup_in_answers_stays_text(self):
        self.assert_exit(self.ask("html", self.serve(lambda n: "html").url), 0)
        with open(self.path("html", "report.html"), encoding="utf-8") as file:
            report = file.read()
        for word in ("<script>alert", "<img src=x", "\x1b"):
            self.assertIn(word, self.samples("html")[0]["output"])
            self.assertNotIn(word, report)

    def test_a_refused_key_ends_the_run(self):
        server = self.serve(lambda n: "401" if n == 3 else "ok")
        result = self.ask("refused", server.url)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("key revoked", result.stderr)

    def certificate(self, name, subject):
        """A certificate that signs itself, and its key."""
        files = self.path(name + ".pem"), self.path(name + ".key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=" + name, "-addext", "subjectAltName=" + subject,
                        "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
        return files

    @unittest.skipUnless(shutil.which("openssl"), "needs openssl to make certificates")
    def test_a_server_is_trusted_by_its_certificate_alone(self):
        ours = self.certificate("ours", "IP:127.0.0.1")
        others = self.certificate("others", "IP:127.0.0.1")
        elsewhere = self.certificate("elsewhere", "DNS:example.com")
        server = self.serve(tls=ours)
        secret = {"more": ("--api-key-env", "TEST_KEY"), "env": {"TEST_KEY": "sk-7"}}

        def trusting(certificate):
            return {**secret, "more": (*secret["more"], "--ca-file", certificate[0])}

        self.assert_refused(self.ask("a", server.url, **secret), "certificate", "--ca-file")
        self.assert_refused(self.ask("b", server.url, **trusting(others)), "certificate")
        misplaced = self.serve(tls=elsewhere)
        self.assert_refused(self.ask("c", misplaced.url, **trusting(elsewhere)), "127.0.0.1")
        self.assertEqual(server.authorizations + misplaced.authorizations, [])
        self.assert_exit(self.ask("d", server.url, **trusting(ours)), 0)
        self.assert_all_answered("d")
        self.assertIn("Bearer sk-7", server.authorizations)
        self.assert_refused(self.ask("e", server.url, more=("--ca-file", "none.pem")), "none.pem")

    def test_no_proxy_is_asked_for_what_runs_here(self):
        result = self.ask("here", self.serve().url, env={"http_proxy": "http://127.0.0.1:9"})
        self.assert_exit(result, 0)
        self.assert_all_answered("here")

    def test_an_answer_cut_at_the_limit_is_truncated(self):
        self.assert_exit(self.ask("cut", self.serve().url, more=("--max-tokens", "6")), 0)
        self.assertEqual({s["finish_reason"] for s in self.samples("cut")}, {"length"})
        self.assertEqual({s["verdict"] for s in self.samples("cut")}, {"truncated"})

    def test_without_usage_chunks_are_counted_and_that_is_said(self):
        self.assert_exit(self.ask("usage", self.serve(lambda n: "no_usage").url), 0)
        for sample in self.samples("usage"):
            self.assertEqual(sample["output_tokens"], 6 + sample["output"].count(" w"))
        self.assertIn("told no usage", " ".join(self.record("usage")["warnings"]))

    def test_times_are_those_of_the_stream(self):
        server = self.serve(token_seconds=0.03)
        self.assert_exit(self.ask("times", server.url, batch=1, limit=3), 0)
        for sample in self.samples("times"):
            timing = sample["timing"]
            spread = timing["last_token_ms"] - timing["first_token_ms"]
            expected = 30 * (sample["output_tokens"] - 1)
            self.assertGreater(spread, 0.9 * expected)
            self.assertLess(timing["first_token_ms"], 30 * sample["output_tokens"] / 2)

    def test_wrong_addresses_and_names_are_refused_at_once(self):
        server = self.serve()
        self.assert_refused(self.ask("a", "http://127.0.0.1:9/v1"), "no answer")
        self.assert_refused(self.ask("b", "ftp://127.0.0.1/v1"), "no http or https URL")
        self.assert_refused(self.ask("c", "http://user:secret@127.0.0.1:9/v1"), "a user or a password")
        self.assert_refused(self.ask("d", server.url[:-3] + "/other"), "/models")
        self.assert_refused(self.run_program("generate", "-m", "openai:x", "--base-url", server.url,
                                             "hello"), "does not serve 'x'", "m")
        self.assert_refused(self.run_program("generate", "-m", "openai:m", "hello"), "--base-url")
        self.assert_refused(self.run_program("generate", "-m", "canary", "--base-url", server.url,
                                             "hello"), "openai:NAME")

    def test_generate_works_with_raw_prompts_and_chats(self):
        server = self.serve()
        for flags in ((), ("--raw",)):
            result = self.run_program("generate", "-m", "openai:m", "--base-url", server.url, "hello",
                                      *flags)
            self.assert_exit(result, 0)
            self.assertEqual(result.stdout.strip(), "".join(answer_words("hello")[5:]).strip())


if __name__ == "__main__":
    unittest.main()
