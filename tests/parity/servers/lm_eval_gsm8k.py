#!/usr/bin/env python3
"""lm_eval_gsm8k.py [--data DIR] [--moebench FILE] [--model MODEL] [--limit N] [--shots N]

lm-evaluation-harness (PyPI `lm-eval[api]`) asks `moebench serve` its own gsm8k task; `moebench run` asks
the same model the same questions in process. Compares answers and verdicts question by question and
tells every difference. Exits 1 when an answer differs, or a verdict without a reason that is known.

The task is lm-eval's gsm8k.yaml, included from the installed package; both sides get lm-eval's limit of
256 new tokens. Changed are, with --data (local-completions): where its rows come from
(gsm8k_train.jsonl and gsm8k_test.jsonl in DIR instead of a download) and which shots it shows (the first
rows of the train split, as moebench's task does, instead of some at random for each question). Without
--data (local-chat-completions): the rows are moebench's gsm8k-mini, each the user's message without
shots, as the built-in model wants them.
"""

import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

from served import Served

HERE = os.path.dirname(os.path.abspath(__file__))
NEW_TOKENS = 256  # lm-eval's default where the task names none

TASK = """include: {package}
task: gsm8k_rows
tag: []
dataset_path: json
dataset_name: null
dataset_kwargs:
  data_files:
    train: {train}
    test: {test}
"""
PUBLISHED = """fewshot_config:
  sampler: first_n
"""
MINI = """doc_to_text: "{{question}}"
generation_kwargs:
  until: []
  do_sample: false
  temperature: 0.0
"""
DATASETS = os.path.join(HERE, "..", "..", "..", "datasets")


def ask_by_lm_eval(options, folder):
    """lm-eval's samples, a list for each of its two filters, in the order of the questions."""
    import lm_eval  # pylint: disable=import-outside-toplevel
    package = os.path.join(os.path.dirname(lm_eval.__file__), "tasks", "gsm8k", "gsm8k.yaml")
    with open(os.path.join(folder, "gsm8k_rows.yaml"), "w", encoding="utf-8") as file:
        if options.data:
            data = os.path.abspath(options.data)
            file.write(TASK.format(package=package, train=data + "/gsm8k_train.jsonl",
                                   test=data + "/gsm8k_test.jsonl") + PUBLISHED)
        else:
            rows = os.path.abspath(os.path.join(DATASETS, "samples", "gsm8k-mini.jsonl"))
            file.write(TASK.format(package=package, train=rows, test=rows) + MINI)
    output = os.path.join(folder, "lm_eval")
    path, kind, more = (("/completions", "local-completions", []) if options.data else
                        ("/chat/completions", "local-chat-completions", ["--apply_chat_template"]))
    with Served(options.moebench, options.model) as server:
        name = json.loads(subprocess.run(["curl", "-sf", server.url + "/models"], check=True,
                                         capture_output=True).stdout)["data"][0]["id"]
        arguments = {"model": name, "base_url": server.url + path, "num_concurrent": 8,
                     "tokenizer_backend": None, "tokenized_requests": False, "max_length": 8192}
        done = subprocess.run(
            [sys.executable, "-m", "lm_eval", "run", "--model", kind, *more,
             "--model_args", ",".join(f"{k}={v}" for k, v in arguments.items()),
             "--tasks", "gsm8k_rows", "--include_path", folder, "--limit", str(options.limit),
             "--num_fewshot", str(options.shots if options.data else 0), "--log_samples", "--output_path", output],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=dict(os.environ, HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false"))
    if done.returncode != 0:
        sys.exit(f"lm_eval ended with {done.returncode}:\n{done.stdout[-4000:]}")
    print("\n".join(line for line in done.stdout.splitlines() if line.startswith("|")))
    samples = {}
    for path in glob.glob(os.path.join(output, "**", "samples_*.jsonl"), recursive=True):
        with open(path, encoding="utf-8") as file:
            for sample in map(json.loads, file):
                samples.setdefault(sample["filter"], {})[sample["doc_id"]] = sample
    return {name: [rows[i] for i in sorted(rows)] for name, rows in samples.items()}


def ask_by_moebench(options, folder):
    """moebench's samples of its task, in the order of the questions."""
    path = "gsm8k-mini"
    if options.data:
        with open(os.path.join(DATASETS, "tasks", "gsm8k.json"), encoding="utf-8") as file:
            task = json.load(file)
        task["name"] = "gsm8k-rows"
        task["prompt"]["shot_rows"] = task["prompt"]["shot_rows"][:options.shots]
        path = os.path.join(folder, "gsm8k-rows.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(task, file)
    run = os.path.join(folder, "run")
    done = subprocess.run(
        [options.moebench, "run", "--model", options.model, "--tasks", path,
         *(["--data", options.data] if options.data else []), "--limit", str(options.limit), "--max-tokens", str(NEW_TOKENS), "-o", run],
        check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"moebench run ended with {done.returncode}:\n{done.stderr}")
    with open(os.path.join(run, "samples.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def reason(theirs, ours, strict):
    """Why a verdict of lm-eval's differs from ours on the same answer; None: nobody knows."""
    if ours["verdict"] == "truncated":
        return "the answer was cut at the limit: no verdict on what it had not said yet"
    if strict and theirs["filtered_resps"] == ["[invalid]"]:
        return "strict-match wants '#### N'; moebench's task reads like flexible-extract"
    words = re.findall(r"-?[$0-9.,]{2,}|-?[0-9]+", theirs["resps"][0][0])
    if not strict and words and words[-1].strip(".,$") != words[-1]:
        return f"flexible-extract takes '{words[-1]}' with its punctuation"
    if ours["extracted"] not in (None, "") and ours["extracted"] != theirs["filtered_resps"][0]:
        return f"extracted: theirs {theirs['filtered_resps'][0]!r}, ours {ours['extracted']!r}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--moebench", default=os.path.join(HERE, "..", "..", "..", "build", "moebench"))
    parser.add_argument("--model", default="canary")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--shots", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moebench_lm_eval_") as folder:
        theirs = ask_by_lm_eval(options, folder)
        ours = ask_by_moebench(options, folder)
    failures = 0
    for name, rows in theirs.items():
        if len(rows) != len(ours):
            sys.exit(f"{len(rows)} samples of lm-eval, {len(ours)} of moebench")
        strict = name == "strict-match"
        same_answers = same_verdicts = 0
        for their, our in zip(rows, ours):
            answer, expected = their["resps"][0][0], our["output"]
            same_answers += answer == expected
            if answer != expected:
                failures += 1
                print(f"{our['question_id']}: answers differ\n  theirs {answer!r}\n  ours   {expected!r}")
                continue
            if (their["exact_match"] == 1) == (our["verdict"] == "correct"):
                same_verdicts += 1
                continue
            why = reason(their, our, strict)
            failures += why is None
            print(f"{our['question_id']}: {name} says {their['exact_match']:g}, moebench "
                  f"{our['verdict']}: {why or 'NO REASON KNOWN'}")
        score = sum(row["exact_match"] for row in rows)
        print(f"{name}: {same_answers} of {len(ours)} answers equal, {same_verdicts} verdicts equal; "
              f"lm-eval {score:g} correct, moebench {sum(o['verdict'] == 'correct' for o in ours)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
