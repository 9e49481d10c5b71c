"""Competition-like problems in LaTeX with worked solutions; answers as MATH writes them.

Each template is a function of (random stream, level) that returns (problem, steps, answer). All
sentences are this project's own. Numbers stay small: the arithmetic of every step is a table entry
or is split into such.
"""
import random
from math import comb, gcd, isqrt

from problem import Problem, add, div, mul, plus, sub

TEMPLATES = []  # (subject, kind, levels, function)


def kind(subject, *levels):
    def register(function):
        TEMPLATES.append((subject, function.__name__, levels, function))
        return function

    return register


# ---- How numbers and terms are written ----


def frac(a, b):
    """a/b in lowest terms as MATH writes it."""
    if b < 0:
        a, b = -a, -b
    g = gcd(a, b)
    a, b = a // g, b // g
    if b == 1:
        return str(a)
    return f"{'-' if a < 0 else ''}\\frac{{{abs(a)}}}{{{b}}}"


def raw(a, b):
    return f"\\frac{{{a}}}{{{b}}}"


def poly(coefficients, x="x"):
    """Highest power first: (1, -3, 2) -> x^2-3x+2."""
    out, n = "", len(coefficients) - 1
    for i, c in enumerate(coefficients):
        p = n - i
        if c == 0:
            continue
        sign = "-" if c < 0 else ("+" if out else "")
        size = "" if abs(c) == 1 and p else str(abs(c))
        out += sign + size + ("" if p == 0 else x if p == 1 else f"{x}^{p}")
    return out or "0"


def signed(a):
    return f"+{a}" if a >= 0 else str(a)


def par(a):
    return f"({a})" if a < 0 else str(a)


def nonzero(r, lo, hi):
    while True:
        a = r.randint(lo, hi)
        if a:
            return a


def surd(n):
    """(outside, inside) of the simplified root."""
    out = 1
    for k in range(isqrt(n), 1, -1):
        if n % (k * k) == 0:
            return k, n // (k * k)
    return out, n


def surd_tex(a, b):
    return str(a) if b == 1 else (f"\\sqrt{{{b}}}" if a == 1 else f"{a}\\sqrt{{{b}}}")


# ---- Prealgebra ----


@kind("Prealgebra", 1, 2, 3)
def fraction_sum(r, level):
    minus = r.random() < 0.4
    if level == 1:
        b = d = r.randint(3, 12)
    elif level == 2:
        b = r.randint(2, 6)
        d = b * r.randint(2, 3)
    else:
        b, d = r.sample(range(2, 10), 2)
    a, c = r.randint(1, b - 1), r.randint(1, d - 1)
    if minus and a * d < c * b:
        a, b, c, d = c, d, a, b
    op = "-" if minus else "+"
    q = r.choice([f"Compute ${raw(a, b)}{op}{raw(c, d)}$.", f"What is ${raw(a, b)}{op}{raw(c, d)}$ as a fraction in lowest terms?"])
    m = b * d // gcd(b, d)
    e, f = a * (m // b), c * (m // d)
    s = e - f if minus else e + f
    steps = []
    if b != d:
        steps.append(f"The common denominator is ${m}$: ${raw(a, b)}={raw(e, m)}$ and ${raw(c, d)}={raw(f, m)}$.")
    steps.append(f"${plus(e, -f if minus else f)}$, so we get ${raw(s, m)}$.")
    if s and gcd(s, m) > 1:
        steps.append(f"Divide by ${gcd(s, m)}$: ${frac(s, m)}$.")
    return q, steps, frac(s, m)


@kind("Prealgebra", 1, 2)
def fraction_product(r, level):
    b, d = r.randint(2, 9), r.randint(2, 9)
    a, c = r.randint(1, 9), r.randint(1, 9)
    if level == 1:
        q = f"Compute ${raw(a, b)}\\cdot{raw(c, d)}$."
        n, m, first = a * c, b * d, f"${a}\\cdot {c}={a * c}$ and ${b}\\cdot {d}={b * d}$"
    else:
        q = f"Compute ${raw(a, b)}\\div{raw(c, d)}$."
        n, m, first = a * d, b * c, f"Turn the second one over: ${a}\\cdot {d}={a * d}$ and ${b}\\cdot {c}={b * c}$"
    steps = [f"{first}, so we get ${raw(n, m)}$."]
    if gcd(n, m) > 1:
        steps.append(f"Divide by ${gcd(n, m)}$: ${frac(n, m)}$.")
    return q, steps, frac(n, m)


@kind("Prealgebra", 1)
def order_of_operations(r, level):
    a, b, c = r.randint(2, 40), r.randint(2, 9), r.randint(2, 12)
    if r.random() < 0.5:
        return f"Compute ${a}+{b}\\cdot {c}$.", [f"First ${mul(b, c)}$.", f"Then ${add(a, b * c)}$."], str(a + b * c)
    return (f"Compute ${b}({c}+{a})$.", [f"First ${add(c, a)}$.", f"Then ${mul(b, c + a)}$."], str(b * (c + a)))


@kind("Prealgebra", 1, 2)
def percent_of(r, level):
    p = r.choice([10, 20, 25, 50, 75] if level == 1 else [5, 15, 30, 40, 60, 70])
    g = gcd(p, 100)
    unit = 100 // g
    n = unit * r.randint(2, 16)
    one = n // unit
    steps = [f"${p}\\%$ is ${raw(p // g, unit)}$.", f"${div(n, unit)}$."]
    if p // g > 1:
        steps.append(f"${mul(p // g, one)}$.")
    return f"What is ${p}\\%$ of ${n}$?", steps, str(one * (p // g))


@kind("Prealgebra", 2, 3)
def mixed_number(r, level):
    b = r.randint(2, 9 if level == 2 else 12)
    w = r.randint(1, 9 if level == 2 else 15)
    a = r.choice([k for k in range(1, b) if gcd(k, b) == 1])
    n = w * b + a
    if r.random() < 0.5:
        return (f"Write ${raw(n, b)}$ as a mixed number.", [f"${mul(w, b)}$ and ${sub(n, w * b)}$."],
                f"{w}{raw(a, b)}")
    return (f"Write ${w}{raw(a, b)}$ as an improper fraction.", [f"${mul(w, b)}$ and ${add(w * b, a)}$."],
            raw(n, b))


@kind("Prealgebra", 2, 3)
def decimal_to_fraction(r, level):
    if level == 2:
        a = r.randint(1, 9)
        text, n, m = f"0.{a}", a, 10
    else:
        a = r.choice([k for k in range(2, 99) if k % 10])
        text, n, m = f"0.{a:02d}", a, 100
    steps = [f"${text}={raw(n, m)}$."]
    if gcd(n, m) > 1:
        steps.append(f"Divide by ${gcd(n, m)}$: ${frac(n, m)}$.")
    return f"Write ${text}$ as a fraction in lowest terms.", steps, frac(n, m)


# ---- Algebra ----


@kind("Algebra", 1, 2, 3, 4)
def linear_equation(r, level):
    x, a, b = nonzero(r, -9, 12), r.randint(2, 9), nonzero(r, -20, 20)
    v = r.choice("xyn")
    if level == 1:
        return (f"Solve ${v}{signed(b)}={x + b}$ for ${v}$.", [f"${v}={plus(x + b, -b)}$."], str(x))
    if level == 2:
        c = a * x + b
        return (f"Solve ${a}{v}{signed(b)}={c}$ for ${v}$.", [f"${a}{v}={plus(c, -b)}$.", f"${v}={a * x}/{a}={x}$."], str(x))
    d = r.choice([k for k in range(1, 8) if k != a])
    if level == 3:
        c = (a - d) * x + b
        k = a - d
        right = f"{poly((d, 0), v)}{signed(c)}" if c else poly((d, 0), v)
        steps = [f"${poly((k, 0), v)}={plus(c, -b)}$."]
        if k != 1:
            steps.append(f"${v}={k * x}/{par(k)}={x}$.")
        return f"If ${a}{v}{signed(b)}={right}$, what is ${v}$?", steps, str(x)
    n = r.choice([k for k in range(-20, 21) if k and gcd(k, a) == 1])
    c = n + b
    return (f"Solve ${a}{v}{signed(b)}={c}$ for ${v}$.", [f"${a}{v}={plus(c, -b)}$.", f"${v}={frac(n, a)}$."], frac(n, a))


@kind("Algebra", 2, 3, 4)
def expand(r, level):
    a, b = nonzero(r, -9, 9), nonzero(r, -9, 9)
    k = 1 if level < 4 else r.randint(2, 5)
    if level == 2:
        k = r.randint(2, 9)
        c = r.randint(1, 5)
        return (f"Expand ${k}({poly((c, a))})$.", [f"${k}\\cdot {poly((c, 0))}={poly((k * c, 0))}$ and ${k}\\cdot {par(a)}={k * a}$."],
                poly((k * c, k * a)))
    mid = k * b + a
    steps = [
        f"The product of ${a}$ and ${b}$ is ${a * b}$.",
        f"The middle is ${plus(a, b)}$." if k == 1 else f"The middle is ${k}\\cdot {par(b)}={k * b}$, ${plus(k * b, a)}$.",
    ]
    return f"Expand $({poly((k, a))})({poly((1, b))})$.", steps, poly((k, mid, a * b))


@kind("Algebra", 3, 4)
def factor(r, level):
    hi = 6 if level == 3 else 9
    a, b = nonzero(r, -hi, hi), nonzero(r, -hi, hi)
    if a > b:
        a, b = b, a
    if a + b == 0:
        b = a
    one = f"(x{signed(a)})"
    answer = f"(x{signed(a)})^2" if a == b else f"{one}(x{signed(b)})"
    return (f"Factor ${poly((1, a + b, a * b))}$.",
            [f"We need product ${a * b}$ and sum ${a + b}$.", f"${a}\\cdot {par(b)}={a * b}$ and ${plus(a, b)}$."], answer)


@kind("Algebra", 3, 4, 5)
def quadratic_roots(r, level):
    hi = {3: 6, 4: 9, 5: 12}[level]
    lo = 1 if level == 3 else -hi
    a, b = sorted(r.sample([k for k in range(lo, hi + 1) if k], 2))
    if a + b == 0:
        b += 1
    p = poly((1, -a - b, a * b))
    q = f"Find all solutions of ${p}=0$. List them from small to large."
    return (q, [f"We need product ${a * b}$ and sum ${a + b}$.", f"${a}\\cdot {par(b)}={a * b}$ and ${plus(a, b)}$."], f"{a},{b}")


@kind("Algebra", 1, 2, 3)
def evaluate(r, level):
    x = nonzero(r, -6, 9) if level > 1 else r.randint(1, 9)
    f = r.choice("fgh")
    if level == 1:
        a, b = r.randint(2, 9), nonzero(r, -12, 20)
        return (f"If ${f}(x)={poly((a, b))}$, what is ${f}({x})$?", [f"${a}\\cdot {x}={a * x}$.", f"${plus(a * x, b)}$."], str(a * x + b))
    a, b, c = (1 if level == 2 else r.randint(2, 4)), nonzero(r, -6, 6), nonzero(r, -12, 12)
    steps = [f"${par(x)}^2={x * x}$."]
    if a > 1:
        steps.append(f"${a}\\cdot {x * x}={a * x * x}$.")
    steps.append(f"${b}\\cdot {par(x)}={b * x}$.")
    steps.append(f"${plus(a * x * x, b * x)}$ and ${plus(a * x * x + b * x, c)}$.")
    return f"If ${f}(x)={poly((a, b, c))}$, what is ${f}({x})$?", steps, str(a * x * x + b * x + c)


@kind("Algebra", 3, 4)
def inequality(r, level):
    a, x, b = r.randint(2, 9), r.randint(-9, 9), nonzero(r, -15, 15)
    op, strict, up = r.choice([("<", True, False), (">", True, True), ("\\le", False, False), ("\\ge", False, True)])
    flip = level == 4 and r.random() < 0.6
    k = -a if flip else a
    c = k * x + b
    up = up != flip
    shown = op if not flip else {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}[op]
    steps = [f"${poly((k, 0))} {op} {plus(c, -b)}$.", f"$x {shown} {x}$."]
    if flip:
        steps.insert(1, f"Dividing by ${k}$ turns the sign.")
    lo, hi = "(" if strict else "[", ")" if strict else "]"
    answer = f"{lo}{x},\\infty)" if up else f"(-\\infty,{x}{hi}"
    return f"Solve ${poly((k, b))} {op} {c}$. Write the answer as an interval.", steps, answer


@kind("Algebra", 4, 5)
def absolute_interval(r, level):
    a, k = r.randint(-9, 9), r.randint(1, 12)
    if a == 0:
        a = 4
    strict = r.random() < 0.5
    lo, hi = a - k, a + k
    if level == 4:
        op = "<" if strict else "\\le"
        answer = f"({lo},{hi})" if strict else f"[{lo},{hi}]"
    else:
        op = ">" if strict else "\\ge"
        answer = f"(-\\infty,{lo})\\cup({hi},\\infty)" if strict else f"(-\\infty,{lo}]\\cup[{hi},\\infty)"
    return (f"Solve $|x{signed(-a)}| {op} {k}$. Write the answer as an interval.",
            [f"The center is ${a}$ and the distance is ${k}$.", f"${plus(a, -k)}$ and ${plus(a, k)}$."], answer)


@kind("Algebra", 4, 5)
def linear_system(r, level):
    x, y = nonzero(r, -6, 12), nonzero(r, -6, 12)
    if level == 4:
        s, d = x + y, x - y
        return (f"If $x+y={s}$ and $x-y={d}$, find $(x,y)$.",
                [f"Adding: $2x={plus(s, d)}$.", f"$x={2 * x}/2={x}$.", f"$y={plus(s, -x)}$."], f"({x},{y})")
    a = r.randint(2, 5)
    s, t = x + y, a * x + y
    return (f"If ${a}x+y={t}$ and $x+y={s}$, find $(x,y)$.",
            [f"Subtracting: ${poly((a - 1, 0))}={plus(t, -s)}$.", *([f"$x={(a - 1) * x}/{a - 1}={x}$."] if a > 2 else []), f"$y={plus(s, -x)}$."], f"({x},{y})")


@kind("Algebra", 2, 3)
def midpoint(r, level):
    lo = 0 if level == 2 else -10
    a, b = r.randint(lo, 12), r.randint(lo, 12)
    c, d = a + 2 * r.randint(-6, 6), b + 2 * r.randint(1, 6)
    if level == 2:
        c = abs(c) + (a + abs(c)) % 2
    m, n = (a + c) // 2, (b + d) // 2
    return (f"Find the midpoint of $({a},{b})$ and $({c},{d})$.",
            [f"${plus(a, c)}$, half is ${m}$.", f"${plus(b, d)}$, half is ${n}$."], f"({m},{n})")


@kind("Algebra", 3, 4)
def slope(r, level):
    a, b = r.randint(-6, 9), r.randint(-6, 9)
    dx, dy = r.randint(1, 9), nonzero(r, -9, 9)
    c, d = a + dx, b + dy
    if level == 3:
        a, b, c, d = abs(a), abs(b), abs(a) + dx, abs(b) + abs(dy)
    dx, dy = c - a, d - b
    steps = [f"${plus(d, -b)}$ and ${plus(c, -a)}$."]
    if gcd(dx, dy) > 1:
        steps.append(f"Divide by ${gcd(dx, dy)}$: ${frac(dy, dx)}$.")
    return f"What is the slope of the line through $({a},{b})$ and $({c},{d})$?", steps, frac(dy, dx)


@kind("Algebra", 2, 3)
def power_rule(r, level):
    v = r.choice("xya")
    a, b, c = r.randint(2, 9), r.randint(2, 9), r.randint(2, 5)
    if level == 2:
        return f"Simplify ${v}^{{{a}}}\\cdot {v}^{{{b}}}$.", [f"${a}+{b}={a + b}$."], f"{v}^{{{a + b}}}"
    return (f"Simplify $({v}^{{{a}}})^{c}\\cdot {v}^{{{b}}}$.", [f"${a}\\cdot {c}={a * c}$.", f"${add(a * c, b)}$."], f"{v}^{{{a * c + b}}}")


# ---- Intermediate Algebra ----


@kind("Intermediate Algebra", 2, 3, 4)
def simplify_surd(r, level):
    inside = r.choice([2, 3, 5, 6, 7])
    a = r.randint(2, {2: 4, 3: 7, 4: 6}[level])
    n = a * a * inside
    if level < 4:
        return f"Simplify $\\sqrt{{{n}}}$.", [f"${n}={a * a}\\cdot {inside}$.", f"The root of ${a * a}$ is ${a}$."], surd_tex(a, inside)
    b = r.choice([k for k in range(2, 7) if k != a])
    m = b * b * inside
    minus = a > b and r.random() < 0.5
    s = a - b if minus else a + b
    op = "-" if minus else "+"
    return (f"Simplify $\\sqrt{{{n}}}{op}\\sqrt{{{m}}}$.",
            [f"${n}={a * a}\\cdot {inside}$, so the first is ${surd_tex(a, inside)}$.", f"${m}={b * b}\\cdot {inside}$, so the second is ${surd_tex(b, inside)}$.",
             f"${plus(a, -b if minus else b)}$."], surd_tex(s, inside))


@kind("Intermediate Algebra", 3, 5)
def complex_numbers(r, level):
    a, b, c, d = (nonzero(r, -6, 9) for _ in range(4))
    z, w = f"({a}{imag(b)})", f"({c}{imag(d)})"
    if level == 3:
        minus = r.random() < 0.5
        e, f = (a - c, b - d) if minus else (a + c, b + d)
        t = -1 if minus else 1
        return (f"Compute ${z}{'-' if minus else '+'}{w}$.", [f"${plus(a, t * c)}$ and ${plus(b, t * d)}$."], cplx(e, f))
    e, f = a * c - b * d, a * d + b * c
    return (f"Compute ${z}{w}$.",
            [f"${a}\\cdot {par(c)}={a * c}$ and ${b}\\cdot {par(d)}={b * d}$, so the real part is ${plus(a * c, -b * d)}$.",
             f"${a}\\cdot {par(d)}={a * d}$ and ${b}\\cdot {par(c)}={b * c}$, so the other part is ${plus(a * d, b * c)}$."], cplx(e, f))


def imag(b):
    return {1: "+i", -1: "-i"}.get(b, f"{b:+d}i")


def cplx(e, f):
    if f == 0:
        return str(e)
    return (str(e) if e else "") + (imag(f) if e else imag(f).lstrip("+"))


@kind("Intermediate Algebra", 4, 5)
def rationalize(r, level):
    b = r.choice([2, 3, 5, 6, 7])
    if level == 4:
        a = r.randint(1, 12)
        g = gcd(a, b)
        steps = [f"Multiply by $\\sqrt{{{b}}}$: $\\frac{{{surd_tex(a, b)}}}{{{b}}}$."]
        if g > 1:
            steps.append(f"Divide by ${g}$.")
        top = surd_tex(a // g, b)
        return (f"Rationalize the denominator of $\\frac{{{a}}}{{\\sqrt{{{b}}}}}$.", steps, top if b == g else f"\\frac{{{top}}}{{{b // g}}}")
    a = r.randint(2, 9)
    s = a * a - b
    while s <= 0:
        a += 1
        s = a * a - b
    k = s * r.randint(1, 3)
    m = k // s
    answer = f"{m * a}-{surd_tex(m, b)}"
    return (f"Simplify $\\frac{{{k}}}{{{a}+\\sqrt{{{b}}}}}$.",
            [f"Multiply by ${a}-\\sqrt{{{b}}}$. The denominator is ${sub(a * a, b)}$.", f"${k}/{s}={m}$."], answer)


@kind("Intermediate Algebra", 4, 5)
def vieta(r, level):
    a, b, c = nonzero(r, -9, 9), nonzero(r, -9, 9), 1 if level == 4 else r.randint(2, 5)
    p = poly((c, a, b))
    if r.random() < 0.5:
        return f"What is the sum of the roots of ${p}=0$?", [f"The sum is $-\\frac{{b}}{{a}}$ with $b={a}$ and $a={c}$."], frac(-a, c)
    return f"What is the product of the roots of ${p}=0$?", [f"The product is $\\frac{{c}}{{a}}$ with $c={b}$ and $a={c}$."], frac(b, c)


# ---- Number Theory ----


@kind("Number Theory", 1, 2, 3)
def remainder(r, level):
    m = r.randint(3, 9) if level < 3 else r.randint(11, 15)
    n = r.randint(m + 1, 60 if level == 1 else 130)
    k = n // m
    if level < 3 and k > 10:
        n = m * 10 - r.randint(1, 9)
        k = n // m
    return (f"What is the remainder when ${n}$ is divided by ${m}$?", [f"${m}\\cdot {k}={m * k}$.", f"${sub(n, m * k)}$."], str(n - m * k))


@kind("Number Theory", 2, 3)
def gcd_lcm(r, level):
    g = r.randint(2, 9)
    a, b = r.sample([k for k in range(1, 8)], 2)
    while gcd(a, b) != 1:
        a, b = r.sample([k for k in range(1, 8)], 2)
    m, n = g * a, g * b
    first = f"${m}={g}\\cdot {a}$ and ${n}={g}\\cdot {b}$."
    if level == 2:
        return f"What is the greatest common divisor of ${m}$ and ${n}$?", [first], str(g)
    return f"What is the least common multiple of ${m}$ and ${n}$?", [first, f"${g}\\cdot {a}={m}$ and ${mul(m, b)}$."], str(m * b)


@kind("Number Theory", 2, 3)
def divisors(r, level):
    n = r.randint(6, 30) if level == 2 else r.randint(31, 72)
    pairs = [(k, n // k) for k in range(1, isqrt(n) + 1) if n % k == 0]
    every = sorted({k for p in pairs for k in p})
    steps = ["The pairs are " + ", ".join(f"${a}\\cdot {b}$" for a, b in pairs) + "."]
    if r.random() < 0.5:
        return f"List all positive divisors of ${n}$ from small to large.", steps, ",".join(map(str, every))
    return f"How many positive divisors does ${n}$ have?", steps + ["They are $" + ",".join(map(str, every)) + "$."], str(len(every))


@kind("Number Theory", 3, 4)
def prime_factors(r, level):
    n, left, steps = 1, [], []
    while len(left) < level or len(set(left)) < 2:
        left.append(r.choice([2, 2, 2, 3, 3, 5, 7]))
        if len(left) > level + 1:
            left = []
    for p in left:
        n *= p
    if n > 400:
        return prime_factors(r, level)
    left.sort()
    m = n
    for p in left[:-1]:
        steps.append(f"{m}={p}\\cdot {m // p}")
        m //= p
    answer = " \\cdot ".join(str(p) if left.count(p) == 1 else f"{p}^{left.count(p)}" for p in sorted(set(left)))
    return f"Write ${n}$ as a product of powers of primes.", ["$" + "$, $".join(steps) + "$."], answer


@kind("Number Theory", 3, 4)
def base_convert(r, level):
    b = r.randint(3, 8) if level == 3 else r.choice([2, 3])
    n = r.randint(b, 60) if level == 3 else r.randint(8, 31)
    if level == 3:
        n = min(n, b ** 3 - 1)
    digits, m, steps = [], n, []
    while m:
        steps.append(f"${m}={b}\\cdot {m // b}+{m % b}$")
        digits.append(str(m % b))
        m //= b
    text = "".join(reversed(digits))
    return f"Write ${n}$ in base ${b}$.", [", ".join(steps) + "."], f"{text}_{b}"


# ---- Counting & Probability ----


@kind("Counting & Probability", 1, 2, 3)
def draw(r, level):
    colors = r.sample(["red", "blue", "green", "black", "white"], 3)
    a, b, c = r.randint(1, 9), r.randint(1, 9), r.randint(1, 9)
    thing = r.choice(["balls", "beads", "cards"])
    if level == 1:
        t = a + b
        q = f"A bag holds ${a}$ {colors[0]} and ${b}$ {colors[1]} {thing}. One is drawn. What is the probability that it is {colors[0]}?"
        steps, w = [f"${a}+{b}={t}$."], a
    else:
        t = a + b + c
        last = colors[0] if level == 2 else f"not {colors[0]}"
        w = a if level == 2 else b + c
        q = (f"A bag holds ${a}$ {colors[0]}, ${b}$ {colors[1]} and ${c}$ {colors[2]} {thing}. One is drawn. "
             f"What is the probability that it is {last}?")
        steps = [f"${a}+{b}+{c}={a + b}+{c}={t}$."]
        if level == 3:
            steps.append(f"${b}+{c}={w}$ are not {colors[0]}.")
    steps.append(f"The probability is ${raw(w, t)}$.")
    if gcd(w, t) > 1:
        steps.append(f"Divide by ${gcd(w, t)}$: ${frac(w, t)}$.")
    return q, steps, frac(w, t)


@kind("Counting & Probability", 2, 3, 4)
def choose(r, level):
    thing = r.choice(["books", "players", "colors", "songs", "cards", "flags", "friends"])
    if level == 2:
        n = r.randint(4, 20)
        return (f"In how many ways can we choose $2$ of ${n}$ {thing}?", [f"${mul(n, n - 1)}$.", f"${div(n * (n - 1), 2)}$."], str(comb(n, 2)))
    n = r.randint(4, 9)
    if level == 3:
        return (f"In how many ways can we put $3$ of ${n}$ {thing} in order?", [f"${n}\\cdot {n - 1}={n * (n - 1)}$.", f"${mul(n * (n - 1), n - 2)}$."],
                str(n * (n - 1) * (n - 2)))
    p = n * (n - 1) * (n - 2)
    return (f"In how many ways can we choose $3$ of ${n}$ {thing}?", [f"${n}\\cdot {n - 1}={n * (n - 1)}$.", f"${mul(n * (n - 1), n - 2)}$.", f"${div(p, 6)}$."],
            str(p // 6))


@kind("Counting & Probability", 3, 4, 5)
def dice_sum(r, level):
    s = r.randint(2, 12)
    if level == 3:
        ways = [(a, s - a) for a in range(1, 7) if 1 <= s - a <= 6]
        q = f"Two dice are rolled. What is the probability that the sum is ${s}$?"
        steps = ["The rolls are $" + ",".join(f"({a},{b})" for a, b in ways) + "$."]
        n, m = len(ways), 36
    else:
        k, n = r.randint(2, 3) if level == 5 else 2, r.randint(2, 9)
        a = r.randint(1, n)
        t = n + a
        q = f"A bag holds ${n}$ red and ${a}$ blue balls. We draw ${k}$ without putting back. What is the probability that all are red?"
        steps, num, den = [], 1, 1
        for i in range(k):
            num, den = num * max(n - i, 0), den * (t - i)
        if t < 3:
            return dice_sum(r, level)
        steps.append("$" + "\\cdot ".join(raw(max(n - i, 0), t - i) for i in range(k)) + f"={raw(num, den)}$.")
        g = gcd(num, den)
        if g > 1 and num:
            steps.append(f"Divide by ${g}$: ${frac(num, den)}$.")
        return q, steps, frac(num, den)
    steps.append(f"The probability is ${raw(n, m)}$.")
    if gcd(n, m) > 1:
        steps.append(f"Divide by ${gcd(n, m)}$: ${frac(n, m)}$.")
    return q, steps, frac(n, m)


# ---- Geometry ----


@kind("Geometry", 1, 2, 3)
def circle(r, level):
    a = r.randint(2, 15 if level < 3 else 12)
    if level == 1:
        return f"What is the circumference of a circle with radius ${a}$?", [f"It is $2\\pi r$ and ${mul(2, a)}$."], f"{2 * a}\\pi"
    if level == 2:
        return f"What is the area of a circle with radius ${a}$?", [f"It is $\\pi r^2$ and ${mul(a, a)}$."], f"{a * a}\\pi"
    h = r.randint(2, 9)
    return (f"What is the volume of a cylinder with radius ${a}$ and height ${h}$?", [f"It is $\\pi r^2h$ and ${mul(a, a)}$.", f"${mul(a * a, h)}$."],
            f"{a * a * h}\\pi")


@kind("Geometry", 1, 2)
def triangle_angle(r, level):
    if level == 1:
        a, b = r.randint(20, 80), r.randint(20, 80)
        return (f"Two angles of a triangle are ${a}^\\circ$ and ${b}^\\circ$. What is the third, in degrees?", [f"${add(a, b)}$.", f"${sub(180, a + b)}$."],
                str(180 - a - b))
    a = 2 * r.randint(5, 80)
    return (f"The angle at the top of an isosceles triangle is ${a}^\\circ$. What is each of the others, in degrees?", [f"${sub(180, a)}$.", f"${div(180 - a, 2)}$."],
            str((180 - a) // 2))


@kind("Geometry", 3, 4, 5)
def pythagoras(r, level):
    if level == 3:
        a, b, c = r.choice([(3, 4, 5), (4, 3, 5), (5, 12, 13), (12, 5, 13), (8, 15, 17), (15, 8, 17)])
        k = r.randint(1, 9)
        q = f"A right triangle has hypotenuse ${k * c}$ and one leg ${k * a}$. How long is the other leg?"
        steps = [f"${k * a}={k}\\cdot {a}$ and ${k * c}={k}\\cdot {c}$.", f"The sides are ${k}$ times ${min(a, b)},{max(a, b)},{c}$.", f"${mul(k, b)}$."]
        return q, steps, str(k * b)
    if level == 4:
        a, b = r.randint(1, 9), r.randint(1, 9)
        n = a * a + b * b
        q = f"A right triangle has legs ${a}$ and ${b}$. What is its hypotenuse?"
        steps = [f"${a}^2={a * a}$ and ${b}^2={b * b}$.", f"${add(a * a, b * b)}$."]
    else:
        x, y, a, b = r.randint(-6, 6), r.randint(-6, 6), nonzero(r, -9, 9), nonzero(r, -9, 9)
        n = a * a + b * b
        q = f"What is the distance between $({x},{y})$ and $({x + a},{y + b})$?"
        steps = [f"${plus(x + a, -x)}$ and ${plus(y + b, -y)}$.", f"${par(a)}^2={a * a}$ and ${par(b)}^2={b * b}$.", f"${add(a * a, b * b)}$."]
    k, m = surd(n)
    if m == 1:
        steps.append(f"The root is ${k}$.")
    elif k > 1:
        steps.append(f"${n}={k * k}\\cdot {m}$.")
    return q, steps, surd_tex(k, m)


# ---- Precalculus ----


@kind("Precalculus", 3, 4, 5)
def matrix(r, level):
    lo, hi = (0, 9) if level == 3 else (-4, 6)
    a, b, c, d, e, f, g, h = (r.randint(lo, hi) for _ in range(8))
    A, B = pm(a, b, c, d), pm(e, f, g, h)
    if level == 3:
        return (f"Compute ${A}+{B}$.", [f"${a}+{e}={a + e}$, ${b}+{f}={b + f}$, ${c}+{g}={c + g}$, ${d}+{h}={d + h}$."], pm(a + e, b + f, c + g, d + h))
    if level == 4:
        return (f"What is the determinant of ${A}$?", [f"${a}\\cdot {par(d)}={a * d}$ and ${b}\\cdot {par(c)}={b * c}$.", f"${plus(a * d, -b * c)}$."],
                str(a * d - b * c))
    x, y = r.randint(-4, 6), r.randint(-4, 6)
    v = f"\\begin{{pmatrix}}{x}\\\\{y}\\end{{pmatrix}}"
    p, q = a * x + b * y, c * x + d * y
    return (f"Compute ${A}{v}$.", [f"${a}\\cdot {par(x)}{'+'}{par(b)}\\cdot {par(y)}={plus(a * x, b * y)}$.", f"${c}\\cdot {par(x)}{'+'}{par(d)}\\cdot {par(y)}={plus(c * x, d * y)}$."],
            f"\\begin{{pmatrix}}{p}\\\\{q}\\end{{pmatrix}}")


def pm(a, b, c, d):
    return f"\\begin{{pmatrix}}{a}&{b}\\\\{c}&{d}\\end{{pmatrix}}"


@kind("Precalculus", 2, 4)
def vectors(r, level):
    lo = 0 if level == 2 else -6
    a, b, c, d, e, f = (r.randint(lo, 9) for _ in range(6))
    if level == 2:
        return (f"Compute the dot product of $({a},{b})$ and $({c},{d})$.", [f"${a}\\cdot {c}={a * c}$ and ${b}\\cdot {d}={b * d}$.", f"${add(a * c, b * d)}$."],
                str(a * c + b * d))
    k = r.randint(2, 5)
    return (f"Compute ${k}({a},{b},{c})+({d},{e},{f})$.", [f"${k}({a},{b},{c})=({k * a},{k * b},{k * c})$.",
            f"${plus(k * a, d)}$, ${plus(k * b, e)}$, ${plus(k * c, f)}$."], f"({k * a + d},{k * b + e},{k * c + f})")


@kind("Precalculus", 4, 5)
def sequence_sum(r, level):
    a, d, n = r.randint(1, 9), r.randint(2, 6), r.randint(4, 10)
    last = a + (n - 1) * d
    if level == 4:
        return (f"An arithmetic sequence starts ${a},{a + d},{a + 2 * d}$. What is its term number ${n}$?",
                [f"The difference is ${d}$.", f"${n - 1}\\cdot {d}={(n - 1) * d}$.", f"${add(a, (n - 1) * d)}$."], str(last))
    s = n * (a + last) // 2
    return (f"What is the sum of the first ${n}$ terms of ${a},{a + d},{a + 2 * d},\\ldots$?",
            [f"The difference is ${d}$ and ${n - 1}\\cdot {d}={(n - 1) * d}$.", f"The last term is ${add(a, (n - 1) * d)}$.", f"${add(a, last)}$ and ${mul(n, a + last)}$.", f"${div(n * (a + last), 2)}$."], str(s))


def make_math(r: random.Random, level: int = 0) -> Problem:
    """Draws one problem from the stream `r`; `level` 0 means any."""
    level = level or r.randint(1, 5)
    subject, name, _, function = r.choice([t for t in TEMPLATES if level in t[2]])
    question, steps, answer = function(r, level)
    return Problem(question, tuple(steps), answer, level, name, subject)
