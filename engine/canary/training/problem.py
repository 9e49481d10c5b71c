"""What a problem is, how arithmetic is written out in solutions, and which problems are held out.

Standard library only: the disjointness test runs where no PyTorch is installed.
"""
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One problem with its worked solution.

    `steps` are the lines of reasoning, `answer` is the bare final answer (an integer's digits for a
    story, LaTeX for a math problem), `level` is 1..4 (stories) or 1..5 (math), `kind` names the
    template and `subject` its MATH-like subject ("" for a story).
    """

    question: str
    steps: tuple
    answer: str
    level: int
    kind: str
    subject: str = ""


HELD_OUT_BUCKETS = 16  # of 256: 1/16 of all problem texts belongs to evaluation alone


def is_held_out(question: str) -> bool:
    """True if this text may only be used for evaluation; training rejects such a problem.

    Decided by a hash of the text itself (case and white space ignored), so that no list has to be
    kept and no two runs of the generator can disagree.
    """
    text = " ".join(question.lower().split())
    return hashlib.sha256(text.encode("utf-8")).digest()[0] < HELD_OUT_BUCKETS


# Arithmetic in steps that a small model can learn by heart: one digit or whole tens at a time, the
# multiplication table, and everything larger split by decimal places.


def _easy(b: int) -> bool:
    return b < 10 or b % 10 == 0


def add(a: int, b: int) -> str:
    """`47+38=47+30+8=77+8=85`; plain when a number is a digit or whole tens."""
    head = f"{a}+{b}="
    if _easy(a) or _easy(b):
        return f"{head}{a + b}"
    big, small = (a, b) if a >= b else (b, a)
    tens, ones = small // 10 * 10, small % 10
    return f"{head}{big}+{tens}+{ones}={big + tens}+{ones}={a + b}"


def sub(a: int, b: int) -> str:
    """`85-38=85-30-8=55-8=47`, for a >= b >= 0."""
    head = f"{a}-{b}="
    if _easy(b):
        return f"{head}{a - b}"
    tens, ones = b // 10 * 10, b % 10
    return f"{head}{a}-{tens}-{ones}={a - tens}-{ones}={a - b}"


def plus(a: int, b: int) -> str:
    """a+b of any signs, led back to natural numbers: `8-15=-(15-8)=-7`, `-6+20=20-6=14`."""
    text = f"{a}+{b}" if b >= 0 else f"{a}-{-b}"
    if a >= 0 and b >= 0:
        return add(a, b)
    if a >= -b and a >= 0:
        return sub(a, -b)
    if max(abs(a), abs(b)) < 10:
        return f"{text}={a + b}"
    if b >= -a >= 0:
        return f"{text}={sub(b, -a)}"
    inner = add(-a, -b) if a < 0 and b < 0 else sub(-b, a) if a >= 0 else sub(-a, b)
    *sides, last = inner.split("=")
    return "=".join([text] + [f"-({side})" for side in sides] + [f"-{last}" if last != "0" else last])


def mul(a: int, b: int) -> str:
    """`24*7=20*7+4*7=140+28=168`; the plain product when it is in the table or ends in zero."""
    big, small = (a, b) if abs(a) >= abs(b) else (b, a)
    head = f"{a}*{b}="
    if small <= 1 or big <= 10 or (big % 10 == 0 and small <= 10) or big < 0:
        return f"{head}{a * b}"
    if small <= 10:
        place = 100 if big >= 100 else 10
        high, low = big // place * place, big % place
        if low == 0:
            return f"{head}{a * b}"
        return f"{head}{high}*{small}+{low}*{small}={high * small}+{low * small}={a * b}"
    high, low = small // 10 * 10, small % 10
    if low == 0:
        return f"{head}{a * b}"
    return f"{head}{big}*{high}+{big}*{low}={big * high}+{big * low}={a * b}"


def div(a: int, b: int) -> str:
    """Exact division; quotients above ten are split: `168/7=140/7+28/7=20+4=24`."""
    q = a // b
    assert q * b == a
    high, low = q // 10 * 10, q % 10
    if q <= 10 or low == 0 or b == 1:
        return f"{a}/{b}={q}"
    return f"{a}/{b}={high * b}/{b}+{low * b}/{b}={high}+{low}={q}"
