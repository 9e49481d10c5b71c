#!/usr/bin/env python3
"""openai_package.py [--moebench FILE] [--model MODEL]: PyPI's `openai` package drives `moebench serve`.

Chats and completions, whole and streamed, sync and async; log-probabilities; every class of error that
the package knows; streams that are left. Prints a line a check and exits 1 when one fails.
"""

import argparse
import asyncio
import math
import os
import re
import sys
import threading
import time
import traceback
import urllib.request

import openai
from served import Served

HERE = os.path.dirname(os.path.abspath(__file__))
QUESTION = "Tom has 3 boxes with 4 pens each. He gives away 5 pens. How many pens does he have left?"
CHAT = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 60, "temperature": 0}
PROMPT = {"prompt": "Question: " + QUESTION + "\nAnswer:", "max_tokens": 40, "temperature": 0}


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(a, b, what):
    expect(a == b, f"{what}: {a!r} is not {b!r}")


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


class Checks:
    """The checks of a server without a key; each method is one."""

    def __init__(self, url):
        self.url = url
        self.client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
        self.model = self.client.models.list().data[0].id

    def chat(self, **more):
        return self.client.chat.completions.create(model=self.model, **{**CHAT, **more})

    def complete(self, **more):
        return self.client.completions.create(model=self.model, **{**PROMPT, **more})

    def metric(self, name):
        with urllib.request.urlopen(self.url[:-3] + "/metrics", timeout=10) as reply:
            text = reply.read().decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)", text, re.M).group(1))

    def wait_until_idle(self):
        limit = time.monotonic() + 10
        while self.metric("moebench_requests_running") + self.metric("moebench_requests_waiting") > 0:
            expect(time.monotonic() < limit, "10 s later, a request is still at the engine")
            time.sleep(0.02)

    def models_are_listed_and_retrieved(self):
        one = self.client.models.retrieve(self.model)
        equal((one.id, one.object), (self.model, "model"), "the model")
        raises(openai.NotFoundError, lambda: self.client.models.retrieve("no-such-model"))

    def a_chat_streamed_is_the_chat_whole(self):
        whole = self.chat()
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}))
        deltas = [c.choices[0].delta for c in chunks if c.choices]
        equal(whole.object, "chat.completion", "object")
        equal({c.object for c in chunks}, {"chat.completion.chunk"}, "object")
        equal(len({c.id for c in chunks}), 1, "ids in a stream")
        equal(deltas[0].role, "assistant", "role")
        equal("".join(d.content or "" for d in deltas), whole.choices[0].message.content, "content")
        thinking = getattr(whole.choices[0].message, "reasoning_content", None) or ""
        equal("".join(getattr(d, "reasoning_content", None) or "" for d in deltas), thinking, "thinking")
        ends = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
        equal(ends, [whole.choices[0].finish_reason], "finish reason")
        equal(chunks[-1].choices, [], "choices of the chunk with the usage")
        equal(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens, "usage")
        equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens, "sum")

    def without_include_usage_no_usage_is_streamed(self):
        expect(all(c.choices and c.usage is None for c in self.chat(stream=True)), "a chunk tells usage")

    def a_completion_streamed_is_the_completion_whole(self):
        whole = self.complete(logprobs=3)
        chunks = list(self.complete(logprobs=3, stream=True))
        equal("".join(c.choices[0].text for c in chunks), whole.choices[0].text, "text")
        for field in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
            streamed = [x for c in chunks if c.choices[0].logprobs
                        for x in getattr(c.choices[0].logprobs, field)]
            equal(streamed, getattr(whole.choices[0].logprobs, field), field)

    def several_prompts_and_samples_are_choices_in_order(self):
        prompts = [f"Question: what is {i} + {i}?\nAnswer:" for i in range(3)]
        together = self.complete(prompt=prompts, n=2, temperature=0.8, seed=5)
        equal([c.index for c in together.choices], list(range(6)), "indices")
        for i, prompt in enumerate(prompts):
            alone = self.complete(prompt=prompt, n=2, temperature=0.8, seed=5)
            equal([c.text for c in alone.choices],
                  [c.text for c in together.choices[2 * i:2 * i + 2]], f"prompt {i} alone")

    def token_ids_are_a_prompt(self):
        echoed = self.complete(prompt=[70, 71, 72], echo=True, max_tokens=4, logprobs=0)
        equal(len(echoed.choices[0].logprobs.tokens), 3 + echoed.usage.completion_tokens, "tokens")
        equal(echoed.usage.prompt_tokens, 3, "prompt tokens")

    def echo_with_no_new_token_scores_the_prompt(self):
        scored = self.complete(echo=True, max_tokens=0, logprobs=1).choices[0]
        equal(scored.text, PROMPT["prompt"], "text")
        equal("".join(scored.logprobs.tokens), PROMPT["prompt"], "tokens")
        equal(scored.logprobs.token_logprobs[0], None, "the first token's log-probability")
        expect(all(x <= 0 for x in scored.logprobs.token_logprobs[1:]), "a log-probability above 0")
        for offset, token in zip(scored.logprobs.text_offset, scored.logprobs.tokens):
            equal(scored.text[offset:offset + len(token)], token, f"text at {offset}")

    def log_probabilities_of_a_chat_are_probabilities(self):
        content = self.chat(logprobs=True, top_logprobs=20).choices[0].logprobs.content
        expect(content, "no log-probabilities")
        for token in content:
            values = [t.logprob for t in token.top_logprobs]
            equal(values, sorted(values, reverse=True), "order")
            expect(sum(map(math.exp, values)) <= 1 + 1e-4, "more than 1 together")
            equal(token.top_logprobs[0].token, token.token, "the greedy choice")
            equal(bytes(token.bytes).decode(errors="replace"), token.token, "bytes")

    def a_seed_repeats_and_its_absence_does_not(self):
        seeded = [self.chat(temperature=1.5, seed=11).choices[0].message.content for _ in range(2)]
        equal(seeded[0], seeded[1], "the same seed")
        free = {str(self.chat(temperature=1.5).choices[0].message) for _ in range(4)}
        expect(len(free) > 1, "four samples without a seed are all the same")

    def a_stop_string_ends_and_is_not_told(self):
        whole = self.complete().choices[0].text
        stop = whole[len(whole) // 2:][:3]
        stopped = self.complete(stop=[stop]).choices[0]
        equal(stopped.text, whole[:whole.find(stop)], "text")
        equal(stopped.finish_reason, "stop", "finish reason")

    def a_limit_is_told_as_length(self):
        cut = self.complete(max_tokens=3)
        equal((cut.choices[0].finish_reason, cut.usage.completion_tokens), ("length", 3), "limit")
        newer = self.client.chat.completions.create(model=self.model, messages=CHAT["messages"],
                                                    max_completion_tokens=3, temperature=0)
        equal(newer.usage.completion_tokens, 3, "max_completion_tokens")

    def content_parts_and_roles_are_understood(self):
        parts = [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]
        equal(self.chat(messages=parts).choices[0].message.content,
              self.chat().choices[0].message.content, "content as parts")
        self.chat(messages=[{"role": "developer", "content": "Be brief. \u0000 \U0001F600"},
                            {"role": "user", "content": "Hello"},
                            {"role": "assistant", "content": "Hi"},
                            {"role": "user", "content": QUESTION}])

    def many_at_once_say_what_each_says_alone(self):
        questions = [f"What is {i} times {i + 3}?" for i in range(48)]
        alone = [self.chat(messages=[{"role": "user", "content": q}]).choices[0].message.content
                 for q in questions[:8]]

        async def ask_all():
            async with openai.AsyncOpenAI(base_url=self.url, api_key="none", max_retries=0) as client:
                async def ask(question, stream):
                    reply = await client.chat.completions.create(
                        **{**CHAT, "messages": [{"role": "user", "content": question}]},
                        model=self.model, stream=stream)
                    if not stream:
                        return reply.choices[0].message.content
                    return "".join([c.choices[0].delta.content or "" async for c in reply])
                return await asyncio.gather(*(ask(q, i % 2 == 1) for i, q in enumerate(questions)))

        equal(asyncio.run(ask_all())[:8], alone, "answers")

    def what_is_wrong_is_a_bad_request(self):
        for what, call in {
                "a temperature below 0": lambda: self.chat(temperature=-1),
                "a role that is none": lambda: self.chat(messages=[{"role": "dog", "content": "x"}]),
                "no messages": lambda: self.chat(messages=[]),
                "tools": lambda: self.chat(tools=[{"type": "function", "function": {"name": "f"}}]),
                "a schema": lambda: self.chat(response_format={"type": "json_object"}),
                "a penalty": lambda: self.chat(presence_penalty=0.5),
                "an unknown field": lambda: self.chat(extra_body={"beam_width": 4}),
                "a deep body": lambda: self.chat(extra_body={"metadata": nested(200)}),
                "too many choices": lambda: self.complete(n=129),
                "a token that is none": lambda: self.complete(prompt=[2**31 - 1]),
                "a negative token": lambda: self.complete(prompt=[-1])}.items():
            try:
                error = raises(openai.BadRequestError, call)
            except AssertionError as failure:
                raise AssertionError(f"{what}: {failure}") from None
            expect(error.body and error.body["message"], f"{what}: no message")

    def a_prompt_beyond_the_context_says_so(self):
        error = raises(openai.BadRequestError, lambda: self.complete(prompt="word " * 20000))
        equal(error.code, "context_length_exceeded", "code")
        error = raises(openai.BadRequestError,
                       lambda: list(self.complete(prompt="word " * 20000, stream=True)))
        equal(error.code, "context_length_exceeded", "code of a stream")

    def a_page_that_is_none_is_not_found(self):
        raises(openai.NotFoundError,
               lambda: self.client.embeddings.create(model=self.model, input="x"))
        raises(openai.NotFoundError,
               lambda: self.client.responses.create(model=self.model, input="x"))

    def a_stream_that_is_left_frees_its_slot(self):
        cancelled = 'moebench_requests_ended_total{finish="cancelled"}'
        before = self.metric(cancelled)
        for _ in range(5):
            stream = self.complete(stream=True, max_tokens=400, extra_body={"ignore_eos": True})
            next(iter(stream))
            stream.close()
        self.wait_until_idle()
        equal(self.metric(cancelled) - before, 5, "cancelled requests")

    def a_client_that_waits_no_longer_frees_its_slot(self):
        impatient = self.client.with_options(timeout=0.05)
        raises(openai.APITimeoutError, lambda: impatient.completions.create(
            model=self.model, prompt=[PROMPT["prompt"]] * 32, max_tokens=400,
            extra_body={"ignore_eos": True}))
        self.wait_until_idle()


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def a_wrong_key_is_an_authentication_error(options):
    with Served(options.moebench, options.model, environment={"MOEBENCH_API_KEY": "sk-41d7"}) as server:
        for key in ("sk-93c2", "sk-41d", "sk-41d70"):
            client = openai.OpenAI(base_url=server.url, api_key=key, max_retries=0)
            error = raises(openai.AuthenticationError, client.models.list)
            expect(key not in str(error.body), "the key is in the error")
        client = openai.OpenAI(base_url=server.url, api_key="sk-41d7")
        expect(client.models.list().data, "no models")


def a_full_queue_is_a_rate_limit_and_retries_get_through(options):
    with Served(options.moebench, options.model, "--batch-size", "1", "--queue", "1") as server:
        statuses, texts = [], []

        def ask(retries, results):
            client = openai.OpenAI(base_url=server.url, api_key="none", max_retries=retries)
            try:
                results.append(client.completions.create(
                    model="canary", **{**PROMPT, "max_tokens": 200},
                    extra_body={"ignore_eos": True}).choices[0].text)
            except openai.RateLimitError as error:
                results.append(error.code)

        for retries, results in ((0, statuses), (20, texts)):
            threads = [threading.Thread(target=ask, args=(retries, results)) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        expect("queue_full" in statuses, "six at once on two places, and none was refused")
        equal((len(texts), len(set(texts))), (6, 1), "answers and different ones with retries")


def a_server_that_stops_finishes_and_refuses(options):
    with Served(options.moebench, options.model) as server:
        client = openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)
        stream = client.completions.create(model="canary", prompt="One", max_tokens=300, stream=True,
                                           temperature=0, extra_body={"ignore_eos": True})
        chunks = [next(iter(stream))]
        server.process.terminate()
        chunks += list(stream)
        equal(chunks[-1].choices[0].finish_reason, "length", "the end of the stream under way")
        raises((openai.APIConnectionError, openai.InternalServerError),
               lambda: client.completions.create(model="canary", prompt="Two", max_tokens=2))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moebench", default=os.path.join(HERE, "..", "..", "..", "build", "moebench"))
    parser.add_argument("--model", default="canary")
    options = parser.parse_args()
    passed = failed = 0
    with Served(options.moebench, options.model) as server:
        checks = Checks(server.url)
        own = [getattr(checks, name) for name, value in vars(Checks).items()
               if callable(value) and not name.startswith("_")
               and name not in ("chat", "complete", "metric", "wait_until_idle")]
        others = [a_wrong_key_is_an_authentication_error,
                  a_full_queue_is_a_rate_limit_and_retries_get_through,
                  a_server_that_stops_finishes_and_refuses]
        for check in own + [lambda f=f: f(options) for f in others]:
            name = getattr(check, "__name__", "")
            if name == "<lambda>":
                name = check.__defaults__[0].__name__
            try:
                check()
                passed += 1
                print("ok    ", name.replace("_", " "), flush=True)
            except Exception as error:  # pylint: disable=broad-exception-caught
                failed += 1
                print("FAILED", name.replace("_", " ") + ":", error, flush=True)
                if not isinstance(error, AssertionError):
                    traceback.print_exc()
    print(f"openai {openai.__version__}: {passed} checks passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
