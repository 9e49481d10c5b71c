"""Runs the canary on a few questions and works out every figure of its report again, from the
record's lines alone and with plain arithmetic: run.json for what the machine is, samples.jsonl for
answers and times, steps.jsonl for the passes. A figure of the report without a derivation here
fails the test, and so does a derivation that the report does not show."""

import json
import math
import random
import unittest
from collections import Counter, defaultdict

import program

USD_PER_HOUR = 0.36
LIMITS_MS = {"ttft": 400.0, "tpot": 6.0}
Z = 1.959963984540054


def wilson(correct, trials):
    """Wilson 1927: the score interval of one proportion, 95 %."""
    p, z2 = correct / trials, Z * Z
    middle = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z / (1 + z2 / trials) * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def percentile(values, percent):
    """Linear between the two neighbours of rank percent/100 * (n - 1), as numpy does by default."""
    ordered = sorted(values)
    rank = percent / 100 * (len(ordered) - 1)
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def mean(values):
    return sum(values) / len(values)


class Figures:
    """What the report should hold: (table, row name, column) -> value or (value, low, high)."""

    def __init__(self):
        self.expected = {}

    def row(self, table, name, **columns):
        for column, value in columns.items():
            self.expected[(table, name, column)] = value

    def accuracy_rows(self, table, groups):
        for name, samples in groups.items():
            verdicts = Counter(s["verdict"] for s in samples)
            n, correct = len(samples), verdicts["correct"]
            low, high = wilson(correct, n)
            answered = [s["output_tokens"] for s in samples if s["output_tokens"] > 0]
            self.row(table, name, questions=len({s["question_id"] for s in samples}),
                     accuracy_percent=(100 * correct / n, 100 * low, 100 * high),
                     mean_output_tokens=mean(answered),
                     **{v: verdicts[v] for v in
                        ("correct", "wrong", "unparsed", "truncated", "failed")})


def derive(run, samples, steps):
    figures = Figures()
    ended = [s for s in samples if "last_token_ms" in s["timing"]]

    # Accuracy: correct attempts over all attempts, by task, level and subject.
    for table, key in (("accuracy-by-task", None), ("accuracy-by-level", "level"),
                       ("accuracy-by-subject", "subject")):
        groups = defaultdict(list)
        for s in samples:
            if key is None:
                groups[(s["task"],)].append(s)
            elif s.get(key):
                groups[(s["task"], s[key])].append(s)
        figures.accuracy_rows(table, groups)

    # Tokens and the wall time from the first issue to the last response.
    prompt = sum(s["prompt_tokens"] for s in samples)
    cached = sum(s.get("cached_tokens", 0) for s in samples)
    output = sum(s["output_tokens"] for s in samples)
    thinking = sum(s.get("thinking_tokens", 0) for s in samples)
    issued = [s["timing"]["issued_ms"] for s in ended]
    done = [s["timing"]["issued_ms"] + s["timing"]["last_token_ms"] for s in ended]
    wall = (max(done) - min(issued)) / 1000

    # A pass's time goes to what it did, by its rows.
    seconds = {"prefill": 0.0, "decode": 0.0}
    tokens = {"prefill": 0, "decode": 0}
    for step in steps:
        took = (step["end_ms"] - step["begin_ms"]) / 1000
        rows = step["prefill_tokens"] + step["decode_tokens"]
        for phase in seconds:
            seconds[phase] += took * step[phase + "_tokens"] / rows
            tokens[phase] += step[phase + "_tokens"]

    for name, value in {
            "prefill": tokens["prefill"] / seconds["prefill"],
            "decode": tokens["decode"] / seconds["decode"],
            "output throughput": output / wall,
            "total throughput": (prompt + output) / wall,
            "requests": len(samples) / wall,
            "wall time": wall,
            "prompt tokens": prompt,
            "of them cached": cached,
            "output tokens": output,
            "of them thinking": thinking}.items():
        figures.row("throughput", (name,), value=value)

    # Latencies of each request, from its issue.
    latency = defaultdict(list)
    good = 0
    for s in ended:
        t = s["timing"]
        first, last = t["first_token_ms"], t["last_token_ms"]
        latency["TTFT"].append(first)
        latency["E2EL"].append(last)
        if "first_answer_token_ms" in t:
            latency["TTFO"].append(t["first_answer_token_ms"])
        tpot = None
        if s["output_tokens"] > 1:
            tpot = (last - first) / (s["output_tokens"] - 1)
            latency["TPOT"].append(tpot)
            if tpot > 0:
                latency["interactivity"].append(1000 / tpot)
        chunks = t["chunk_ms"]
        latency["ITL"] += [b - a for a, b in zip(chunks, chunks[1:])]
        queue = t["issued_ms"] - t["scheduled_ms"]
        good += queue + first <= LIMITS_MS["ttft"] and (tpot is None or tpot <= LIMITS_MS["tpot"])
    for name, values in latency.items():
        figures.row("latency", (name,), count=len(values), mean=mean(values), max=max(values),
                    p50=percentile(values, 50), p90=percentile(values, 90),
                    p99=percentile(values, 99))

    # S-MBU and S-MFU: the touched weights and the KV read, or the touched FLOPs, of all passes of a
    # kind, over their time and the machine's peak.
    kinds = defaultdict(list)
    for step in steps:
        did = [p for p in ("prefill", "decode") if step[p + "_tokens"] > 0]
        kinds[did[0] if len(did) == 1 else "mixed"].append(step)
    for kind, passes in kinds.items():
        took = sum(s["end_ms"] - s["begin_ms"] for s in passes) / 1000
        moved = sum(s["weight_bytes_read"] + s["kv_tokens_read"] * run["model"]["kv_bytes_per_token"]
                    for s in passes)
        flops = sum(s["flops"] for s in passes)
        figures.row("utilisation", (kind,), gb_per_second=moved / took / 1e9,
                    s_mbu_percent=100 * moved / took / run["environment"]["peak_bytes_per_second"],
                    gflops=flops / took / 1e9,
                    s_mfu_percent=100 * flops / took / run["environment"]["peak_flops"])

    # Memory, energy and the harness' own cost are readings: the report shows them as recorded.
    figures.row("resources", ("peak memory",), value=run["peak_memory_bytes"] / 1e6)
    figures.row("resources", ("harness overhead per request",),
                value=run["overhead"]["ms_per_request"])
    figures.row("resources", ("harness overhead",), value=100 * run["overhead"]["fraction_of_run"])
    for reading in run.get("energy", []):
        figures.row("resources", ("energy, " + reading["meter"],), value=reading["joules"])
        figures.row("resources", ("energy per output token, " + reading["meter"],),
                    value=reading["joules"] / output)

    # Cost: the wall time's bill, divided as the passes' time was; each token its share.
    bill = USD_PER_HOUR * wall / 3600
    decode_share = seconds["decode"] / (seconds["prefill"] + seconds["decode"])
    input_price = bill * (1 - decode_share) / (prompt - cached)
    output_price = bill * decode_share / output
    for name, value in {"input, computed": input_price, "input, cached": 0.0,
                        "output, thinking included": output_price,
                        "all together": bill / (prompt + output)}.items():
        figures.row("token-cost", (name,), usd_per_million=value * 1e6)
    tasks = defaultdict(list)
    for s in samples:
        tasks[s["task"]].append(s)
    for task, of_task in tasks.items():
        usd = [(s["prompt_tokens"] - s.get("cached_tokens", 0)) * input_price +
               s["output_tokens"] * output_price for s in of_task]
        right = [s["verdict"] == "correct" for s in of_task]
        columns = {"attempts": len(of_task), "correct": sum(right), "usd": sum(usd),
                   "usd_per_question": mean(usd)}
        if any(right):
            # Efron's percentile bootstrap over the questions, with draws of our own.
            dice, ratios = random.Random(1), []
            for _ in range(4000):
                drawn = [dice.randrange(len(usd)) for _ in usd]
                correct = sum(right[i] for i in drawn)
                ratios.append(sum(usd[i] for i in drawn) / correct if correct else math.inf)
            ratios.sort()
            columns["usd_per_correct"] = (sum(usd) / sum(right), ratios[100], ratios[3899])
        figures.row("answer-cost", (task,), **columns)

    # The experts' load: how far from an even spread.
    for layer, load in enumerate(run["expert_load"]):
        even = sum(load) / len(load)
        entropy = -sum(n / sum(load) * math.log(n / sum(load)) for n in load if n > 0)
        figures.row("expert-load", (f"layer {layer}",), tokens=sum(load), busiest=max(load) / even,
                    idle=load.count(0), effective_experts=math.exp(entropy),
                    cv=math.sqrt(mean([(n / even - 1) ** 2 for n in load])))
    return figures.expected, good / wall, good


class RederiveTest(program.ProgramTest):

    def setUp(self):
        super().setUp()
        result = self.run_program(
            "run", "--model", "canary", "--tasks", "gsm8k-mini,math-mini", "--limit", "10",
            "--batch-size", "6", "--step-log", "--usd-per-hour", str(USD_PER_HOUR), "-o",
            self.path("run"))
        self.assert_exit(result, 0)
        self.run_record, self.lines = self.record("run"), self.samples("run")
        with open(self.path("run", "steps.jsonl"), encoding="utf-8") as file:
            self.steps = [json.loads(line) for line in file]
        result = self.run_program("report", self.path("run"), "--format", "json", "--goodput",
                                  *[f"{k}:{v}" for k, v in LIMITS_MS.items()])
        self.assert_exit(result, 0)
        self.report = json.loads(result.stdout)

    def shown(self):
        """Every number of the report's tables, by (table, row name, column)."""
        names = {"accuracy-by-task": ("task",), "accuracy-by-level": ("task", "level"),
                 "accuracy-by-subject": ("task", "subject"), "throughput": ("what",),
                 "latency": ("metric",), "utilisation": ("pass",), "resources": ("what",),
                 "token-cost": ("token",), "answer-cost": ("task",), "expert-load": ("layer",)}
        numbers = {}
        for table in self.report["tables"]:
            self.assertIn(table["id"], names, "a table that this test doesn't derive")
            for row in table["rows"]:
                name = tuple(row[key] for key in names[table["id"]])
                for column, cell in row.items():
                    if isinstance(cell, (int, float)):
                        numbers[(table["id"], name, column)] = cell
                    elif isinstance(cell, dict):
                        numbers[(table["id"], name, column)] = (cell["value"], cell["low"],
                                                               cell["high"])
        return numbers

    def same(self, where, shown, derived):
        if not isinstance(derived, tuple):
            self.assertTrue(math.isclose(shown, derived, rel_tol=1e-6, abs_tol=1e-12),
                            f"{where}: the report says {shown}, its record {derived}")
            return
        self.same(where, shown[0], derived[0])
        # Two bootstraps of different draws agree roughly, formulas exactly.
        tolerance = 0.12 if where[2] == "usd_per_correct" else 1e-6
        for got, want in zip(shown[1:], derived[1:]):
            got = math.inf if got == "inf" else got
            self.assertTrue(math.isclose(got, want, rel_tol=tolerance, abs_tol=1e-9),
                            f"{where}: the report's interval {shown}, its record's {derived}")

    def test_every_figure_of_the_report_follows_from_the_record(self):
        derived, goodput, good = derive(self.run_record, self.lines, self.steps)
        derived[("throughput", ("goodput",), "value")] = goodput
        shown = self.shown()
        self.assertEqual(sorted(map(str, shown)), sorted(map(str, derived)),
                         "the report and this test should hold the same figures")
        for where, value in derived.items():
            self.same(where, shown[where], value)
        self.assertGreater(len(derived), 100)
        self.assertGreater(derived[("throughput", ("of them thinking",), "value")], 0,
                           "the canary thinks")
        rows = next(t["rows"] for t in self.report["tables"] if t["id"] == "throughput")
        words = next(row["definition"] for row in rows if row["what"] == "goodput")
        self.assertIn(f"{good} of {len(self.lines)} requests meet all of", words)

    def test_the_step_log_adds_up_to_the_totals_of_the_record(self):
        for summary in self.run_record["steps"]:
            kind = summary["kind"]
            passes = [s for s in self.steps
                      if (kind == "mixed") == (s["prefill_tokens"] > 0 and s["decode_tokens"] > 0)
                      and (kind == "mixed" or s[kind + "_tokens"] > 0)]
            self.assertEqual(len(passes), summary["steps"])
            for key in ("prefill_tokens", "decode_tokens", "kv_tokens_read", "weight_bytes_read",
                        "activated_experts"):
                self.assertEqual(sum(s[key] for s in passes), summary[key], f"{kind} {key}")
        # Every computed token passed through the engine once, the last of each answer excepted.
        computed = sum(s["prompt_tokens"] - s.get("cached_tokens", 0) for s in self.lines)
        self.assertEqual(sum(s["prefill_tokens"] for s in self.steps), computed)

    def test_the_verdicts_of_the_record_are_those_of_its_lines(self):
        for task in self.run_record["tasks"]:
            verdicts = Counter(s["verdict"] for s in self.lines if s["task"] == task["name"])
            self.assertEqual({k: v for k, v in task["counts"].items() if v}, dict(verdicts))


if __name__ == "__main__":
    unittest.main()
