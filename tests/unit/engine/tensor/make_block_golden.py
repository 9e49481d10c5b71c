#!/usr/bin/env python3
"""Writes blocks.gguf: for each block type a tensor TYPE of random blocks, and TYPE.values, what the
`gguf` package makes of them. Needs gguf and numpy."""

import pathlib

import gguf
import numpy as np
from gguf.quants import dequantize

# Type: offsets of the F16 scales within a block.
TYPES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82],
         "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_XS": [0], "MXFP4": []}

rng = np.random.default_rng(1)
writer = gguf.GGUFWriter(pathlib.Path(__file__).parent / "blocks.gguf", "blocks")
for name, scales in TYPES.items():
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (2 * 256 // elements, size), dtype=np.uint8)
    for offset in scales:
        value = (rng.normal(size=len(blocks)) * 0.1).astype(np.float16)
        blocks[:, offset:offset + 2] = value.view(np.uint8).reshape(-1, 2)
    if name == "MXFP4":
        blocks[:, 0] = rng.integers(100, 140, len(blocks))
    rows = blocks.reshape(2, -1)
    writer.add_tensor(name.lower(), rows, raw_dtype=kind)
    writer.add_tensor(name.lower() + ".values", dequantize(rows, kind).astype(np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
