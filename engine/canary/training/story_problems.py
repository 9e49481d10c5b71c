"""Grade-school stories in words, with their solutions written out step by step.

Each template is a function of a random stream that returns (question, steps, answer). A template's
level is the number of equations its solution needs. All sentences are this project's own.
"""
import random

from problem import Problem, add, div, mul, sub

SHE = "Ana Bela Chloe Dina Elif Fay Greta Hana Ines Judy Kira Lena Mia Nora Olga Priya Rosa Sara Tess Vera"
HE = "Adam Ben Carl Dan Emil Finn Gus Hugo Ivan Jack Karl Leo Max Noah Omar Paul Ravi Sam Theo Yusuf"
NAMES = [(n, "she", "her") for n in SHE.split()] + [(n, "he", "his") for n in HE.split()]
ITEMS = (
    "apples marbles stickers pencils books shells coins cards buttons stamps cookies oranges beads "
    "balloons toys candies eggs flowers plums nuts stones tickets keys cups lemons crayons"
).split()
GOODS = "pen notebook mug scarf ball lamp cake sandwich puzzle kite brush hat candle plant bag".split()
BOXES = "boxes bags baskets jars trays crates drawers packs".split()
PLACES = "school park market farm library museum zoo beach".split()

TEMPLATES = []  # (level, kind, function)


def story(level):
    def register(function):
        TEMPLATES.append((level, function.__name__, function))
        return function

    return register


def person(r):
    return r.choice(NAMES)


def people(r, n):
    return [p[0] for p in r.sample(NAMES, n)]


def plural(good):
    return {"brush": "brushes", "sandwich": "sandwiches"}.get(good, good + "s")


# ---- A running count that events change: the backbone of all levels ----


def _event(r, x, he, item, other):
    """One event on a count of `x` items: (sentence, step, new count) or None if it doesn't fit."""
    e = r.randrange(9)
    He = he.capitalize()
    if e <= 1:
        a = r.randint(2, 60)
        if x + a > 400:
            return None
        s = r.choice(
            [f"{He} finds {a} more.", f"{other} gives {he_obj(he)} {a} more.", f"{He} buys {a} more.",
             f"Then {he} gets {a} more {item}."]
        )
        return s, f"Then {he} has {add(x, a)} {item}.", x + a
    if e <= 3:
        if x < 6:
            return None
        a = r.randint(2, min(60, x - 2))
        s = r.choice(
            [f"{He} loses {a} of them.", f"{He} gives {a} to {other}.", f"{He} sells {a} of them.",
             f"Then {a} {item} are lost."]
        )
        return s, f"Then {he} has {sub(x, a)} {item}.", x - a
    if e == 4:
        if x > 60:
            return None
        k, word = r.choice([(2, "doubles"), (3, "triples")])
        return f"Then {he} {word} the number of {item}.", f"Then {he} has {mul(x, k)} {item}.", x * k
    if e == 5:
        k, word = r.choice([(2, "half"), (3, "a third"), (4, "a quarter"), (5, "a fifth")])
        if x % k or x < 2 * k:
            return None
        if k == 2:
            return f"{He} gives half of them to {other}.", f"Then {he} has {div(x, 2)} {item}.", x // 2
        g = x // k
        return (
            f"{He} gives {word} of them to {other}.",
            f"{He} gives away {div(x, k)}. Then {he} has {sub(x, g)} {item}.",
            x - g,
        )
    a, k = r.randint(2, 9), r.randint(2, 9)
    box = r.choice(BOXES)
    if e == 6:
        if x + a * k > 400:
            return None
        s = r.choice(
            [f"{He} gets {k} {box} of {a} {item} each.", f"{He} buys {k} {box} with {a} {item} in each."]
        )
        return s, f"The {box} hold {mul(k, a)}. Then {he} has {add(x, a * k)} {item}.", x + a * k
    if x <= a * k:
        return None
    if e == 7:
        s = f"{He} gives {a} {item} to each of {k} friends."
        return s, f"The friends get {mul(k, a)}. Then {he} has {sub(x, a * k)} {item}.", x - a * k
    s = f"Each day for {k} days {he} uses {a} of them."
    return s, f"{He} uses {mul(k, a)}. Then {he} has {sub(x, a * k)} {item}.", x - a * k


def he_obj(he):
    return "her" if he == "she" else "him"


def _chain(r, level):
    n, he, _ = person(r)
    other = r.choice([p[0] for p in NAMES if p[0] != n])
    item = r.choice(ITEMS)
    x = r.randint(5, 90)
    sentences = [r.choice([f"{n} has {x} {item}.", f"{n} starts with {x} {item}.", f"At first {n} has {x} {item}."])]
    steps, equations = [], 0
    while equations < level:
        event = _event(r, x, he, item, other)
        if event is None:
            continue
        cost = 2 if ". Then" in event[1] else 1
        if equations + cost > level:
            continue
        equations += cost
        sentences.append(event[0])
        steps.append(event[1])
        x = event[2]
    q = r.choice([f"How many {item} does {n} have now?", f"How many {item} are left with {n} at the end?",
                  f"How many {item} does {he} have in the end?"])
    return " ".join(sentences + [q]), steps, x


@story(1)
def chain_1(r):
    return _chain(r, 1)


@story(2)
def chain_2(r):
    return _chain(r, 2)


@story(3)
def chain_3(r):
    return _chain(r, 3)


@story(4)
def chain_4(r):
    return _chain(r, 4)


# ---- Level 1 ----


@story(1)
def groups(r):
    n, item, box = person(r)[0], r.choice(ITEMS), r.choice(BOXES)
    a, b = r.randint(2, 25), r.randint(2, 9)
    q = r.choice(
        [f"{n} puts {a} {item} in each of {b} {box}. How many {item} is that?",
         f"There are {b} {box} with {a} {item} in each. How many {item} does {n} count?"]
    )
    return q, [f"There are {mul(b, a)} {item}."], a * b


@story(1)
def share(r):
    n, item = person(r)[0], r.choice(ITEMS)
    k, a = r.randint(2, 9), r.randint(2, 20)
    q = r.choice(
        [f"{n} shares {a * k} {item} equally among {k} friends. How many {item} does each friend get?",
         f"{k} children split {a * k} {item} fairly. How many {item} does each child get?"]
    )
    return q, [f"Each gets {div(a * k, k)} {item}."], a


@story(1)
def cost(r):
    g, n = r.choice(GOODS), person(r)[0]
    p, k = r.randint(2, 30), r.randint(2, 9)
    q = r.choice(
        [f"One {g} costs {p} dollars. How many dollars do {k} {plural(g)} cost?",
         f"{n} buys {k} {plural(g)} at {p} dollars each. How many dollars does {n} pay?"]
    )
    return q, [f"The cost is {mul(k, p)} dollars."], k * p


@story(1)
def more_or_fewer(r):
    n, m = people(r, 2)
    item, a, d = r.choice(ITEMS), r.randint(10, 99), r.randint(2, 60)
    if r.random() < 0.5 or a - d < 2:
        return (f"{n} has {a} {item}. {m} has {d} more than {n}. How many {item} does {m} have?",
                [f"{m} has {add(a, d)} {item}."], a + d)
    return (f"{n} has {a} {item}. {m} has {d} fewer than {n}. How many {item} does {m} have?",
            [f"{m} has {sub(a, d)} {item}."], a - d)


@story(1)
def difference(r):
    n, m = people(r, 2)
    item = r.choice(ITEMS)
    a, b = sorted(r.sample(range(3, 99), 2), reverse=True)
    q = r.choice([f"{n} has {a} {item} and {m} has {b}. How many more {item} does {n} have than {m}?",
                  f"{m} has {b} {item} and {n} has {a}. How many {item} does {m} need to have as many as {n}?"])
    return q, [f"The difference is {sub(a, b)} {item}."], a - b


@story(1)
def times_as_many(r):
    n, m = people(r, 2)
    item, a, k = r.choice(ITEMS), r.randint(3, 40), r.randint(2, 6)
    return (f"{n} has {a} {item}. {m} has {k} times as many. How many {item} does {m} have?",
            [f"{m} has {mul(a, k)} {item}."], a * k)


@story(1)
def age_later(r):
    n, he, _ = person(r)
    a, d = r.randint(4, 60), r.randint(2, 30)
    return (f"{n} is {a} years old. How old will {he} be in {d} years?", [f"{n} will be {add(a, d)} years old."], a + d)


@story(1)
def laps(r):
    n, he, _ = person(r)
    a, k = r.randint(2, 15), r.randint(2, 9)
    return (f"It takes {n} {a} minutes to run one lap. How many minutes does {he} need for {k} laps?",
            [f"{n} needs {mul(k, a)} minutes."], a * k)


# ---- Level 2 ----


@story(2)
def together(r):
    n, m = people(r, 2)
    item, a, k = r.choice(ITEMS), r.randint(3, 40), r.randint(2, 5)
    word = "twice as many" if k == 2 else f"{k} times as many"
    return (f"{n} has {a} {item} and {m} has {word}. How many {item} do they have together?",
            [f"{m} has {mul(a, k)} {item}.", f"Together they have {add(a, a * k)} {item}."], a + a * k)


@story(2)
def together_more(r):
    n, m = people(r, 2)
    item, a, d = r.choice(ITEMS), r.randint(5, 80), r.randint(2, 40)
    if r.random() < 0.5 or d + 2 > a:
        b, word, step = a + d, "more", add(a, d)
    else:
        b, word, step = a - d, "fewer", sub(a, d)
    return (f"{n} has {a} {item}. {m} has {d} {word} than {n}. How many {item} do {n} and {m} have together?",
            [f"{m} has {step} {item}.", f"Together they have {add(a, b)} {item}."], a + b)


@story(2)
def change(r):
    n, he, _ = person(r)
    g, bill = r.choice(GOODS), r.choice([20, 50, 100])
    p = r.randint(2, bill // 3)
    k = r.randint(2, min(9, (bill - 1) // p))
    return (f"{n} buys {k} {plural(g)} for {p} dollars each and pays with {bill} dollars. "
            f"How many dollars does {he} get back?",
            [f"The cost is {mul(k, p)} dollars.", f"{n} gets back {sub(bill, k * p)} dollars."], bill - k * p)


@story(2)
def rectangle(r):
    n = person(r)[0]
    w, h = r.randint(2, 40), r.randint(2, 40)
    place = r.choice(["garden", "field", "yard", "room"])
    return (f"{n} walks once around a {place} that is {w} meters long and {h} meters wide. "
            f"How many meters does {n} walk?",
            [f"Half of the way is {add(w, h)} meters.", f"The way is {mul(2, w + h)} meters."], 2 * (w + h))


@story(2)
def boxes_eaten(r):
    n, he, _ = person(r)
    item, box = r.choice(ITEMS), r.choice(BOXES)
    k, a = r.randint(2, 9), r.randint(3, 20)
    d = r.randint(2, k * a - 1) if k * a < 40 else r.randint(2, 39)
    return (f"{n} has {k} {box} with {a} {item} in each. {he.capitalize()} gives away {d} {item}. "
            f"How many {item} are left?",
            [f"{n} has {mul(k, a)} {item}.", f"There are {sub(k * a, d)} left."], k * a - d)


@story(2)
def wages(r):
    n, he, _ = person(r)
    w, h = r.randint(5, 20), r.randint(2, 9)
    d = r.randint(3, min(60, w * h - 1))
    g = r.choice(GOODS)
    return (f"{n} earns {w} dollars an hour and works {h} hours. Then {he} buys a {g} for {d} dollars. "
            f"How many dollars are left?",
            [f"{n} earns {mul(h, w)} dollars.", f"There are {sub(h * w, d)} dollars left."], h * w - d)


@story(2)
def pages(r):
    n, he, _ = person(r)
    a, k = r.randint(5, 30), r.randint(2, 9)
    total = a * k + r.randint(5, 150)
    return (f"{n} reads a book of {total} pages. {he.capitalize()} reads {a} pages a day for {k} days. "
            f"How many pages are left?",
            [f"{n} reads {mul(k, a)} pages.", f"There are {sub(total, a * k)} pages left."], total - a * k)


@story(2)
def rows(r):
    a, k, d = r.randint(4, 20), r.randint(3, 9), r.randint(2, 30)
    place = r.choice(["hall", "cinema", "tent", "theater"])
    return (f"A {place} has {k} rows of {a} chairs and {d} more chairs at the back. How many chairs are there?",
            [f"The rows have {mul(k, a)} chairs.", f"There are {add(k * a, d)} chairs."], k * a + d)


@story(2)
def discount(r):
    n, _, _ = person(r)
    g = r.choice(GOODS)
    pct = r.choice([10, 20, 25, 50])
    unit = {10: 10, 20: 5, 25: 4, 50: 2}[pct]
    p = unit * r.randint(2, 30)
    off = p // (100 // pct)
    return (f"A {g} costs {p} dollars. {n} gets {pct}% off. How many dollars does {n} pay?",
            [f"{pct}% is 1/{100 // pct}. {n} saves {div(p, 100 // pct)} dollars.",
             f"{n} pays {sub(p, off)} dollars."], p - off)


@story(2)
def part_of_class(r):
    k, word = r.choice([(2, "Half"), (3, "One third"), (4, "One quarter"), (5, "One fifth")])
    t = k * r.randint(3, 15)
    a, b = r.choice([("girls", "boys"), ("adults", "children"), ("cats", "dogs"), ("red", "blue")])
    if a in ("cats", "red"):
        thing = "animals" if a == "cats" else "cars"
        q = f"There are {t} {thing}. {word} of them are {a}, the others are {b}. How many are {b}?"
    else:
        q = f"{t} people visit the {r.choice(PLACES)}. {word} of them are {a}, the others are {b}. How many are {b}?"
    return q, [f"There are {div(t, k)} {a}.", f"There are {sub(t, t // k)} {b}."], t - t // k


@story(2)
def share_after(r):
    n, he, his = person(r)
    item, k, a, d = r.choice(ITEMS), r.randint(2, 9), r.randint(2, 15), r.randint(2, 30)
    return (f"{n} has {a * k + d} {item}. {he.capitalize()} keeps {d} and shares the others equally among {k} friends. "
            f"How many {item} does each friend get?",
            [f"There are {sub(a * k + d, d)} {item} to share.", f"Each friend gets {div(a * k, k)}."], a)


@story(2)
def age_sum(r):
    n, m = people(r, 2)
    a, k = r.randint(3, 20), r.choice([2, 3, 4])
    word = "twice" if k == 2 else f"{k} times"
    return (f"{n} is {a} years old. {m} is {word} as old. How old are they together?",
            [f"{m} is {mul(a, k)} years old.", f"Together they are {add(a, k * a)} years old."], a + k * a)


@story(2)
def weeks_to_goal(r):
    n, he, _ = person(r)
    w, k, have = r.randint(3, 12), r.randint(3, 12), r.randint(5, 50)
    g = r.choice(["bike", "tent", "phone", "guitar", "camera"])
    return (f"{n} has {have} dollars and saves {w} dollars a week. A {g} costs {have + w * k} dollars. "
            f"After how many weeks can {he} buy it?",
            [f"{n} needs {sub(have + w * k, have)} dollars.", f"It takes {div(w * k, w)} weeks."], k)


# ---- Level 3 ----


@story(3)
def two_goods(r):
    n, _, _ = person(r)
    g, h = r.sample(GOODS, 2)
    a, b, p, q = r.randint(2, 9), r.randint(2, 9), r.randint(2, 12), r.randint(2, 12)
    return (f"{n} buys {a} {plural(g)} at {p} dollars each and {b} {plural(h)} at {q} dollars each. "
            f"How many dollars does {n} pay?",
            [f"The {plural(g)} cost {mul(a, p)} dollars.", f"The {plural(h)} cost {mul(b, q)} dollars.",
             f"Together that is {add(a * p, b * q)} dollars."], a * p + b * q)


@story(3)
def three_people(r):
    n, m, o = people(r, 3)
    item, a, k, d = r.choice(ITEMS), r.randint(5, 30), r.randint(2, 4), r.randint(2, 20)
    b = a * k
    word = "twice as many" if k == 2 else f"{k} times as many"
    if r.random() < 0.5:
        c, step, cmp = b + d, add(b, d), "more"
    elif b - d > 1:
        c, step, cmp = b - d, sub(b, d), "fewer"
    else:
        c, step, cmp = b + d, add(b, d), "more"
    return (f"{n} has {a} {item}. {m} has {word} as {n}. {o} has {d} {cmp} than {m}. "
            f"How many {item} do {n} and {o} have together?",
            [f"{m} has {mul(a, k)} {item}.", f"{o} has {step} {item}.", f"{n} and {o} have {add(a, c)} {item}."], a + c)


@story(3)
def discount_many(r):
    n, _, _ = person(r)
    g, pct = r.choice(GOODS), r.choice([10, 20, 25, 50])
    unit, k = {10: 10, 20: 5, 25: 4, 50: 2}[pct], r.randint(2, 6)
    p = unit * r.randint(2, 9)
    t = k * p
    return (f"A {g} costs {p} dollars. {n} buys {k} of them and gets {pct}% off the total. How many dollars does {n} pay?",
            [f"The total is {mul(k, p)} dollars.", f"{pct}% is 1/{100 // pct}. {n} saves {div(t, 100 // pct)} dollars.",
             f"{n} pays {sub(t, t * pct // 100)} dollars."], t - t * pct // 100)


@story(3)
def average_three(r):
    n, _, his = person(r)
    mean = r.randint(5, 30)
    while True:
        a, b = r.randint(2, 50), r.randint(2, 50)
        c = 3 * mean - a - b
        if 2 <= c <= 60:
            break
    what = r.choice(["points in three games", "fish on three days", "miles on three days", "pages on three days"])
    return (f"{n} gets {a}, {b} and {c} {what}. What is {his} average?",
            [add(a, b) + ".", add(a + b, c) + ".", f"The average is {div(3 * mean, 3)}."], mean)


@story(3)
def work_week(r):
    n, he, _ = person(r)
    w, h, d, v, e = r.randint(5, 15), r.randint(2, 8), r.choice(["Monday", "Friday"]), r.randint(5, 15), r.randint(2, 8)
    return (f"On {d} {n} works {h} hours for {w} dollars an hour. On Sunday {he} works {e} hours for {v} dollars an hour. "
            f"How many dollars does {n} earn?",
            [f"On {d} {he} earns {mul(h, w)} dollars.", f"On Sunday {he} earns {mul(e, v)} dollars.",
             f"Together that is {add(h * w, e * v)} dollars."], h * w + e * v)


@story(3)
def packs_shared(r):
    n, he, _ = person(r)
    item, box, k = r.choice(ITEMS), r.choice(BOXES), r.randint(2, 8)
    each = r.randint(2, 12)
    total = each * k
    while True:
        a, b = r.randint(2, 9), r.randint(2, 9)
        if a * b != total:
            break
        each = r.randint(2, 12)
        total = each * k
    if a * b < total:
        x = total - a * b
        first, step = f"and {x} single {item}", add(a * b, x)
    else:
        x = a * b - total
        first, step = f"but {x} of the {item} are bad", sub(a * b, x)
    return (f"{n} has {a} {box} of {b} {item} {first}. {he.capitalize()} shares the good {item} equally among {k} friends. "
            f"How many {item} does each friend get?",
            [f"The {box} hold {mul(a, b)} {item}.", f"{n} shares {step}.", f"Each friend gets {div(total, k)}."], each)


@story(3)
def trip(r):
    n, he, _ = person(r)
    a, b, c, d = r.randint(20, 60), r.randint(2, 5), r.randint(10, 40), r.randint(2, 5)
    return (f"{n} drives {b} hours at {a} miles an hour and then {d} hours at {c} miles an hour. How many miles does {he} drive?",
            [f"First {he} drives {mul(b, a)} miles.", f"Then {he} drives {mul(d, c)} miles.",
             f"Together that is {add(a * b, c * d)} miles."], a * b + c * d)


@story(3)
def bus(r):
    a, b, c, d = r.randint(20, 60), r.randint(2, 12), r.randint(2, 20), r.randint(2, 9)
    x = a - b + c
    return (f"A bus starts with {a} people. At the first stop {b} people get off and {c} get on. "
            f"At the next stop {d} people get off. How many people are on the bus now?",
            [f"After {b} get off there are {sub(a, b)}.", f"After {c} get on there are {add(a - b, c)}.",
             f"After {d} get off there are {sub(x, d)}."], x - d)


@story(3)
def fence(r):
    w, h, p = r.randint(3, 20), r.randint(3, 20), r.randint(2, 9)
    n = person(r)[0]
    return (f"{n} puts a fence around a garden that is {w} meters long and {h} meters wide. "
            f"One meter of fence costs {p} dollars. How many dollars does the fence cost?",
            [f"Half of the fence is {add(w, h)} meters.", f"The fence is {mul(2, w + h)} meters.",
             f"The cost is {mul(2 * (w + h), p)} dollars."], 2 * (w + h) * p)


@story(3)
def two_fractions(r):
    n, he, _ = person(r)
    item = r.choice(ITEMS)
    k, word = r.choice([(2, "half"), (3, "a third"), (4, "a quarter")])
    rest = r.randint(3, 20) * (k - 1)
    t = rest // (k - 1) * k
    d = r.randint(1, rest - 1) if rest < 20 else r.randint(2, 19)
    return (f"{n} has {t} {item}. {he.capitalize()} sells {word} of them and loses {d} of the others. How many {item} are left?",
            [f"{n} sells {div(t, k)}.", f"Then {he} has {sub(t, t // k)}.", f"After losing {d} there are {sub(rest, d)} left."],
            rest - d)


# ---- Level 4 ----


@story(4)
def two_goods_change(r):
    n, he, _ = person(r)
    g, h = r.sample(GOODS, 2)
    a, b, p, q = r.randint(2, 6), r.randint(2, 6), r.randint(2, 12), r.randint(2, 12)
    t = a * p + b * q
    bill = 100 if t >= 50 else 50
    if t >= 100:
        bill = 200
    return (f"{n} buys {a} {plural(g)} at {p} dollars each and {b} {plural(h)} at {q} dollars each. "
            f"{he.capitalize()} pays with {bill} dollars. How many dollars does {he} get back?",
            [f"The {plural(g)} cost {mul(a, p)} dollars.", f"The {plural(h)} cost {mul(b, q)} dollars.",
             f"Together that is {add(a * p, b * q)} dollars.", f"{n} gets back {sub(bill, t)} dollars."], bill - t)


@story(4)
def three_sum(r):
    n, m, o = people(r, 3)
    item, a, k, d = r.choice(ITEMS), r.randint(4, 25), r.randint(2, 4), r.randint(2, 20)
    b = a * k
    c = b + d
    word = "twice as many" if k == 2 else f"{k} times as many"
    return (f"{n} has {a} {item}, {m} has {word}, and {o} has {d} more than {m}. How many {item} do all three have together?",
            [f"{m} has {mul(a, k)} {item}.", f"{o} has {add(b, d)} {item}.", f"{n} and {m} have {add(a, b)}.",
             f"All three have {add(a + b, c)} {item}."], a + b + c)


@story(4)
def profit(r):
    n, he, _ = person(r)
    g = r.choice(GOODS)
    k, p = r.randint(3, 9), r.randint(2, 9)
    s = p + r.randint(2, 9)
    fee = r.randint(2, max(3, k * (s - p) - 1)) if k * (s - p) < 20 else r.randint(3, 15)
    fee = min(fee, k * (s - p) - 1)
    return (f"{n} buys {k} {plural(g)} for {p} dollars each and sells all of them for {s} dollars each. "
            f"The stand costs {fee} dollars. How many dollars does {he} gain?",
            [f"{n} pays {mul(k, p)} dollars.", f"{n} gets {mul(k, s)} dollars.",
             f"That is {sub(k * s, k * p)} dollars more.", f"After the stand it is {sub(k * (s - p), fee)} dollars."],
            k * (s - p) - fee)


@story(4)
def saving(r):
    n, he, _ = person(r)
    while True:
        w, h, s, k = r.randint(5, 15), r.randint(3, 9), r.randint(5, 40), r.randint(2, 9)
        if s < w * h:
            left = w * h - s
            break
    have = r.randint(5, 60)
    return (f"Each week {n} earns {w} dollars an hour for {h} hours and spends {s} dollars. {he.capitalize()} has {have} dollars now. "
            f"How many dollars will {he} have after {k} weeks?",
            [f"In a week {he} earns {mul(h, w)} dollars.", f"In a week {he} saves {sub(w * h, s)} dollars.",
             f"In {k} weeks that is {mul(k, left)} dollars.", f"Then {he} has {add(have, k * left)} dollars."],
            have + k * left)


@story(4)
def farm(r):
    a, b = r.randint(5, 30), r.randint(5, 30)
    n = person(r)[0]
    two, four = r.choice([("hens", "cows"), ("ducks", "goats"), ("hens", "sheep")])
    d = r.randint(2, 4)
    return (f"{n} has {a} {two} and {b} {four}. {d} {four} are sold. How many legs do the animals that are left have in all?",
            [f"There are {sub(b, d)} {four} left.", f"The {four} have {mul(b - d, 4)} legs.", f"The {two} have {mul(a, 2)} legs.",
             f"Together they have {add(4 * (b - d), 2 * a)} legs."], 4 * (b - d) + 2 * a)


@story(4)
def bakery(r):
    n, he, _ = person(r)
    a, b, p, s = r.randint(3, 9), r.randint(3, 9), r.randint(2, 6), r.randint(2, 12)
    s = min(s, a * b - 2)
    bread = r.choice(["pies", "cakes", "rolls", "muffins"])
    c = r.randint(3, 30)
    c = min(c, (a * b - s) * p - 1)
    return (f"{n} bakes {a} trays of {b} {bread}. {s} of them burn. {he.capitalize()} sells the others for {p} dollars each "
            f"and pays {c} dollars for flour. How many dollars are left?",
            [f"{n} bakes {mul(a, b)} {bread}.", f"{he.capitalize()} sells {sub(a * b, s)}.",
             f"{he.capitalize()} gets {mul(a * b - s, p)} dollars.", f"There are {sub((a * b - s) * p, c)} dollars left."],
            (a * b - s) * p - c)


@story(4)
def class_trip(r):
    k, per, extra = r.randint(2, 5), r.randint(10, 25), r.randint(2, 8)
    p = r.randint(2, 6)
    seats = k * per + extra
    c = r.randint(5, 50)
    place = r.choice(PLACES)
    return (f"{k} classes of {per} children and {extra} teachers visit the {place}. A ticket costs {p} dollars and the bus costs {c} dollars. "
            f"How many dollars does the trip cost?",
            [f"There are {mul(k, per)} children.", f"There are {add(k * per, extra)} people.", f"The tickets cost {mul(seats, p)} dollars.",
             f"The trip costs {add(seats * p, c)} dollars."], seats * p + c)


# Text-heavy chains are the hardest to follow, and plain ones the base of everything: weigh them up.
WEIGHTS = {"chain_1": 2.0, "chain_2": 3.0, "chain_3": 2.5, "chain_4": 2.0}


def make_story(r: random.Random, level: int = 0) -> Problem:
    """Draws one story from the stream `r`; `level` 0 means any."""
    choices = [t for t in TEMPLATES if level in (0, t[0])]
    level, kind, function = r.choices(choices, [WEIGHTS.get(t[1], 1.0) for t in choices])[0]
    question, steps, answer = function(r)
    assert answer >= 0
    return Problem(question, tuple(steps), str(answer), level, kind)
