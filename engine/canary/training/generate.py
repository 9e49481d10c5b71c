"""Draws problems: endless training texts, and the two embedded evaluation sets.

    python generate.py OUTPUT_FOLDER      writes gsm8k-mini.jsonl and math-mini.jsonl
"""
import json
import os
import random
import sys

from drills import make_drill
from math_problems import TEMPLATES as MATH_TEMPLATES
from math_problems import make_math
from problem import Problem, is_held_out
from story_problems import TEMPLATES as STORY_TEMPLATES
from story_problems import make_story

MATH_SHARE = 0.88  # of the problems that are no drills
DRILL_SHARE = 0.1
EVALUATION_SEED = 20250101
SET_SIZE = 200


def training_problem(r: random.Random) -> Problem:
    """A problem whose text doesn't belong to evaluation."""
    while True:
        if r.random() < DRILL_SHARE:
            p = make_drill(r)
        else:
            p = make_math(r) if r.random() < MATH_SHARE else make_story(r)
        if not is_held_out(p.question):
            return p


def evaluation_problems(make, levels, templates, seed) -> list:
    """SET_SIZE held-out problems, equally many a level, as even over a level's templates as can be."""
    r = random.Random(seed)
    per_level = SET_SIZE // len(levels)
    chosen, texts = [], set()
    for level in levels:
        count = {name: 0 for name, where in templates if level in where}
        quota = -(-per_level // len(count))
        picked, tries = [], 0
        while len(picked) < per_level:
            tries += 1
            if tries % 20000 == 0:
                quota += 1  # some templates have too few held-out texts
            p = make(r, level)
            if not is_held_out(p.question) or p.question in texts or count[p.kind] >= quota:
                continue
            count[p.kind] += 1
            texts.add(p.question)
            picked.append(p)
        chosen += picked
    return chosen


def gsm8k_mini() -> list:
    templates = [(name, (level,)) for level, name, _ in STORY_TEMPLATES]
    return evaluation_problems(make_story, (1, 2, 3, 4), templates, EVALUATION_SEED)


def math_mini() -> list:
    templates = [(name, levels) for _, name, levels, _ in MATH_TEMPLATES]
    return evaluation_problems(make_math, (1, 2, 3, 4, 5), templates, EVALUATION_SEED + 1)


def gsm8k_row(p: Problem) -> dict:
    return {"question": p.question, "answer": "\n".join(p.steps) + f"\n#### {p.answer}", "level": p.level}


def math_row(p: Problem, index: int) -> dict:
    name = p.subject.lower().replace(" & ", "_and_").replace(" ", "_")
    return {
        "problem": p.question,
        "solution": "\n".join(p.steps) + f"\nThe answer is $\\boxed{{{p.answer}}}$.",
        "answer": p.answer,
        "level": p.level,
        "subject": p.subject,
        "unique_id": f"math-mini/{name}/{index}.json",
    }


def write_sets(folder: str):
    sets = {
        "gsm8k-mini": [gsm8k_row(p) for p in gsm8k_mini()],
        "math-mini": [math_row(p, i) for i, p in enumerate(math_mini())],
    }
    for name, rows in sets.items():
        with open(os.path.join(folder, name + ".jsonl"), "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    write_sets(sys.argv[1])
