#!/usr/bin/env python3
"""Grades the same rows with moebench and with public graders, and prints every disagreement.

    compare.py rows.jsonl --moebench build/moebench [--limit N] [--report disagreements.jsonl]

Graders, from PyPI as their authors ship them (README.md says what to install):
  math-verify   Math-Verify's parse and verify on the whole output
  hendrycks     lm-eval's hendrycks_math is_equiv on the content of the last box
  minerva       lm-eval's minerva_math is_equiv on "The final answer is", else the last box
  strict        lm-eval's gsm8k strict-match filter and exact_match
  flexible      lm-eval's gsm8k flexible-extract filter and exact_match
"""
import argparse
import collections
import importlib.util
import json
import logging
import pathlib
import re
import subprocess
import sys
import tempfile
import types

try:
    import sympy.parsing.latex  # noqa: F401  (minerva_math's handler names it)
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify
except ImportError as error:
    sys.exit(f"{error}; install math-verify (README.md)")

from rows import last_boxed


def load_task(name):
    """An lm-eval task's utils.py by its path: importing the package would need all of its extras."""
    root = pathlib.Path(importlib.util.find_spec("lm_eval").origin).parent
    # Both name datasets.Dataset in an annotation and use nothing else of it here.
    sys.modules.setdefault("datasets", types.SimpleNamespace(Dataset=object))
    spec = importlib.util.spec_from_file_location(name, root / "tasks" / name / "utils.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def gsm8k_filters():
    """The two patterns and the ignored ones, from lm-eval's own gsm8k.yaml."""
    import yaml

    root = pathlib.Path(importlib.util.find_spec("lm_eval").origin).parent
    config = yaml.safe_load(open(root / "tasks" / "gsm8k" / "gsm8k.yaml"))
    filters = {entry["name"]: entry["filter"][0] for entry in config["filter_list"]}
    return filters, config["metric_list"][0]["regexes_to_ignore"]


def gsm8k_match(output, solution, regex, ignored):
    """lm-eval's RegexFilter, then exact_match with its regexes_to_ignore, case ignored."""
    found = re.findall(regex["regex_pattern"], output)
    answer = "[invalid]"
    if found:
        answer = found[regex.get("group_select", 0)]
        if isinstance(answer, tuple):
            answer = next((part for part in answer if part), "[invalid]")
        answer = answer.strip()
    for pattern in ignored:
        answer, solution = re.sub(pattern, "", answer), re.sub(pattern, "", solution)
    return answer.lower() == solution.lower()


def ours(rows, moebench, task):
    with tempfile.TemporaryDirectory() as folder:
        pairs, verdicts = pathlib.Path(folder) / "rows.jsonl", pathlib.Path(folder) / "verdicts.jsonl"
        with open(pairs, "w") as out:
            for row in rows:
                out.write(json.dumps({"answer": row["output"], "gold": row["target"]}) + "\n")
        subprocess.run([moebench, "score", str(pairs), "--task", task, "--answer-field", "answer", "--target-field", "gold",
                        "-o", str(verdicts)], check=True, stdout=subprocess.DEVNULL)
        return {v["row"]: v for v in map(json.loads, open(verdicts))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=pathlib.Path)
    parser.add_argument("--moebench", default="build/moebench")
    parser.add_argument("--limit", type=int, help="only the first N of each source")
    parser.add_argument("--report", type=pathlib.Path, help="write the disagreements as JSONL")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)

    rows, seen = [], collections.Counter()
    for row in map(json.loads, open(arguments.rows)):
        key = (row["source"], row["task"])
        seen[key] += 1
        if row["output"].strip() and (not arguments.limit or seen[key] <= arguments.limit):
            rows.append(row)

    hendrycks, minerva = load_task("hendrycks_math"), load_task("minerva_math")
    filters, ignored = gsm8k_filters()
    configs = [LatexExtractionConfig(), ExprExtractionConfig()]

    def math_verify(row):
        gold = parse(f"${row['target']}$", extraction_config=configs)
        return bool(verify(gold, parse(row["output"], extraction_config=configs)))

    def hendrycks_math(row):
        box = last_boxed(row["output"])
        return box is not None and bool(hendrycks.is_equiv(box, row["target"]))

    def minerva_math(row):
        answer = minerva.get_unnormalized_answer(row["output"])
        if answer == "[invalidanswer]":
            answer = last_boxed(row["output"]) or answer
        return bool(minerva.is_equiv(minerva.normalize_final_answer(answer), minerva.normalize_final_answer(row["target"])))

    graders = {
        "math": {"math-verify": math_verify, "hendrycks": hendrycks_math, "minerva": minerva_math},
        "gsm8k": {
            "math-verify": math_verify,
            "strict": lambda row: gsm8k_match(row["output"], row["target"], filters["strict-match"], ignored),
            "flexible": lambda row: gsm8k_match(row["output"], row["target"], filters["flexible-extract"], ignored),
        },
    }
    counts = collections.defaultdict(collections.Counter)
    report = open(arguments.report, "w") if arguments.report else None
    for task in graders:
        chosen = [row for row in rows if row["task"] == task]
        verdicts = ours(chosen, arguments.moebench, task) if chosen else {}
        for index, row in enumerate(chosen):
            verdict = verdicts[index]
            results = {"moebench": verdict["verdict"] == "correct"}
            for name, grader in graders[task].items():
                try:
                    results[name] = grader(row)
                except Exception as error:  # a grader that crashes has not judged it right
                    results[name] = False
                    counts[(row["source"], task, name)][f"raised {type(error).__name__}"] += 1
            for name, right in results.items():
                counter = counts[(row["source"], task, name)]
                counter["rows"] += 1
                counter["right"] += right
                if row["label"] is not None:
                    counter["against the label"] += right != row["label"]
                if name != "moebench":
                    counter["unlike moebench"] += right != results["moebench"]
            if len(set(results.values())) > 1:
                line = dict(row, results=results, moebench_reason=verdict["reason"], extracted=verdict["extracted"])
                if report:
                    report.write(json.dumps(line) + "\n")
                    report.flush()
                opinions = " ".join(f"{name}:{'+' if right else '-'}" for name, right in results.items())
                print(f"{row['source']}/{row['kind']} label {row['label']} | {opinions} | gold {row['target']!r} | "
                      f"{row['output'][-120:]!r}")
    print(f"\n{'source':10} {'task':6} {'grader':12} {'rows':>6} {'right':>6} {'against label':>14} {'unlike moebench':>16}  other")
    for (source, task, name), counter in counts.items():
        other = ", ".join(f"{key} {value}" for key, value in counter.items() if key.startswith("raised"))
        print(f"{source:10} {task:6} {name:12} {counter['rows']:6} {counter['right']:6} "
              f"{counter['against the label']:14} {counter['unlike moebench']:16}  {other}")


if __name__ == "__main__":
    main()
