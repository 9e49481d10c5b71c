#!/usr/bin/env python3
"""real_server.py GGUF --launch RECIPE [--moebench FILE] [--raw] [--limit N] [--max-tokens N] [--batch N]

The same plan by the built-in engine and by somebody else's server on the same GGUF file, which moebench
starts (--launch) or which runs already (--base-url). Prints how many answers are equal, in which field
the others differ, and both speeds. Exits 1 when the server's run does not end with an answer to each
question. `GGUF` may be "canary": then it is exported first.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS = ("prompt_tokens", "output", "thinking", "finish_reason", "output_tokens", "cached_tokens",
          "verdict")


def run(options, folder, *engine):
    command = [options.moebench, "run", *engine, "--tasks", "gsm8k-mini,math-mini", "--limit",
               str(options.limit), "--max-tokens", str(options.max_tokens), "--batch-size",
               str(options.batch), "-o", folder, *(["--raw-prompt"] if options.raw else [])]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    with open(os.path.join(folder, "run.json"), encoding="utf-8") as file:
        record = json.load(file)
    with open(os.path.join(folder, "samples.jsonl"), encoding="utf-8") as file:
        return record, [json.loads(line) for line in file]


def tell(name, record, samples):
    timed = [s for s in samples if "last_token_ms" in s["timing"]]
    seconds = max(s["timing"]["issued_ms"] + s["timing"]["last_token_ms"] for s in timed) / 1000
    first = statistics.median(s["timing"]["first_token_ms"] for s in timed)
    correct = sum(s["verdict"] == "correct" for s in samples)
    print(f"{name}: {correct} of {len(samples)} correct, "
          f"{sum(s['output_tokens'] for s in samples) / seconds:.0f} tokens/s, "
          f"TTFT {first:.1f} ms (median), {sum(s['cached_tokens'] for s in samples)} cached tokens told")
    for warning in record.get("warnings", []):
        print("  warning:", warning)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", metavar="GGUF")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--launch")
    where.add_argument("--base-url")
    parser.add_argument("--moebench", default=os.path.join(HERE, "..", "..", "..", "build", "moebench"))
    parser.add_argument("--name", help="of the model at the server; default: the file")
    parser.add_argument("--raw", action="store_true", help="no chat template")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--context", type=int, default=512)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moebench_real_") as folder:
        gguf = options.gguf
        if gguf == "canary":
            gguf = os.path.join(folder, "canary.gguf")
            subprocess.run([options.moebench, "model", "quantize", "canary", gguf, "--type", "bf16"],
                           check=True, capture_output=True)
        server = (["--launch", options.launch, "--context", str(options.context)]
                  if options.launch else ["--base-url", options.base_url])
        ours = run(options, os.path.join(folder, "ours"), "--model", gguf)
        theirs = run(options, os.path.join(folder, "theirs"), "--model",
                     "openai:" + (options.name or gguf), *server)
    tell("built in", *ours)
    tell("server  ", *theirs)
    for field in FIELDS:
        same = sum(a.get(field) == b.get(field) for a, b in zip(ours[1], theirs[1]))
        print(f"  {field}: {same} of {len(ours[1])} equal")
    failed = sum(s["verdict"] == "failed" for s in theirs[1])
    return 1 if failed or len(ours[1]) != len(theirs[1]) else 0


if __name__ == "__main__":
    sys.exit(main())
