#!/usr/bin/env python3
"""Makes the rows that compare.py grades: what a model may have written, with what is known about it.

    rows.py --data FOLDER [--run RUN_FOLDER ...] --output rows.jsonl [--seed 1] [--count 600]

Sources, by the field `source`:
  solution  the published solution as the output                                       label: right
  keep      the gold rewritten so that it says the same                                label: right
  change    the gold rewritten so that it says something else                          label: wrong
  decoy     a chain of thought from a template, with other boxes, numbers and problems label: either
  model     real outputs from runs of `moebench run`                                   label: none
"""
import argparse
import json
import pathlib
import random
import re


def last_boxed(text):
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return None
    open_brace = text.index("{", start)
    depth = 0
    for i in range(open_brace, len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[open_brace + 1 : i]
    return None


INTEGER = re.compile(r"-?\d{1,9}$")
FRACTION = re.compile(r"(-?)\\frac\{(\d+)\}\{(\d+)\}$")
PAIR = re.compile(r"\((-?[\d.]+|-?\\frac\{\d+\}\{\d+\}), ?(-?[\d.]+|-?\\frac\{\d+\}\{\d+\})\)$")
LIST = re.compile(r"-?\d+(, ?-?\d+)+$")
INTERVAL = re.compile(r"([\[(])(.+?),(.+?)([\])])$")
SUM = re.compile(r"(.+?) ?([+-]) ?([^+-]+)$")


def is_plain(gold):
    return not re.search(r"text|mbox|begin|\\%|\\\$|_|\^\\circ|\\circ|[=<>,]", gold)


def has_number(gold):
    return re.search(r"(?<![\d.])\d+(?![\d.])", gold)


def split_sum(gold):
    """Two parts of a sum outside all brackets; None if there is none."""
    if gold.endswith(".") or not is_plain(gold) or "\\pm" in gold or "frac" in gold and "+" not in gold:
        return None
    depth = 0
    for i, c in enumerate(gold):
        depth += (c in "([{") - (c in ")]}")
        if depth == 0 and c in "+-" and 0 < i and gold[i - 1] not in "^_*({,+-/" :
            left, right = gold[:i].strip(), gold[i:].replace(" ", "")
            if left and right[1:]:
                return left, right
    return None


# Each takes (gold, random) and returns the rewrite, or None where it does not apply.
KEEP = {
    "dfrac": lambda g, r: g.replace("\\frac", "\\dfrac") if "\\frac" in g else None,
    "tfrac": lambda g, r: g.replace("\\frac", "\\tfrac") if "\\frac" in g else None,
    "left-right": lambda g, r: g.replace("(", "\\left(").replace(")", "\\right)")
    if "(" in g and "\\left" not in g and "[" not in g and "]" not in g and "\\(" not in g and "text" not in g else None,
    "no-left-right": lambda g, r: g.replace("\\left", "").replace("\\right", "") if "\\left" in g and "arrow" not in g else None,
    "spaces": lambda g, r: re.sub(r"([+,=<>])", r" \1 ", g) if is_plain(g) and "\\!" not in g else None,
    "thin-space": lambda g, r: g + "\\,",
    "display": lambda g, r: "\\displaystyle " + g,
    "outer-braces": lambda g, r: "{" + g + "}" if is_plain(g) else None,
    "outer-brackets": lambda g, r: "(" + g + ")" if is_plain(g) and "\\pm" not in g and not g.startswith("(") and "\\in" not in g else None,
    "final-period": lambda g, r: g + ".",
    "name": lambda g, r: "x = " + g if INTEGER.match(g) or FRACTION.match(g) else None,
    "function-name": lambda g, r: "f(x) = " + g if "x" in g and is_plain(g) and "\\" not in g else None,
    "unit": lambda g, r: g + r.choice(["\\text{ cm}", "\\text{ units}", " \\text{ inches}", "~\\mathrm{cm}", "\\ \\text{feet}"])
    if INTEGER.match(g) or FRACTION.match(g) else None,
    "plain-unit": lambda g, r: g + r.choice([" cm", " units", " meters", " ways"]) if INTEGER.match(g) else None,
    "currency": lambda g, r: "\\$" + g if re.match(r"\d+$", g) else None,
    "point-zero": lambda g, r: g + r.choice([".0", ".00"]) if INTEGER.match(g) else None,
    "thousands": lambda g, r: f"{int(g):,}" if re.match(r"\d{4,9}$", g) else None,
    "thousands-braces": lambda g, r: f"{int(g):,}".replace(",", "{,}") if re.match(r"\d{4,9}$", g) else None,
    "plus": lambda g, r: "+" + g if re.match(r"\d+$", g) else None,
    "doubled-fraction": lambda g, r: FRACTION.sub(lambda m: f"{m[1]}\\frac{{{2*int(m[2])}}}{{{2*int(m[3])}}}", g) if FRACTION.match(g) else None,
    "slash": lambda g, r: FRACTION.sub(lambda m: f"{m[1]}{m[2]}/{m[3]}", g) if FRACTION.match(g) else None,
    "minus-in-numerator": lambda g, r: FRACTION.sub(lambda m: f"\\frac{{-{m[2]}}}{{{m[3]}}}", g) if FRACTION.match(g) and g[0] == "-" else None,
    "decimal": lambda g, r: decimal(g),
    "mixed": lambda g, r: mixed(g, " %d\\frac{%d}{%d}"),
    "mixed-plain": lambda g, r: mixed(g, "%d %d/%d"),
    "integer-as-fraction": lambda g, r: f"\\frac{{{3*int(g)}}}{{3}}" if INTEGER.match(g) else None,
    "integer-as-sum": lambda g, r: f"{int(g)-7}+7" if INTEGER.match(g) else None,
    "scientific": lambda g, r: f"{int(g)/10**(len(g)-1)} \\times 10^{{{len(g)-1}}}" if re.match(r"[1-9]\d00+$", g) else None,
    "root-as-power": lambda g, r: re.sub(r"\\sqrt\{(\d+)\}", r"{\1}^{1/2}", g) if re.search(r"\\sqrt\{\d+\}", g) and not re.search(r"\d\\sqrt", g) else None,
    "root-times": lambda g, r: re.sub(r"(\d)\\sqrt", r"\1 \\cdot \\sqrt", g) if re.search(r"\d\\sqrt", g) else None,
    "root-plain": lambda g, r: re.sub(r"\\sqrt\{(\d+)\}", r"sqrt(\1)", g) if re.match(r"-?\d*\\sqrt\{\d+\}$", g) else None,
    "commuted-sum": lambda g, r: (lambda p: p and p[1].lstrip("+") + ("" if p[0].startswith("-") else "+") + p[0])(split_sum(g)),
    "pi-times": lambda g, r: g.replace("\\pi", " \\cdot \\pi") if re.search(r"\d\\pi", g) and is_plain(g) else None,
    "pi-unicode": lambda g, r: g.replace("\\pi", "π") if re.fullmatch(r"\d*\\pi", g) else None,
    "shuffled-list": lambda g, r: ", ".join(r.sample(g.split(","), len(g.split(",")))) if LIST.match(g) and len(g.split(",")) != 2 else None,
    "list-and": lambda g, r: g.replace(",", " \\text{ and }") if LIST.match(g) and g.count(",") == 1 and len(g.split(",")[1].strip()) != 3 else None,
    "list-braces": lambda g, r: "\\{" + g + "\\}" if LIST.match(g) and not re.search(r"\d,\d{3}(?!\d)", g) else None,
    "degrees-word": lambda g, r: re.sub(r"\^\{?\\circ\}?", r" \\text{ degrees}", g) if re.fullmatch(r"\d+\^\{?\\circ\}?", g) else None,
    "degrees-dropped": lambda g, r: re.sub(r"\^\{?\\circ\}?", "", g) if re.fullmatch(r"\d+\^\{?\\circ\}?", g) else None,
    "interval-as-inequality": lambda g, r: INTERVAL.sub(lambda m: f"{m[2]} {'<' if m[1]=='(' else chr(92)+'le'} x {'<' if m[4]==')' else chr(92)+'le'} {m[3]}", g)
    if INTERVAL.match(g) and ("[" in g or "]" in g) and "cup" not in g and "infty" not in g and "," not in INTERVAL.match(g)[3] else None,
    "bmatrix": lambda g, r: g.replace("pmatrix", "bmatrix") if "pmatrix" in g else None,
    "array": lambda g, r: g.replace("\\begin{pmatrix}", "\\left(\\begin{array}{ccc}").replace("\\end{pmatrix}", "\\end{array}\\right)") if g.count("pmatrix") == 2 else None,
    "percent-word": lambda g, r: g.replace("\\%", " \\text{ percent}") if re.fullmatch(r"\d+\\%", g) else None,
    "percent-dropped": lambda g, r: g.replace("\\%", "") if re.fullmatch(r"\d+\\%", g) else None,
    "text-bare": lambda g, r: re.sub(r"\\text\{([A-Za-z]+)\}", r"\1", g) if re.fullmatch(r"\\text\{[A-Za-z]{3,}\}", g) else None,
    "text-lower": lambda g, r: g.lower() if re.fullmatch(r"\\text\{[A-Z][a-z]{2,}\}", g) else None,
    "choice-bare": lambda g, r: re.sub(r"\\text\{\(?([A-F])\)?\}", r"\1", g) if re.fullmatch(r"\\text\{\(?[A-F]\)?\}", g) else None,
    "unbraced-fraction": lambda g, r: FRACTION.sub(lambda m: f"{m[1]}\\frac{m[2]}{m[3]}", g) if re.match(r"-?\\frac\{\d\}\{\d\}$", g) else None,
    "base-brackets": lambda g, r: re.sub(r"^(\w+)_\{?(\d+)\}?$", r"(\1)_{\2}", g) if re.fullmatch(r"\d+_\{?\d+\}?", g) else None,
    "equation-turned": lambda g, r: " = ".join(reversed(g.split("="))) if g.count("=") == 1 and "text" not in g and g.startswith("y") else None,
    "times-one": lambda g, r: g + " \\cdot 1" if INTEGER.match(g) or FRACTION.match(g) else None,
    "approximately-added": lambda g, r: (lambda m: m and f"{g} \\approx {int(m[1]+m[2])/int(m[3]):.3f}")(FRACTION.match(g)),
}


def decimal(gold):
    m = FRACTION.match(gold)
    if not m:
        return None
    top, bottom = int(m[2]), int(m[3])
    for digits in range(1, 7):
        if top * 10**digits % bottom == 0:
            whole = str(top * 10**digits // bottom).rjust(digits + 1, "0")
            return m[1] + whole[:-digits] + "." + whole[-digits:]
    return None


def mixed(gold, form):
    m = FRACTION.match(gold)
    if not m or m[1] or int(m[2]) <= int(m[3]) or int(m[2]) % int(m[3]) == 0:
        return None
    return (form % (int(m[2]) // int(m[3]), int(m[2]) % int(m[3]), int(m[3]))).strip()


def change_number(gold, r, by):
    spots = list(re.finditer(r"(?<![\d.])\d+(?![\d.])", gold))
    if not spots:
        return None
    spot = r.choice(spots)
    return gold[: spot.start()] + str(by(int(spot[0]))) + gold[spot.end() :]


def swapped(text, a, b):
    return text.replace(a, "\0").replace(b, a).replace("\0", b)


CHANGE = {
    "plus-one": lambda g, r: change_number(g, r, lambda n: n + 1) if (INTEGER.match(g) or PAIR.match(g)) else None,
    "minus-one": lambda g, r: str(int(g) - 1) if INTEGER.match(g) else None,
    "times-ten": lambda g, r: g + "0" if INTEGER.match(g) and g != "0" else None,
    "digit-lost": lambda g, r: g[:-1] if re.match(r"-?\d{2,}$", g) and int(g[:-1] or 0) != int(g) else None,
    "digits-swapped": lambda g, r: g[:-2] + g[-1] + g[-2] if re.match(r"\d{2,}$", g) and g[-1] != g[-2] else None,
    "negated": lambda g, r: ("-" + g if not g.startswith("-") else g[1:]) if (INTEGER.match(g) or FRACTION.match(g)) and g != "0" else None,
    "inverted": lambda g, r: FRACTION.sub(lambda m: f"{m[1]}\\frac{{{m[3]}}}{{{m[2]}}}", g) if FRACTION.match(g) and FRACTION.match(g)[2] != FRACTION.match(g)[3] and FRACTION.match(g)[2] != "0" else None,
    "numerator-only": lambda g, r: FRACTION.match(g)[2] if FRACTION.match(g) and FRACTION.match(g)[3] != "1" else None,
    "fraction-as-pair": lambda g, r: FRACTION.sub(lambda m: f"({m[1]}{m[2]}, {m[3]})", g) if FRACTION.match(g) else None,
    "rounded": lambda g, r: (lambda m: f"{int(m[1]+m[2])/int(m[3]):.2f}" if m and int(m[2]) * 100 % int(m[3]) else None)(FRACTION.match(g)),
    "rounded-long": lambda g, r: (lambda m: f"{int(m[1]+m[2])/int(m[3]):.9f}" if m and int(m[2]) * 10**9 % int(m[3]) else None)(FRACTION.match(g)),
    "sum-sign": lambda g, r: (lambda p: p and p[0] + {"+": "-", "-": "+"}[p[1][0]] + p[1][1:])(split_sum(g)),
    "term-lost": lambda g, r: (lambda p: p and p[0])(split_sum(g)),
    "letter-added": lambda g, r: g + "x" if INTEGER.match(g) and g != "0" else None,
    "imaginary-added": lambda g, r: g + "i" if INTEGER.match(g) and g != "0" else None,
    "pi-added": lambda g, r: g + "\\pi" if INTEGER.match(g) and g != "0" else None,
    "pi-lost": lambda g, r: g.replace("\\pi", "") if re.fullmatch(r"\d+\\pi", g) else None,
    "root-lost": lambda g, r: re.sub(r"\\sqrt\{(\d+)\}", r"\\cdot \1", g) if re.fullmatch(r"\d+\\sqrt\{\d+\}", g) else None,
    "root-moved": lambda g, r: re.sub(r"(\d+)\\sqrt\{(\d+)\}", r"\\sqrt{\1\2}", g) if re.fullmatch(r"\d+\\sqrt\{\d+\}", g) else None,
    "root-rounded": lambda g, r: (lambda m: m and f"{int(m[1] or 1) * int(m[2])**0.5:.6f}" if m and (int(m[2])**0.5) % 1 else None)(re.fullmatch(r"(\d*)\\sqrt\{(\d+)\}", g)),
    "squared": lambda g, r: f"({g})^2" if INTEGER.match(g) and g not in "01" else None,
    "percent-added": lambda g, r: g + "\\%" if INTEGER.match(g) and g != "0" else None,
    "percent-as-hundredfold": lambda g, r: str(100 * int(g[:-2])) if re.fullmatch(r"\d+\\%", g) and g != "0\\%" else None,
    "value-added": lambda g, r: g + ", " + str(r.randint(2, 9) * 1000 + 7) if INTEGER.match(g) else None,
    "or-other": lambda g, r: g + " \\text{ or } " + str(int(g) + 2) if INTEGER.match(g) else None,
    "plus-minus": lambda g, r: "\\pm " + g if re.match(r"\d+$", g) and g != "0" else None,
    "list-shortened": lambda g, r: g.rsplit(",", 1)[0] if LIST.match(g) else None,
    "list-element-changed": lambda g, r: change_number(g, r, lambda n: n + 1013) if LIST.match(g) else None,
    "list-as-tuple": lambda g, r: "(" + g + ")" if LIST.match(g) else None,
    "pair-swapped": lambda g, r: PAIR.sub(lambda m: f"({m[2]}, {m[1]})", g) if PAIR.match(g) and PAIR.match(g)[1] != PAIR.match(g)[2] else None,
    "pair-as-set": lambda g, r: "\\{" + g[1:-1] + "\\}" if PAIR.match(g) else None,
    "pair-shortened": lambda g, r: PAIR.match(g)[1] if PAIR.match(g) else None,
    "interval-ends": lambda g, r: g.translate(str.maketrans("[]()", "()[]")) if INTERVAL.match(g) and ("[" in g or "]" in g) and "infty" not in g and "\\left" not in g and g.count(",") == 1 else None,
    "interval-closed": lambda g, r: "[" + g[1:-1] + "]" if INTERVAL.match(g) and "infty" not in g and "(" in g[0] and ("]" in g[-1]) and g.count(",") == 1 else None,
    "union-half": lambda g, r: g.split("\\cup")[0] if "\\cup" in g else None,
    "union-to-intersection": lambda g, r: g.replace("\\cup", "\\cap") if g.count("\\cup") == 1 else None,
    "relation-turned": lambda g, r: swapped(g, "<", ">") if ("<" in g) != (">" in g) and "text" not in g else None,
    "relation-closed": lambda g, r: re.sub(r"([<>])", lambda m: {"<": " \\le ", ">": " \\ge "}[m[1]], g, count=1) if re.search(r"[<>]", g) and "text" not in g else None,
    "power-plus-one": lambda g, r: re.sub(r"\^(\d)(?!\d)", lambda m: f"^{int(m[1])+1}", g, count=1) if re.search(r"[a-z]\^\d(?!\d)", g) else None,
    "constant-plus-one": lambda g, r: g + "+1" if is_plain(g) and re.search(r"[a-z]", g) and "\\" not in g else None,
    "other-variable": lambda g, r: re.sub(r"x", "w", g) if "x" in g and "\\" not in g and "=" not in g else None,
    "entry-changed": lambda g, r: change_number(g, r, lambda n: n + 5) if "pmatrix" in g else None,
    "transposed": lambda g, r: re.sub(r"\\begin\{pmatrix\}(.+?)&(.+?)\\\\(.+?)&(.+?)\\end\{pmatrix\}", r"\\begin{pmatrix}\1&\3\\\\\2&\4\\end{pmatrix}", g)
    if (m := re.fullmatch(r"\\begin\{pmatrix\}([^&]+)&([^&]+)\\\\([^&]+)&([^&\\]+)\\end\{pmatrix\}", g)) and m[2].strip() != m[3].strip() else None,
    "base-lost": lambda g, r: re.sub(r"_\{?\d+\}?$", "", g) if re.fullmatch(r"\d{2,}_\{?\d+\}?", g) else None,
    "base-changed": lambda g, r: re.sub(r"_\{?\d+\}?$", "_{11}", g) if re.fullmatch(r"\d{2,}_\{?\d+\}?", g) and "11" not in g[-4:] else None,
    "degrees-to-radians": lambda g, r: re.sub(r"\^\{?\\circ\}?", r" \\text{ radians}", g) if re.fullmatch(r"\d+\^\{?\\circ\}?", g) and g[0] != "0" else None,
    "other-word": lambda g, r: "\\text{other}" if re.fullmatch(r"\\text\{[A-Za-z]{3,}\}", g) else None,
    "other-choice": lambda g, r: re.sub(r"[A-F]", lambda m: "ABCDEF"[("ABCDEF".index(m[0]) + 1) % 6], g) if re.fullmatch(r"\\text\{\(?[A-F]\)?\}", g) else None,
    "equation-sign": lambda g, r: (lambda s: s and g.split("=")[0] + "=" + s[0] + {"+": "-", "-": "+"}[s[1][0]] + s[1][1:])(split_sum(g.split("=")[1])) if g.count("=") == 1 and g.startswith("y") and "text" not in g else None,
    "cut-off": lambda g, r: g[: g.rindex("{") + 1] if "\\frac{" in g and g.endswith("}") else None,
}

# $A: the answer; $W: a wrong one; $N: a number of no importance.
DECOYS = {
    "first-box-partial": "The first step gives $\\boxed{$W}$. Adding the rest, the answer is $\\boxed{$A}$.",
    "wrong-then-corrected": "So we get $\\boxed{$W}$. Wait, that is wrong: I dropped a term. The answer is $\\boxed{$A}$.",
    "check-after": "Therefore the answer is $\\boxed{$A}$. Check: $$N + 1 = $M$, as it should be.",
    "thinking": "<think>Perhaps $\\boxed{$W}$? Let me see.</think>\nThe answer is $\\boxed{$A}$.",
    "next-problem": "The answer is $\\boxed{$A}$.\n\nProblem:\nWhat is $$N + 1$?\n\nSolution: $\\boxed{$M}$",
    "next-question": "Thus $\\boxed{$A}$.\n\nQuestion: Tom has $N apples and buys one. How many?\nAnswer: $M\nThe answer is $M.",
    "final-answer": "We find several values on the way, $N among them.\nFinal Answer: The final answer is $$A$. I hope it is correct.",
    "bold-heading": "Step 1: $N.\nStep 2: $M.\n\n**Final Answer**\n\n\\[ \\boxed{$A} \\]",
    "end-of-turn": "The answer is $\\boxed{$A}$.<|im_end|>\n<|im_start|>user\nAnd $N + 1?<|im_end|>\n$\\boxed{$M}$",
    "display": "Hence\n\\[\n\\boxed{$A}\n\\]\nThis holds for all $N cases.",
    "answer-line": "There are $N cases to look at.\n\nANSWER: $$A$",
    "wrong-final": "An easier problem would give $\\boxed{$A}$. Here, however, the answer is $\\boxed{$W}$.",
    "both": "The answer is $\\boxed{$A}$ or $\\boxed{$W}$.",
}
DECOYS_WRONG = {"wrong-final", "both"}


def other_value(gold, r):
    order = list(CHANGE)
    r.shuffle(order)
    for name in order:
        if name in ("cut-off", "percent-added", "or-other", "value-added", "plus-minus", "rounded", "rounded-long"):
            continue
        text = CHANGE[name](gold, r)
        if text and text != gold:
            return text
    return None


def rewrites(golds, table, source, count, r):
    """Spread over the kinds: the rare ones get as many as there are."""
    rows, order = [], list(table)
    candidates = {}
    for name in order:
        made = []
        for index in r.sample(range(len(golds)), len(golds)):
            text = table[name](golds[index][1], r)
            if text and text != golds[index][1]:
                made.append((golds[index], text))
            if len(made) >= 400:
                break
        candidates[name] = made
    while len(rows) < count and any(candidates.values()):
        for name in order:
            if candidates[name] and len(rows) < count:
                (identifier, gold), text = candidates[name].pop()
                rows.append(dict(source=source, kind=name, id=identifier, task="math", target=gold,
                                 output=f"The answer is $\\boxed{{{text}}}$.", label=source == "keep"))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with math_test.jsonl and gsm8k_test.jsonl")
    parser.add_argument("--run", type=pathlib.Path, action="append", default=[], help="a run's folder (repeatable)")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=600, help="rows of each source")
    arguments = parser.parse_args()
    r = random.Random(arguments.seed)

    math = [json.loads(line) for line in open(arguments.data / "math_test.jsonl")]
    gsm8k = [json.loads(line) for line in open(arguments.data / "gsm8k_test.jsonl")]
    golds = [(f"math/{i}", last_boxed(row["solution"])) for i, row in enumerate(math)]
    # One row a gold: the common ones would crowd out the interesting ones.
    distinct = list({gold: (identifier, gold) for identifier, gold in golds if gold}.values())

    rows = []
    for i in r.sample(range(len(math)), min(arguments.count, len(math))):
        if golds[i][1]:
            rows.append(dict(source="solution", kind="math", id=golds[i][0], task="math", target=golds[i][1],
                             output=math[i]["solution"], label=True))
    for i in r.sample(range(len(gsm8k)), min(arguments.count // 2, len(gsm8k))):
        rows.append(dict(source="solution", kind="gsm8k", id=f"gsm8k/{i}", task="gsm8k",
                         target=gsm8k[i]["answer"].split("####")[1].strip(), output=gsm8k[i]["answer"], label=True))
    rows += rewrites(distinct, KEEP, "keep", arguments.count, r)
    rows += rewrites(distinct, CHANGE, "change", arguments.count, r)
    decoys = list(DECOYS)
    made = 0
    while made < arguments.count:
        identifier, gold = r.choice(distinct)
        wrong = other_value(gold, r)
        if not wrong:
            continue
        name = decoys[made % len(decoys)]
        number = r.randint(2, 90)
        text = (DECOYS[name].replace("$A", gold).replace("$W", wrong).replace("$N", str(number)).replace("$M", str(number + 1)))
        rows.append(dict(source="decoy", kind=name, id=identifier, task="math", target=gold, output=text,
                         label=name not in DECOYS_WRONG))
        made += 1
    for run in arguments.run:
        for line in open(run / "samples.jsonl"):
            row = json.loads(line)
            task = "gsm8k" if row["task"].startswith("gsm8k") else "math"
            rows.append(dict(source="model", kind=row["task"], id=row["question_id"], task=task,
                             target=row["target"], output=row["output"], label=None))
    with open(arguments.output, "w") as out:
        for row in rows:
            out.write(json.dumps(row) + "\n")
    print(len(rows), "rows")


if __name__ == "__main__":
    main()
