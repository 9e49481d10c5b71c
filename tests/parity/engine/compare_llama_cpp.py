#!/usr/bin/env python3
"""Compares moebench's greedy text with llama.cpp's on the same GGUF, prompt by prompt.

usage: compare_llama_cpp.py MOEBENCH MODEL.gguf [--max-tokens 48] [--questions FILE.jsonl] [-- MOEBENCH OPTIONS...]
needs: llama-cpp-python (PyPI); not part of CI

FILE.jsonl has a "question" or "problem" a line, of which the first ten are asked (the canary knows only
those of datasets/samples). The two engines round activations in different places, so a greedy choice between two tokens of almost
the same probability may fall either way. For each prompt it prints how long the two agree, and, where
they part, the gap between the best two log-probabilities that each engine saw there: a near-tie has a
small gap in both. Exits with 1 when some gap is above --near-tie in both engines.
"""
import argparse
import itertools
import json
import subprocess
import sys

PROMPTS = [
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "Natalia sold 48 clips in April and half as many in May. How many clips did she sell altogether?",
    "List three fruits.",
    "What is 7 times 8?",
    "Explain why the sky is blue.",
    "Translate 'good morning' to Spanish.",
    "Who wrote Romeo and Juliet?",
    "A train travels 60 miles in 2 hours. What is its speed?",
    "Give me a synonym for happy.",
]


def llama_cpp_greedy(llama, prompt_tokens, max_tokens):
    """[(best id, its logprob, second id, its logprob)] of each step."""
    import numpy as np

    llama.reset()
    llama.eval(prompt_tokens)
    steps = []
    for _ in range(max_tokens):
        logits = np.asarray(llama.scores[llama.n_tokens - 1], dtype=np.float64)
        logprobs = logits - logits.max()
        logprobs -= np.log(np.exp(logprobs).sum())
        second, best = (int(i) for i in np.argsort(logprobs, kind="stable")[-2:])
        steps.append((best, logprobs[best], second, logprobs[second]))
        if best == llama.token_eos():
            break
        llama.eval([best])
    return steps


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("moebench")
    parser.add_argument("model")
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--near-tie", type=float, default=0.25, help="largest gap, in nats, that counts as a tie")
    parser.add_argument("--questions", help="ask these instead of the built-in prompts")
    parser.add_argument("options", nargs="*", help="more options for moebench generate, after --")
    args = parser.parse_args()

    from llama_cpp import Llama
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    prompts = PROMPTS
    if args.questions:
        with open(args.questions) as lines:
            rows = [json.loads(line) for line in itertools.islice(lines, 10)]
        prompts = [row.get("question") or row["problem"] for row in rows]
    llama = Llama(args.model, n_ctx=2048, logits_all=True, verbose=False)
    text_of = lambda token: llama.detokenize([token], special=True).decode() if token >= 0 else ""  # noqa: E731
    formatter = Jinja2ChatFormatter(
        template=llama.metadata["tokenizer.chat_template"], eos_token=text_of(llama.token_eos()), bos_token=text_of(llama.token_bos())
    )
    command = [args.moebench, "generate", "--model", args.model, "--max-tokens", str(args.max_tokens), "--json",
               "--top-logprobs", "2", *args.options, *prompts]
    ours = [json.loads(line) for line in subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()]

    worst = 0.0
    for prompt, answer in zip(prompts, ours):
        text = formatter(messages=[{"role": "user", "content": prompt}]).prompt
        theirs = llama_cpp_greedy(llama, llama.tokenize(text.encode(), add_bos=False, special=True), args.max_tokens)
        tokens = answer["tokens"]
        part = next((i for i, (a, b) in enumerate(zip(tokens, theirs)) if a != b[0]), None)
        if part is None:
            print(f"agree on all {min(len(tokens), len(theirs))} tokens: {prompt}")
            continue
        top = answer["logprobs"][part]["top"]
        gap_ours, gap_theirs = top[0][1] - top[1][1], theirs[part][1] - theirs[part][3]
        worst = max(worst, min(gap_ours, gap_theirs))
        print(f"part after {part} tokens, gaps {gap_ours:.3f} (moebench) and {gap_theirs:.3f} (llama.cpp): {prompt}")
    print(f"largest of the smaller gaps: {worst:.3f} nats")
    return 1 if worst > args.near_tie else 0


if __name__ == "__main__":
    sys.exit(main())
