#!/usr/bin/env python3
"""load.py [--moebench FILE] [--model MODEL] [--streams N] [--seconds S] [--leave SHARE] [--seed N]

Keeps N streams open at a `moebench serve` for S seconds: chats and completions of random lengths, of
which a share is left half way. Every stream that is not left must end with a finish reason, as many
tokens as its usage tells, and [DONE]. Tells errors, latencies and the server's resident memory, and
exits 1 when there was an error, when a slot is not free 10 s after the last client left, or when the
memory after the first minute (a fifth of S at most) grew by more than 32 MiB. Standard library only.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
import urllib.request

from served import Served

HERE = os.path.dirname(os.path.abspath(__file__))
MOST_GROWTH_MIB = 32


class Load:
    def __init__(self, options, server):
        self.options, self.server = options, server
        self.address = server.url.split("/")[2].split(":")
        self.random = random.Random(options.seed)
        self.errors, self.whole, self.left, self.tokens = [], 0, 0, 0
        self.first_ms, self.between_ms, self.request_ms, self.resident = [], [], [], []

    def request(self):
        dice = self.random
        question = (f"Ann has {dice.randrange(900)} pens and buys {dice.randrange(90)} boxes of "
                    f"{dice.randrange(2, 40)}. How many has she now?")
        body = {"max_tokens": dice.randrange(8, 200), "temperature": dice.choice([0, 0.8]),
                "stream": True, "stream_options": {"include_usage": True}, "return_token_ids": True,
                "ignore_eos": dice.random() < 0.5}
        if dice.random() < 0.5:
            return "/v1/chat/completions", {**body, "messages": [{"role": "user", "content": question}]}
        return "/v1/completions", {**body, "prompt": question}

    async def stream(self):
        path, body = self.request()
        leave_after = self.random.randrange(1, 40) if self.random.random() < self.options.leave else None
        data = json.dumps(body).encode()
        reader, writer = await asyncio.open_connection(self.address[0], int(self.address[1]))
        begin = last = time.monotonic()
        try:
            writer.write(f"POST {path} HTTP/1.0\r\nHost: a\r\nContent-Type: application/json\r\n"
                         f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
            status = await reader.readline()
            if b" 200 " not in status:
                raise ValueError(f"{status!r}: {(await reader.read(2000))[-300:]!r}")
            n_tokens, finish, usage, done = 0, None, None, False
            async for line in reader:
                if not line.startswith(b"data: "):
                    continue
                if line == b"data: [DONE]\n":
                    done = True
                    continue
                chunk = json.loads(line[6:])
                if not chunk.get("choices"):
                    if "usage" not in chunk:
                        raise ValueError(line[:300])
                    usage = chunk["usage"]
                    continue
                now = time.monotonic()
                if n_tokens == 0:
                    self.first_ms.append(1000 * (now - begin))
                else:
                    self.between_ms.append(1000 * (now - last))
                last = now
                n_tokens += len(chunk["choices"][0]["token_ids"])
                finish = chunk["choices"][0]["finish_reason"]
                if leave_after is not None and n_tokens >= leave_after and not finish:
                    self.left += 1
                    return
            if not (done and finish and usage and usage["completion_tokens"] == n_tokens):
                raise ValueError(f"ended with {done=} {finish=} {usage=} {n_tokens=}")
            self.request_ms.append(1000 * (time.monotonic() - begin))
            self.whole += 1
            self.tokens += n_tokens
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        finally:
            writer.close()

    async def keep_open(self, until):
        while time.monotonic() < until:
            await self.stream()

    def resident_mib(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    async def watch_memory(self, until):
        while time.monotonic() < until:
            self.resident.append(self.resident_mib())
            await asyncio.sleep(0.5)

    async def run(self):
        until = time.monotonic() + self.options.seconds
        await asyncio.gather(self.watch_memory(until),
                             *(self.keep_open(until) for _ in range(self.options.streams)))

    def busy(self):
        with urllib.request.urlopen(self.server.url[:-3] + "/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        return sum(int(line.split()[1]) for line in lines
                   if line.startswith(("moebench_requests_running ", "moebench_requests_waiting ")))


def percentiles(name, values):
    values = sorted(values)
    at = {p: values[min(len(values) - 1, int(p / 100 * len(values)))] for p in (50, 95, 99)}
    print(f"{name:16} p50 {at[50]:8.1f} ms   p95 {at[95]:8.1f} ms   p99 {at[99]:8.1f} ms   "
          f"longest {values[-1]:8.1f} ms   ({len(values)} values)")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moebench", default=os.path.join(HERE, "..", "..", "..", "build", "moebench"))
    parser.add_argument("--model", default="canary")
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--leave", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with Served(options.moebench, options.model, "--batch-size", str(options.streams)) as server:
        load = Load(options, server)
        before = load.resident_mib()
        asyncio.run(load.run())
        limit = time.monotonic() + 10
        while load.busy() > 0 and time.monotonic() < limit:
            time.sleep(0.05)
        busy, after = load.busy(), load.resident_mib()
    print(f"{options.streams} streams for {options.seconds:g} s: {load.whole} whole, {load.left} left half "
          f"way, {len(load.errors)} errors; {load.tokens / options.seconds:.0f} tokens/s of whole ones")
    for error in load.errors[:5]:
        print("error:", error)
    percentiles("first token", load.first_ms)
    percentiles("between chunks", load.between_ms)
    percentiles("request", load.request_ms)
    early = max(load.resident[:max(1, len(load.resident) // 5)])
    print(f"resident: {before:.0f} MiB before, {early:.0f} MiB at most in the first fifth, "
          f"{max(load.resident):.0f} MiB at most, {after:.0f} MiB after; {busy} requests still at the engine")
    good = not load.errors and busy == 0 and max(load.resident) <= early + MOST_GROWTH_MIB
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
