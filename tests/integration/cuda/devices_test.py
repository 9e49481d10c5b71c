#!/usr/bin/env python3
"""moebench devices and --device cuda:0: a reason and exit code 2 where CUDA cannot serve, the whole
way through the plugin where it can (emulated). Arguments: the program, the emulated plugin."""

import os
import subprocess
import sys
import tempfile

PROGRAM, PLUGIN = sys.argv[1:3]


def run(plugin, *arguments):
    environment = dict(os.environ, MOEBENCH_CUDA_PLUGIN=plugin, MOEBENCH_EMULATION_CHECKS="0")
    done = subprocess.run([PROGRAM, *arguments], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def expect(condition, message):
    if not condition:
        sys.exit("devices_test: " + message)


ASK = ["generate", "--model", "canary", "--max-tokens", "4", "What is 2 + 3?"]

code, out, _ = run("/nonexistent/plugin.so", "devices")
expect(code == 0 and "cpu" in out and "no CUDA plugin: /nonexistent/plugin.so" in out, out)
code, out, _ = run("/nonexistent/plugin.so", "devices", "--need-cuda")
expect(code == 2, f"--need-cuda ended with {code}")
code, _, err = run("/nonexistent/plugin.so", *ASK, "--device", "cuda:0")
expect(code == 2 and "cuda:0 cannot serve: no CUDA plugin" in err, f"{code}: {err}")

with tempfile.NamedTemporaryFile(suffix=".so") as broken:
    broken.write(b"not a library")
    broken.flush()
    code, _, err = run(broken.name, *ASK, "--device", "cuda:0")
    expect(code == 2 and "cannot be loaded" in err, f"{code}: {err}")

# The real plugin without a driver (a machine with one serves, and has no reason to give).
real = os.path.join(os.path.dirname(PROGRAM), "libmoebench_cuda.so")
if os.path.exists(real):
    code, out, _ = run(real, "devices", "--need-cuda")
    expect(code == 0 or (code == 2 and ("no driver: libcuda.so.1 not found" in out or
                                        "driver" in out or "cannot be loaded" in out)), out)

code, out, err = run(PLUGIN, "devices", "--need-cuda")
expect(code == 0 and "cuda:0     emulated GPU (sm_90)" in out, out + err)
code, cuda, err = run(PLUGIN, *ASK, "--device", "cuda:0")
expect(code == 0, err)
code, cpu, err = run(PLUGIN, *ASK, "--device", "cpu")
expect(code == 0 and cuda == cpu, f"cuda:0 said {cuda!r}, cpu {cpu!r}")
print("devices_test: all as expected")
