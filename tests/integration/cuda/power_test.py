#!/usr/bin/env python3
"""A run on a GPU records its energy, its clocks before and after, and that it was throttled; without
NVML it says so. Over the emulated device and a libnvidia-ml.so.1 of the tests. Arguments: the
program, the emulated plugin, the folder of the NVML library."""

import json
import os
import subprocess
import sys
import tempfile

PROGRAM, PLUGIN, NVML = sys.argv[1:4]


def run(arguments, **variables):
    environment = dict(os.environ, MOEBENCH_CUDA_PLUGIN=PLUGIN, MOEBENCH_EMULATION_CHECKS="0")
    environment.update(variables)
    done = subprocess.run([PROGRAM, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"power_test: {arguments} ended with {done.returncode}: {done.stderr}")
    return done.stdout + done.stderr


def record(folder, **variables):
    said = run(["run", "--model", "canary", "--device", "cuda:0", "--tasks", "gsm8k-mini", "--limit",
                "2", "--max-tokens", "6", "-o", folder], **variables)
    with open(os.path.join(folder, "run.json")) as file:
        return json.load(file), said


def expect(condition, message):
    if not condition:
        sys.exit(f"power_test: {message}")


with tempfile.TemporaryDirectory() as root:
    path = os.path.join(root, "with")
    run_json, said = record(path, LD_LIBRARY_PATH=NVML)
    energy = {e["meter"]: e["joules"] for e in run_json["energy"]}
    expect(energy.get("nvml:cuda:0", 0) > 0 and energy["nvml:cuda:0"] % 2 == 0, energy)
    gpu = run_json["segments"][0]["gpus"][0]
    expect(gpu["device"] == "cuda:0" and gpu["core_mhz_before"] == 1980 and
           gpu["core_mhz_after"] == 1410 and gpu["memory_mhz_after"] == 2619 and
           gpu["celsius_before"] == 64, gpu)
    expect(gpu["throttled"] == ["power cap", "hardware thermal"] and
           0 < gpu["throttled_readings"] < gpu["readings"], gpu)
    warning = "cuda:0 was throttled (power cap, hardware thermal)"
    expect(any(w.startswith(warning) for w in run_json["warnings"]), run_json["warnings"])
    expect(warning in said, said)
    expect("emulated GPU" in run_json["environment"]["gpus"][0], run_json["environment"])
    expect("no RAPL" in run_json.get("energy_note", "no RAPL") or "powercap" in
           run_json["energy_note"], run_json.get("energy_note"))
    expect("was throttled" in run(["report", path]), "the report doesn't warn")
    with open(os.path.join(path, "report.html")) as file:
        report = file.read()
    for words in ("energy per output token, nvml:cuda:0", "core 1980 to 1410 MHz", "throttled in"):
        expect(words in report, f"{words!r} is not in the report")

    for how, variables in {"no NVML": {}, "silent": {"LD_LIBRARY_PATH": NVML, "FAKE_NVML": "silent"},
                           "broken": {"LD_LIBRARY_PATH": NVML, "FAKE_NVML": "broken"}}.items():
        run_json, said = record(os.path.join(root, how.replace(" ", "_")), **variables)
        meters = [e["meter"] for e in run_json.get("energy", [])]
        expect("nvml:cuda:0" not in meters, f"{how}: {meters}")
        expect("cuda:0: Energy is not known: NVML" in run_json["energy_note"],
               f"{how}: {run_json.get('energy_note')}")
        clocks = run_json["segments"][0].get("gpus", [])
        expect((how == "silent") == (len(clocks) == 1), f"{how}: {clocks}")
        expect(not any("throttled (" in w for w in run_json.get("warnings", [])), how)

    listed = run(["devices"], LD_LIBRARY_PATH=NVML)
    expect("now 1980 MHz core, 2619 MHz memory, 64 C, 412 W" in listed, listed)
print("power_test: all as expected")
