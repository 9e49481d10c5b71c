#!/usr/bin/env python3
"""moebench devices and --device cuda:0: a reason and exit code 2 where CUDA cannot serve, the whole
way through the plugin where it can (emulated). Arguments: the program, the emulated plugin, a plugin
that can't serve, a library that is no plugin."""

import ctypes
import json
import os
import subprocess
import sys
import tempfile

PROGRAM, PLUGIN, STUB, NO_PLUGIN = sys.argv[1:5]


def run(plugin, *arguments, stub=""):
    environment = dict(os.environ, MOEBENCH_CUDA_PLUGIN=plugin, MOEBENCH_EMULATION_CHECKS="0",
                       STUB_PLUGIN=stub)
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

def refused(plugin, reason, stub=""):
    """Both commands say why and end with 2; nothing of it needs a GPU."""
    code, out, err = run(plugin, "devices", "--need-cuda", stub=stub)
    expect(code == 2 and reason in out, f"{stub or plugin}: {code}: {out}{err}")
    code, _, err = run(plugin, *ASK, "--device", "cuda:0", stub=stub)
    expect(code == 2 and reason in err or stub == "none", f"{stub or plugin}: {code}: {err}")


refused(NO_PLUGIN, "is no CUDA plugin")
refused(STUB, "is interface version 4, this program needs 3; build both together", "version")
refused(STUB, "belongs to another build of this program; build both together", "abi")
refused(STUB, "the driver sees no device", "none")
try:
    ctypes.CDLL("libcuda.so.1")
except OSError:
    refused(STUB, "no driver: libcuda.so.1 not found", "driver")
code, out, err = run(STUB, "devices", "--need-cuda", stub="count")
expect(code == 2 and "the driver is older than the plugin's CUDA" in out, out + err)
code, out, err = run(STUB, "devices", stub="describe")
expect(code == 0 and "cuda:0: the device fell off the bus" in out and "stub GPU 1" in out, out + err)
code, out, err = run(STUB, "devices", "--need-cuda")
for words in ("cuda:0     stub GPU 0 (sm_90)", "132 multiprocessors, 85.0 GB memory (84.0 GB free)",
              "up to 1980 MHz core, 2619 MHz memory, 5120-bit bus", "CUDA driver CUDA 12.8",
              "cuda:1     stub GPU 1 (sm_75)", "nothing: the kernels need sm_80 or newer"):
    expect(code == 0 and words in out, f"{words!r} is not in {out!r} {err!r}")
code, _, err = run(STUB, *ASK, "--device", "cuda:1")
expect(code == 2 and "cuda:1 cannot serve: stub GPU 1 has compute capability 7.5" in err, err)

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

# What does not fit is refused with the figures before weights are read.
os.environ["MOEBENCH_EMULATION_MEMORY_BYTES"] = "400000000"
code, _, err = run(PLUGIN, *ASK, "--device", "cuda:0")
expect(code == 3 and "cuda:0 (emulated GPU) has 0.4 GB free; the model needs" in err and
       "for its weights and" in err and "--cpu-experts" in err, f"{code}: {err}")
del os.environ["MOEBENCH_EMULATION_MEMORY_BYTES"]

# Experts in host memory: the same answer, stated in the record.
code, there, err = run(PLUGIN, *ASK, "--device", "cuda:0", "--cpu-experts")
expect(code == 0 and there == cpu, f"--cpu-experts said {there!r}, cpu {cpu!r}: {err}")
code, _, err = run(PLUGIN, *ASK, "--cpu-experts")
expect(code == 2 and "the device is cpu" in err, f"{code}: {err}")
with tempfile.TemporaryDirectory() as root:
    folder = os.path.join(root, "run")
    for workers in ("0", "1"):
        code, out, err = run(PLUGIN, "run", "--model", "canary", "--device", "cuda:0", "--cpu-experts",
                             "--tasks", "gsm8k-mini", "--limit", "1", "--max-tokens", "4",
                             "--workers", workers, "-o", folder + workers)
        expect(code == 0 and "routed experts on cpu" in out + err, f"{code}: {out}{err}")
        with open(os.path.join(folder + workers, "run.json")) as file:
            record = json.load(file)
        expect(record["engine"]["experts_device"] == "cpu" and
               record["effective"]["experts-device"] == "cpu" and
               record["requested"]["cpu-experts"] == "true" and
               "experts" in record["engine"]["isa"], record["engine"])
# Dense products by cuBLASLt: the same answer, stated in the record; without the library exit code 2.
code, there, err = run(PLUGIN, *ASK, "--device", "cuda:0", "--cuda-dense", "cublaslt")
expect(code == 0 and there == cpu, f"--cuda-dense cublaslt said {there!r}, cpu {cpu!r}: {err}")
with tempfile.TemporaryDirectory() as root:
    for workers in ("0", "1"):
        folder = os.path.join(root, workers)
        code, out, err = run(PLUGIN, "run", "--model", "canary", "--device", "cuda:0", "--cuda-dense",
                             "cublaslt", "--tasks", "gsm8k-mini", "--limit", "1", "--max-tokens", "4",
                             "--workers", workers, "-o", folder)
        expect(code == 0, f"{code}: {out}{err}")
        with open(os.path.join(folder, "run.json")) as file:
            record = json.load(file)
        expect(record["requested"]["cuda-dense"] == record["effective"]["cuda-dense"] == "cublaslt" and
               record["engine"]["isa"] == "sm_90, dense products by cuBLASLt 1.2.3", record["engine"])
os.environ["MOEBENCH_EMULATION_CUBLASLT"] = "0"
code, _, err = run(PLUGIN, *ASK, "--device", "cuda:0", "--cuda-dense", "cublaslt")
expect(code == 2 and "libcublasLt.so, which cannot be loaded" in err, f"{code}: {err}")
del os.environ["MOEBENCH_EMULATION_CUBLASLT"]
print("devices_test: all as expected")
