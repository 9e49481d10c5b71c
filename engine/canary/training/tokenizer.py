"""Trains the byte-level BPE on the generator's own text.

    python tokenizer.py OUT/tokenizer.json
"""
import json
import random
import sys

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import chat
from math_problems import make_math
from story_problems import make_story

VOCABULARY = 1280
# Digits stand alone, so that a number is always the same sequence of digits.
DIGIT = r"\p{N}"
WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def train(problems: int = 40000, seed: int = 11) -> Tokenizer:
    r = random.Random(seed)
    texts = []
    for i in range(problems):
        p = make_story(r) if i % 2 else make_math(r)
        texts += [p.question, *(t + "\n" for t in p.steps), chat.final_text(p)]
    texts += list(chat.INSTRUCTIONS.values()) * 50
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(DIGIT), "isolated"),
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=chat.SPECIAL_TOKENS,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return t


if __name__ == "__main__":
    value = json.loads(train().to_str())
    # As in DeepSeek-R1's tokenizer, the marks of thinking are text that a reader of the answer sees.
    for token in value["added_tokens"]:
        token["special"] = token["content"] not in ("<think>", "</think>")
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        f.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
