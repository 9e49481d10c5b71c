"""A server of OpenAI's protocol that misbehaves as its script says.

`FaultServer(script)` serves on a free loopback port. `script(n)` names what befalls the n-th POST:
"ok", or one of FAULTS. A good answer is a function of the prompt alone, so that a test can tell what
must arrive whatever went wrong before. Run as a program it serves "ok" until it is killed:
fault_server.py PORT.
"""

import hashlib
import http.server
import json
import ssl
import sys
import threading
import time

FAULTS = ("429", "500", "half_chunk", "half_stream", "garbage", "long_line", "silence", "close",
          "deep", "error_in_stream", "no_finish")


def answer_words(prompt):
    """Some words and a final number, told by the prompt's hash."""
    digest = hashlib.sha256(prompt.encode()).digest()
    words = ["<think>", "let", " me", " see", "</think>"]
    words += [f" w{byte}" for byte in digest[:3 + digest[3] % 20]]
    return words + [f"\n#### {digest[4]}"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def plain(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.server.owner.authorizations.append(self.headers.get("Authorization"))
        if self.path == "/health":
            self.plain(200, {"status": "ok"})
        elif self.path == "/v1/models":
            self.plain(200, {"object": "list", "data": [{"id": "m", "owned_by": "tests"}]})
        else:
            self.plain(404, {"error": {"message": "no such page"}})

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def event(self, value):
        self.chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def start_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def do_POST(self):
        owner = self.server.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with owner.lock:
            number = owner.n_posts
            owner.n_posts += 1
            owner.in_flight += 1
            owner.most_in_flight = max(owner.most_in_flight, owner.in_flight)
            owner.bodies.append(body)
            owner.times.append(time.monotonic())
        try:
            self.behave(owner.script(number), body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with owner.lock:
                owner.in_flight -= 1

    def behave(self, fault, body):
        owner = self.server.owner
        if fault == "429":
            return self.plain(429, {"error": {"message": "slow down"}}, [("Retry-After", "1")])
        if fault == "500":
            return self.plain(500, b"<html>Internal \x00 Server Error</html>")
        if fault == "400":
            return self.plain(400, {"error": {"message": "bad " + self.headers["Authorization"]}})
        if fault == "401":
            return self.plain(401, {"error": {"message": "key revoked"}})
        if fault == "close":
            self.close_connection = True
            return None
        if fault == "silence":
            owner.released.wait(60)
            self.close_connection = True
            return None
        self.start_stream()
        if fault == "garbage":
            self.chunk(b"data: {\"choices\": [{\"te\xff\xfe\x00\n\ndata: ]]]\n\n")
        elif fault == "long_line":
            for _ in range(160):
                self.chunk(b"data: " + b"x" * 65536)  # 10 MB without a line's end
        elif fault == "deep":
            self.chunk(b"data: " + b"[" * 100000 + b"\n\n")
        elif fault == "half_chunk":
            self.wfile.write(b"ffff\r\ndata: {\"choices\": [{\"text\": \"lost")
            self.wfile.flush()
        elif fault == "error_in_stream":
            self.event({"choices": [{"index": 0, "text": "lost"}]})
            self.event({"error": {"message": "out of memory"}})
        elif fault == "many_reasons":
            self.event({"error": {"message": f"reason {time.monotonic_ns()} of many"}})
        else:
            return self.stream(fault, body)
        self.close_connection = True
        return None

    def stream(self, fault, body):
        owner = self.server.owner
        chat = "messages" in body
        prompt = body["messages"][-1]["content"] if chat else str(body["prompt"])
        words = answer_words(prompt)
        if fault == "key":  # in pieces
            words[-1:-1] = list(self.headers["Authorization"])
        if fault == "html":
            words[-1:-1] = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>\x1b[31m"]
        limit = body.get("max_tokens", len(words))
        reason = "stop" if len(words) <= limit else "length"
        words = words[:limit]
        if chat:  # a chunk that carries no token
            self.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        for i, word in enumerate(words):
            if fault == "half_stream" and i == len(words) // 2:
                self.close_connection = True
                return
            last = i + 1 == len(words) and fault != "no_finish"
            choice = {"index": 0, "finish_reason": reason if last else None}
            choice.update({"delta": {"content": word}} if chat else {"text": word})
            self.event({"choices": [choice]})
            if owner.token_seconds:
                time.sleep(owner.token_seconds)
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(words),
                 "prompt_tokens_details": {"cached_tokens": 2}}
        if fault != "no_usage":
            self.event({"choices": [], "usage": usage})
        self.chunk(b": a comment\r\n\r\ndata: [DONE]\r\n\r\n")
        self.wfile.write(b"0\r\n\r\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *arguments):
        pass


class FaultServer:
    def __init__(self, script=lambda n: "ok", token_seconds=0, port=0, tls=None):
        """`tls`: the files of a certificate and its key; None: plain HTTP."""
        self.script = script
        self.token_seconds = token_seconds
        self.lock = threading.Lock()
        self.n_posts = self.in_flight = self.most_in_flight = 0
        self.bodies, self.times, self.authorizations = [], [], []
        self.released = threading.Event()
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.owner = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


if __name__ == "__main__":
    server = FaultServer(port=int(sys.argv[1]))
    threading.Event().wait()
