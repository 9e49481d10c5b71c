"""Lists of plain sums for training alone: the arithmetic of all other problems, many to a text."""
import random

from problem import Problem, add, div, mul, sub


def _natural(r):
    e = r.randrange(10)
    if e < 3:
        a, b = r.choice([(r.randint(2, 99), r.randint(2, 99)), (r.randint(10, 400), r.randint(2, 150))])
        a, b = (a, b) if r.random() < 0.5 else (b, a)
        return f"{a}+{b}", add(a, b)
    if e < 5:
        a = r.choice([r.randint(3, 99), r.randint(20, 400)])
        b = r.randint(1, min(a, 150))
        return f"{a}-{b}", sub(a, b)
    if e < 7:
        a, b = r.randint(2, 12), r.randint(2, 12)
        return f"{a}*{b}", mul(a, b)
    if e == 7:
        a, b = r.randint(11, 99), r.randint(2, 9)
        a, b = (a, b) if r.random() < 0.5 else (b, a)
        return f"{a}*{b}", mul(a, b)
    if e == 8:
        b, q = r.randint(2, 9), r.randint(2, 10)
        return f"{b * q}/{b}", div(b * q, b)
    b, q = r.randint(2, 9), r.randint(11, 40)
    return f"{b * q}/{b}", div(b * q, b)


def _whole(r):
    """Sums with signs, as the equations of algebra have them."""
    e = r.randrange(3)
    a, b = r.randint(-40, 60), r.randint(1, 60)
    if e == 0:
        return f"{a}-{b}", f"{a}-{b}={a - b}"
    if e == 1:
        return f"{a}+{b}", f"{a}+{b}={a + b}"
    a, b = r.randint(-9, 12), r.randint(-9, 9)
    text = f"{a}\\cdot {f'({b})' if b < 0 else b}"
    return text, f"{text}={a * b}"


def make_drill(r: random.Random) -> Problem:
    make = r.choice([_natural, _natural, _whole])
    pairs = [make(r) for _ in range(r.randint(4, 8))]
    question = "Work out " + "; ".join(q for q, _ in pairs) + "."
    return Problem(question, tuple(s for _, s in pairs), pairs[-1][1].split("=")[-1], 1, "drill")
