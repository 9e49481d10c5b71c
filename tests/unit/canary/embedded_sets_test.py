"""The embedded problem sets: well-formed, balanced, right, and disjoint from training.

    python3 -m unittest embedded_sets_test
"""
import collections
import json
import pathlib
import random
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "engine" / "canary" / "training"))

import generate  # noqa: E402
from problem import is_held_out  # noqa: E402

TRAINING_DRAWS = 12000
EQUATIONS = re.compile(r"(?<![\w^}{.)])[-\d(=][\d+*/()=-]*(?![\w^\\{.%])")


def wrong_equations(text):
    """(equations checked, those that don't hold), of the equations between plain whole numbers."""
    checked, wrong = 0, []
    for run in EQUATIONS.findall(text.replace("\\cdot ", "*")):
        sides = [side for side in run.split("=") if side]
        try:
            values = [eval(side) for side in sides]  # digits, signs and brackets only, by the pattern
        except (SyntaxError, TypeError):
            continue  # a piece of a tuple or of a term in brackets
        checked += len(sides) > 1
        if len(set(values)) > 1:
            wrong.append(run)
    return checked, wrong


def rows(name):
    with open(ROOT / "datasets" / "samples" / name, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


class EmbeddedSets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stories = rows("gsm8k-mini.jsonl")
        cls.maths = rows("math-mini.jsonl")
        cls.texts = [row["question"] for row in cls.stories] + [row["problem"] for row in cls.maths]

    def test_each_set_has_200_different_problems(self):
        self.assertEqual((len(self.stories), len(self.maths)), (200, 200))
        self.assertEqual(len(set(self.texts)), 400, "a problem occurs twice")
        self.assertEqual(len({row["unique_id"] for row in self.maths}), 200)

    def test_levels_are_balanced(self):
        levels = collections.Counter(row["level"] for row in self.stories)
        self.assertEqual(levels, {1: 50, 2: 50, 3: 50, 4: 50})
        levels = collections.Counter(row["level"] for row in self.maths)
        self.assertEqual(levels, {1: 40, 2: 40, 3: 40, 4: 40, 5: 40})

    def test_fields_are_those_of_gsm8k_and_math(self):
        for row in self.stories:
            self.assertRegex(row["answer"], r"\n#### -?\d+$")
            self.assertEqual(set(row), {"question", "answer", "level"})
        for row in self.maths:
            self.assertIn("\\boxed{" + row["answer"] + "}", row["solution"])
            self.assertEqual(set(row), {"problem", "solution", "answer", "level", "subject", "unique_id"})

    def test_every_problem_belongs_to_evaluation(self):
        for text in self.texts:
            self.assertTrue(is_held_out(text), f"training may draw this: {text}")

    def test_training_never_draws_an_embedded_problem(self):
        embedded = {" ".join(text.lower().split()) for text in self.texts}
        r = random.Random("embedded_sets_test")
        for _ in range(TRAINING_DRAWS):
            text = generate.training_problem(r).question
            self.assertFalse(is_held_out(text), f"training drew a held-out problem: {text}")
            self.assertNotIn(" ".join(text.lower().split()), embedded)

    def test_the_generator_without_the_rejection_would_draw_held_out_problems(self):
        r = random.Random("embedded_sets_test")
        drawn = [generate.make_story(r) for _ in range(3000)]
        share = sum(is_held_out(p.question) for p in drawn) / len(drawn)
        self.assertAlmostEqual(share, 1 / 16, delta=0.02)

    def test_the_files_are_what_the_generator_makes(self):
        hint = "run engine/canary/training/generate.py datasets/samples and commit the result"
        self.assertEqual(self.stories, [generate.gsm8k_row(p) for p in generate.gsm8k_mini()], hint)
        made = [generate.math_row(p, i) for i, p in enumerate(generate.math_mini())]
        self.assertEqual(self.maths, made, hint)

    def test_the_arithmetic_of_every_solution_is_right(self):
        checked = 0
        for text in [row["answer"] for row in self.stories] + [row["solution"] for row in self.maths]:
            count, wrong = wrong_equations(text)
            self.assertEqual(wrong, [], text)
            checked += count
        self.assertGreater(checked, 600)

    def test_a_wrong_equation_is_noticed(self):
        self.assertEqual(wrong_equations("so 15*4=10*4+5*4=40+20=61 marbles"), (1, ["15*4=10*4+5*4=40+20=61"]))
        self.assertEqual(wrong_equations("$3\\cdot (-2)=6$."), (1, ["3*(-2)=6"]))

    def test_a_story_ends_in_the_result_of_its_last_equation(self):
        for row in self.stories:
            steps, answer = row["answer"].split("\n#### ")
            self.assertEqual(re.findall(r"=(\d+)", steps)[-1], answer, row["question"])


if __name__ == "__main__":
    unittest.main()
