"""`moebench serve` as clients see it: the protocol, its limits, and what happens when they leave."""

import concurrent.futures
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import program  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
LONG = {"prompt": "Tom has 3", "max_tokens": 480, "ignore_eos": True, "temperature": 0}


class ServeTest(program.ProgramTest):
    def start(self, *arguments, key=None):
        env = program.environment(**({"MOEBENCH_API_KEY": key} if key else {}))
        child = subprocess.Popen(
            [program.BINARY, "serve", "--model", "canary", "--port", "0", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder, env=env)
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        url = child.stdout.readline().strip()
        self.assertRegex(url, r"^http://127\.0\.0\.1:\d+/v1$", "the server did not start")
        self.port = int(url.split(":")[2].split("/")[0])
        self.url = url
        return child

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.addCleanup(connection.close)
        return connection

    def ask(self, path, body=None, headers=(), method=None, connection=None):
        connection = connection or self.connect()
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(method or ("GET" if data is None else "POST"), path, data,
                           {"Content-Type": "application/json", **dict(headers)})
        response = connection.getresponse()
        return response.status, response.read()

    def complete(self, **fields):
        status, body = self.ask("/v1/completions", fields)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def refused(self, status, word, path, *arguments, **options):
        got, body = self.ask(path, *arguments, **options)
        self.assertEqual(got, status, body)
        error = json.loads(body)["error"]
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        self.assertIn(word, error["message"])

    def stream(self, path, **fields):
        connection = self.connect()
        connection.request("POST", path, json.dumps({**fields, "stream": True}),
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        self.assertTrue(response.getheader("Content-Type").startswith("text/event-stream"))
        lines = response.read().decode().split("\n\n")
        self.assertEqual(lines[-2:], ["data: [DONE]", ""])
        return [json.loads(line[len("data: "):]) for line in lines[:-2]]

    def metric(self, name):
        _, body = self.ask("/metrics")
        for line in body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        self.fail(f"no metric {name}")

    def wait_for(self, name, value):
        limit = time.monotonic() + 30
        while self.metric(name) != value and time.monotonic() < limit:
            time.sleep(0.02)
        self.assertEqual(self.metric(name), value, name)

    def send_raw(self, body, path="/v1/completions"):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.addCleanup(sock.close)
        data = json.dumps(body).encode()
        sock.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n" % (path.encode(), len(data)) + data)
        return sock

    def test_streams_hold_what_whole_answers_hold(self):
        self.start()
        for path, prompt in (("/v1/completions", {"prompt": "Tom has 3 apples."}),
                             ("/v1/chat/completions",
                              {"messages": [{"role": "user", "content": "What is 3 + 4?"}]})):
            fields = {**prompt, "max_tokens": 60, "temperature": 0.8, "seed": 5, "n": 3}
            whole = json.loads(self.ask(path, fields)[1])
            chunks = self.stream(path, **fields, stream_options={"include_usage": True})
            self.assertEqual(chunks[-1]["usage"]["completion_tokens"],
                             whole["usage"]["completion_tokens"])
            for choice in whole["choices"]:
                parts = [c["choices"][0] for c in chunks[:-1]
                         if c["choices"][0]["index"] == choice["index"]]
                if "chat" in path:
                    for field in ("content", "reasoning_content"):
                        text = "".join(p["delta"].get(field, "") for p in parts)
                        self.assertEqual(text, choice["message"].get(field, ""))
                else:
                    self.assertEqual("".join(p["text"] for p in parts), choice["text"])
                self.assertEqual(parts[-1]["finish_reason"], choice["finish_reason"])
                self.assertTrue(all(p["finish_reason"] is None for p in parts[:-1]))

    def test_a_model_is_told_by_its_name(self):
        self.start("--served-name", "org/a model")
        listed = json.loads(self.ask("/v1/models")[1])["data"]
        status, body = self.ask("/v1/models/org%2Fa%20model")
        self.assertEqual((status, [json.loads(body)]), (200, listed))
        self.assertEqual(listed[0]["id"], "org/a model")
        self.refused(404, "there is no", "/v1/models/other")

    def test_an_answer_does_not_depend_on_who_else_asks(self):
        self.start()
        fields = dict(prompt="Mia has 12 pens and", max_tokens=50, temperature=1, seed=9)
        alone = self.complete(**fields)["choices"][0]["text"]
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            texts = list(pool.map(
                lambda i: self.complete(**fields)["choices"][0]["text"] if i % 2 else
                self.complete(prompt=f"{i} and", max_tokens=i + 1) and alone, range(48)))
        self.assertEqual(set(texts), {alone})

    def test_echo_tells_the_prompts_log_probabilities(self):
        self.start()
        prompt = "Tom has 3 apples and buys 4 more. " * 12  # longer than one step's logit rows
        both = self.complete(prompt=prompt, max_tokens=8, temperature=0, echo=True, logprobs=2)
        logprobs = both["choices"][0]["logprobs"]
        n = both["usage"]["prompt_tokens"]
        self.assertGreater(n, 128)
        self.assertEqual(len(logprobs["tokens"]), n + 8)
        self.assertEqual("".join(logprobs["tokens"]), both["choices"][0]["text"])
        self.assertIsNone(logprobs["token_logprobs"][0])
        for i, (token, value, top) in enumerate(zip(logprobs["tokens"], logprobs["token_logprobs"],
                                                    logprobs["top_logprobs"])):
            self.assertEqual(logprobs["text_offset"][i], len("".join(logprobs["tokens"][:i])))
            if i > 0:
                self.assertEqual(top[token], value)
                self.assertLess(value, 1e-6)
            if i >= n:
                self.assertEqual(value, max(top.values()))  # greedy
        # The generated tokens' values are those of a generation without echo, and scoring the whole
        # text as a prompt gives the same bits again.
        plain = self.complete(prompt=prompt, max_tokens=8, temperature=0, logprobs=2)
        self.assertEqual(plain["choices"][0]["logprobs"]["token_logprobs"],
                         logprobs["token_logprobs"][n:])
        scored = self.complete(prompt=prompt, max_tokens=0, echo=True, logprobs=2)
        self.assertEqual(scored["choices"][0]["logprobs"]["token_logprobs"],
                         logprobs["token_logprobs"][:n])
        self.assertEqual(scored["usage"]["completion_tokens"], 0)

    def test_log_probabilities_do_not_depend_on_the_batch(self):
        self.start()
        def score(text):
            answer = self.complete(prompt=text, max_tokens=0, echo=True, logprobs=1)
            return answer["choices"][0]["logprobs"]["token_logprobs"]
        texts = [f"Ann has {i} books and sells {i // 2} of them. " * (1 + i % 7) for i in range(20)]
        alone = [score(text) for text in texts]
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            self.assertEqual(list(pool.map(score, texts)), alone)

    def test_what_is_wrong_is_said_in_the_apis_shape(self):
        self.start()
        path = "/v1/completions"
        self.refused(400, "not valid JSON", path, b"{")
        self.refused(400, "nested too deeply", path, b'{"prompt":' + b"[" * 5000)
        self.refused(400, "'prompt' is missing", path, {})
        self.refused(400, "'temperature' has to be", path, {"prompt": "a", "temperature": "hot"})
        self.refused(400, "'frequency_penalty' is not served", path,
                     {"prompt": "a", "frequency_penalty": 1})
        self.refused(400, "unrecognized request argument: 'tempreature'", path,
                     {"prompt": "a", "tempreature": 1})
        self.refused(400, "the context holds 512", path, {"prompt": "word " * 600})
        self.refused(400, "the context holds 512", path, {"prompt": "word " * 600, "stream": True})
        self.refused(400, "vocabulary ends", path, {"prompt": [1, 99999999]})
        self.refused(400, "the role 'robot'", "/v1/chat/completions",
                     {"messages": [{"role": "robot", "content": "a"}]})
        self.refused(415, "application/json", path, b"{}", headers={"Content-Type": "text/plain"})
        self.refused(405, "GET", path)
        self.refused(404, "/v1/embeddings", "/v1/embeddings", {})
        self.refused(413, "body is larger", path, b" " * (9 << 20))

    def test_bytes_that_are_no_http_are_answered_or_dropped(self):
        child = self.start()
        for junk in (b"\x00\xff" * 100, b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n",
                     b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 5000 + b"\r\n",
                     b"POST /v1/completions HTTP/1.1\r\nContent-Length: -5\r\n\r\n"):
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            try:
                sock.sendall(junk)
                answer = sock.recv(100)
                self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer)
            except ConnectionError:
                pass
            sock.close()
        self.assertEqual(self.ask("/health")[0], 200)
        self.assertIsNone(child.poll())

    def test_a_client_that_leaves_frees_its_slot(self):
        self.start("--batch-size", "2")
        for stream in (False, True):
            socks = [self.send_raw({**LONG, "stream": stream, "n": 2}) for _ in range(2)]
            self.wait_for("moebench_requests_running", 2)
            for sock in socks:
                sock.close()
            self.wait_for("moebench_requests_running", 0)
            self.wait_for("moebench_requests_waiting", 0)
        self.assertGreaterEqual(self.metric("moebench_client_disconnects_total"), 3)
        self.assertEqual(self.complete(prompt="a", max_tokens=2)["usage"]["completion_tokens"], 2)

    def test_a_full_queue_is_told_at_once(self):
        self.start("--batch-size", "1", "--queue", "2")
        socks = [self.send_raw(LONG) for _ in range(3)]
        limit = time.monotonic() + 30
        statuses = []
        while 429 not in statuses and time.monotonic() < limit:
            statuses.append(self.ask("/v1/completions", {"prompt": "a", "max_tokens": 1})[0])
            if statuses[-1] == 200:
                socks.append(self.send_raw(LONG))
        self.assertIn(429, statuses)
        for sock in socks:
            sock.close()
        self.wait_for("moebench_requests_waiting", 0)
        self.assertEqual(self.ask("/v1/completions", {"prompt": "a", "max_tokens": 1})[0], 200)

    def test_running_requests_finish_after_the_signal_and_new_ones_are_refused(self):
        child = self.start("--batch-size", "1")
        idle = self.connect()
        self.assertEqual(self.ask("/health", connection=idle)[0], 200)
        sock = self.send_raw({**LONG, "stream": True, "stream_options": {"include_usage": True}})
        first = sock.recv(65536)
        child.send_signal(signal.SIGTERM)
        text = first + b"".join(iter(lambda: sock.recv(65536), b""))
        self.assertIn(b'"completion_tokens":480', text)
        self.assertIn(b"[DONE]", text)
        self.assertEqual(child.wait(timeout=60), 0)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1)

    def test_shutdown_waits_no_longer_than_it_may(self):
        child = self.start("--batch-size", "1", "--shutdown-seconds", "0")
        sock = self.send_raw({**LONG, "n": 100})
        self.wait_for("moebench_requests_running", 1)
        begin = time.monotonic()
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(timeout=60), 0)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertIn(b" 503 ", sock.recv(65536)[:40])

    def test_a_key_is_asked_for_where_one_is_set(self):
        key = "secret-1234"
        self.start(key=key)
        self.refused(401, "API key", "/v1/models")
        self.refused(401, "API key", "/v1/completions", {"prompt": "a"},
                     headers={"Authorization": "Bearer secret-1235"})
        self.refused(401, "API key", "/metrics", headers={"Authorization": "Bearer "})
        self.assertEqual(self.ask("/health")[0], 200)
        status, body = self.ask("/v1/models", headers={"Authorization": "Bearer " + key})
        self.assertEqual((status, json.loads(body)["data"][0]["id"]), (200, "canary"))

    def test_a_strangers_body_is_not_waited_for(self):
        self.start(key="sk-1")
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.addCleanup(sock.close)
        sock.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n{")
        self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 401 "))

    def test_what_strangers_ask_for_is_not_kept(self):
        self.start(key="sk-1")
        for i in range(20):
            self.refused(401, "API key", f"/page{i}\"}}")
        _, body = self.ask("/metrics", headers={"Authorization": "Bearer sk-1"})
        self.assertNotIn(b"/page", body)
        self.assertIn(b'{path="other",status="401"} 20', body)

    def test_other_machines_are_not_served_without_a_key(self):
        result = self.run_program("serve", "--model", "canary", "--host", "0.0.0.0", "--port", "0")
        self.assert_refused(result, "no API key is set", "MOEBENCH_API_KEY")

    def test_runs_through_the_server_equal_runs_in_process(self):
        self.start()
        common = ("--tasks", "gsm8k-mini,math-mini", "--limit", "8", "--samples", "2",
                  "--temperature", "0.8", "--seed", "3")
        for folder, model in (("here", ("canary",)), ("worker", ("canary", "--workers", "1")),
                              ("there", ("openai:canary", "--base-url", self.url))):
            self.assert_exit(self.run_program("run", "--model", *model, *common, "-o", folder), 0)
        result = subprocess.run([os.path.join(ROOT, "ci", "same_results"), "--engines", "here",
                                 "worker", "there"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_speed_is_measured_through_the_server(self):
        self.start()
        result = self.run_program("bench", "--model", "openai:canary", "--base-url", self.url, "-p",
                                  "64", "-g", "64", "-b", "2", "-r", "1", "--depth", "16")
        self.assert_exit(result, 0)
        self.assertIn("pp64", result.stdout)


if __name__ == "__main__":
    unittest.main()
