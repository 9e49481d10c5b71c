"""Greedy exact-match scores of a checkpoint on the two embedded sets.

    python evaluate.py CHECKPOINT.pt TOKENIZER.json [--show N]
"""
import argparse
import collections

import torch
from tokenizers import Tokenizer

import chat
import generate
from model import Canary, Config

MAX_LENGTH = 300


def final_answer(text: str, boxed: bool) -> str:
    """The answer after the reasoning, or "" if there is none."""
    tail = text.split("</think>")[-1] if "</think>" in text else ""
    if not boxed:
        return tail.split("####")[-1].strip() if "####" in tail else ""
    start = tail.find("\\boxed{")
    end = tail.rfind("}")
    return tail[start + 7 : end] if 0 <= start < end else ""


def score(model: Canary, tokenizer: Tokenizer, problems, show: int = 0):
    """(accuracy, {level: (right, all)}, {kind: (right, all)})."""
    prompts = [tokenizer.encode(chat.prompt_text(p.question)).ids for p in problems]
    outputs = model.generate(prompts, MAX_LENGTH, chat.EOS)
    levels, kinds = collections.defaultdict(lambda: [0, 0]), collections.defaultdict(lambda: [0, 0])
    right = 0
    for p, ids in zip(problems, outputs):
        text = tokenizer.decode(ids, skip_special_tokens=False).replace("<|eos|>", "")
        ok = final_answer(text, bool(p.subject)) == p.answer
        right += ok
        for table, key in ((levels, p.level), (kinds, p.kind)):
            table[key][0] += ok
            table[key][1] += 1
        if show and not ok:
            show -= 1
            print(f"[{p.kind} {p.level}] {p.question}\n  WANT {chat.solution_text(p)!r}\n  GOT  {text!r}")
    return right / len(problems), dict(levels), dict(kinds)


def load(path: str) -> Canary:
    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = Canary(Config(**saved["config"]))
    model.load_state_dict(saved["average"])
    return model.eval()


if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("checkpoint")
    a.add_argument("tokenizer")
    a.add_argument("--show", type=int, default=0)
    a.add_argument("--threads", type=int, default=2)
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    model, tokenizer = load(a.checkpoint), Tokenizer.from_file(a.tokenizer)
    for name, problems in (("gsm8k-mini", generate.gsm8k_mini()), ("math-mini", generate.math_mini())):
        accuracy, levels, kinds = score(model, tokenizer, problems, a.show)
        print(f"{name}: {accuracy:.3f} levels", {k: f"{x}/{n}" for k, (x, n) in sorted(levels.items())})
        print("   ", {k: f"{x}/{n}" for k, (x, n) in sorted(kinds.items()) if x < n})
