"""Lists of plain sums for training alone: the arithmetic of all other problems, many to a text."""
import random

from problem import Problem, add, div, mul, plus, sub


def _natural(r):
    e = r.randrange(12)
    if e < 7:
        a, b = [
            (r.randint(1, 20), r.randint(1, 9)),
            (r.randint(1, 20), r.randint(1, 9)),
            (r.randint(10, 99), r.randint(1, 9)),
            (r.randint(10, 99), r.randint(1, 9)),
            (r.randint(10, 180), 10 * r.randint(1, 9)),
            (r.randint(10, 99), r.randint(10, 99)),
            (r.randint(50, 400), r.randint(2, 150)),
        ][e]
        if r.random() < 0.5:
            a, b = max(a, b), min(a, b)
            return f"{a}-{b}", sub(a, b)
        a, b = (a, b) if r.random() < 0.7 else (b, a)
        return f"{a}+{b}", add(a, b)
    if e == 7:
        a, b = r.randint(2, 12), r.randint(2, 12)
        return f"{a}*{b}", mul(a, b)
    if e == 8:
        a, b = r.randint(11, 99), r.randint(2, 9)
        a, b = (a, b) if r.random() < 0.5 else (b, a)
        return f"{a}*{b}", mul(a, b)
    b = r.randint(2, 9)
    q = r.randint(11, 40) if e == 11 else r.randint(2, 10)
    return f"{b * q}/{b}", div(b * q, b)


def _basic(r):
    """A number and a digit or whole tens: the facts that every longer sum is led back to."""
    a, b = r.choice([(r.randint(1, 20), 1), (r.randint(10, 99), 1), (r.randint(10, 180), 10), (r.randint(30, 320), 10)])
    b *= r.randint(1, 9)
    if r.random() < 0.5:
        a, b = max(a, b), min(a, b)
        return f"{a}-{b}", sub(a, b)
    return f"{a}+{b}", add(a, b)


def _whole(r):
    """Sums with signs, as the equations of algebra have them."""
    e = r.randrange(3)
    a, b = r.randint(-40, 60), r.randint(1, 60)
    if e == 0:
        return f"{a}-{b}", plus(a, -b)
    if e == 1:
        return f"{a}+{b}", plus(a, b)
    a, b = r.randint(-9, 12), r.randint(-9, 9)
    text = f"{a}\\cdot {f'({b})' if b < 0 else b}"
    return text, f"{text}={a * b}"


def make_drill(r: random.Random) -> Problem:
    make = r.choice([_basic, _natural, _whole])
    pairs = [make(r) for _ in range(r.randint(5, 9) if make == _basic else r.randint(3, 6))]
    question = "Work out " + "; ".join(q for q, _ in pairs) + "."
    return Problem(question, tuple(s for _, s in pairs), pairs[-1][1].split("=")[-1], 1, "drill")
