#!/usr/bin/env python3
"""Makes the parity cases of this folder: tiny random checkpoints of every model family, written by
Hugging Face transformers, with the logits and greedy tokens that transformers computes for them, and
a GGUF conversion of each.

    python make_goldens.py [CASE ...]      writes goldens/CASE/ (all cases without arguments)

Needs torch, transformers, safetensors, gguf and numpy; the tests that read the goldens need none of
them. Weights are rounded to values that F16 holds exactly, so that the F32 safetensors file and the
F16 GGUF file hold the same model. A seed is taken only if the case is well conditioned: computing in
F64 gives the same tokens and nearly the same logits, so that no test hangs on a rounding.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

import gguf_conversion

HERE = pathlib.Path(__file__).resolve().parent
PROMPT_TOKENS, GREEDY_TOKENS = 24, 64
VOCAB = 96

BASE = dict(vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, intermediate_size=48, max_position_embeddings=128,
            rms_norm_eps=1e-5, tie_word_embeddings=False, bos_token_id=1, eos_token_id=2,
            pad_token_id=None)
MLA = dict(num_key_value_heads=4, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=8,
           v_head_dim=12, moe_intermediate_size=16, n_routed_experts=8, num_experts_per_tok=3,
           first_k_dense_replace=1)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
            original_max_position_embeddings=32, beta_fast=32.0, beta_slow=1.0)


def rope(**settings):
    return dict(rope_parameters={"rope_type": "default", "rope_theta": 10000.0, **settings})


# name: (model_type, settings, options). Options: "old_rope" writes rope_theta and rope_scaling as
# transformers 4 did; "fused" keeps transformers 5's tensors of all experts; "shards" splits the file;
# "dtype" is what the safetensors file holds; "fp8" stores matrices as E4M3 with block scales; "split_kv_b"
# writes MLA's halves into the GGUF as its later converters do.
CASES = {
    "llama": ("llama", dict(rope(rope_type="llama3", factor=4.0, low_freq_factor=1.0,
                                 high_freq_factor=4.0, original_max_position_embeddings=32,
                                 rope_theta=500000.0)), {"old_rope", "shards"}),
    "llama_bias": ("llama", dict(attention_bias=True, tie_word_embeddings=True, head_dim=12,
                                 **rope(rope_type="linear", factor=2.0)), {"old_rope"}),
    "mistral": ("mistral", dict(sliding_window=8, head_dim=8, **rope()), set()),
    "qwen2": ("qwen2", dict(use_sliding_window=True, sliding_window=8, max_window_layers=1,
                            tie_word_embeddings=True, **rope(rope_theta=1000000.0)), {"old_rope"}),
    "qwen3": ("qwen3", dict(head_dim=16, **rope(**YARN)), set()),
    "qwen2_moe": ("qwen2_moe", dict(moe_intermediate_size=16, shared_expert_intermediate_size=24,
                                    num_experts=6, num_experts_per_tok=2, norm_topk_prob=False,
                                    mlp_only_layers=[0], num_hidden_layers=3, **rope()),
                  {"old_rope"}),
    "qwen3_moe": ("qwen3_moe", dict(moe_intermediate_size=16, num_experts=8, num_experts_per_tok=3,
                                    norm_topk_prob=True, head_dim=16, **rope()), {"fused"}),
    "mixtral": ("mixtral", dict(num_local_experts=6, num_experts_per_tok=2, sliding_window=8,
                                intermediate_size=24, **rope(rope_theta=1000000.0)), {"old_rope"}),
    "mixtral_all_experts": ("mixtral", dict(num_local_experts=4, num_experts_per_tok=4,
                                            intermediate_size=24, **rope()), set()),
    "olmoe": ("olmoe", dict(num_experts=8, num_experts_per_tok=3, norm_topk_prob=False,
                            intermediate_size=16, **rope()), {"old_rope"}),
    "deepseek_v2_lite": ("deepseek_v2", dict(MLA, q_lora_rank=None, n_shared_experts=2,
                                             topk_method="greedy", routed_scaling_factor=1.0,
                                             **rope(**YARN, mscale=0.707, mscale_all_dim=0.707)),
                         {"old_rope"}),
    "deepseek_v2": ("deepseek_v2", dict(MLA, q_lora_rank=16, n_shared_experts=1,
                                        topk_method="group_limited_greedy", n_group=4, topk_group=2,
                                        routed_scaling_factor=4.0, **rope()), set()),
    "deepseek_v3": ("deepseek_v3", dict(MLA, q_lora_rank=16, n_shared_experts=1, n_group=4,
                                        topk_group=2, norm_topk_prob=True, routed_scaling_factor=2.5,
                                        **rope(**YARN, mscale=1.0, mscale_all_dim=1.0)),
                    {"old_rope", "split_kv_b"}),
    "deepseek_v3_plain": ("deepseek_v3", dict(MLA, q_lora_rank=None, n_shared_experts=1, n_group=1,
                                              topk_group=1, norm_topk_prob=False,
                                              routed_scaling_factor=1.5, rope_interleave=False,
                                              attention_bias=True, **rope()), {"bf16"}),
    "deepseek_v3_fp8": ("deepseek_v3", dict(MLA, q_lora_rank=16, n_shared_experts=1, n_group=2,
                                            topk_group=1, norm_topk_prob=True, num_hidden_layers=2,
                                            routed_scaling_factor=2.5, **rope()), {"fp8"}),
}
FP8_TILE = 16
torch.set_num_threads(1)  # tiny matrices


def exact(tensor, options):
    """Rounded to what the stored type holds exactly (BF16 rounded to F16 too: no subnormals)."""
    if "bf16" in options or "fp8" in options:
        tensor = tensor.to(torch.bfloat16)
    return tensor.to(torch.float16).to(torch.float32)


def randomize(model, options, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in list(model.named_parameters()) + list(model.named_buffers()):
        if "inv_freq" in name:
            continue
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name.split(".")[-2] and name.endswith("weight"):
            value = 1.0 + 0.2 * noise
        elif name.endswith("correction_bias"):
            value = 0.2 * noise
        elif name.endswith("bias"):
            value = 0.3 * noise
        elif "embed_tokens" in name:
            value = noise
        else:
            value = noise * (1.3 / parameter.shape[-1] ** 0.5)
        parameter.data.copy_(exact(value, options))


def fp8_matrix(weight):
    """E4M3 values and the scale of each tile; what a reader gets back is their product in BF16."""
    rows, columns = weight.shape
    scales = torch.zeros(-(-rows // FP8_TILE), -(-columns // FP8_TILE))
    stored = torch.zeros_like(weight)
    for i in range(scales.shape[0]):
        for j in range(scales.shape[1]):
            at = np.s_[i * FP8_TILE:(i + 1) * FP8_TILE, j * FP8_TILE:(j + 1) * FP8_TILE]
            scales[i, j] = weight[at].abs().max() / 448.0
            stored[at] = weight[at] / scales[i, j]
    stored = stored.to(torch.float8_e4m3fn)
    spread = scales.repeat_interleave(FP8_TILE, 0)[:rows].repeat_interleave(FP8_TILE, 1)[:, :columns]
    return stored, scales, (stored.to(torch.float32) * spread).to(torch.bfloat16).to(torch.float32)


def is_fp8_name(name):
    parts = name.split(".")
    return parts[-1] == "weight" and parts[-2].endswith("_proj") or "with_mqa" in name


def apply_fp8(model):
    """Replaces the matrices that the checkpoint will hold in FP8 by what a reader makes of them."""
    for name, parameter in model.named_parameters():
        matrices = [parameter.data] if parameter.dim() == 2 else list(parameter.data)
        if "experts" in name and parameter.dim() == 3 or is_fp8_name(name):
            for matrix in matrices:
                # gate and up are stored apart, so their tiles must not straddle the border.
                halves = matrix.chunk(2) if "gate_up" in name else [matrix]
                for half in halves:
                    half.copy_(fp8_matrix(half.clone())[2])


@torch.no_grad()
def answers(model, prompt):
    logits = model(torch.tensor([prompt]), use_cache=False).logits[0]
    tokens = list(prompt)
    for _ in range(GREEDY_TOKENS):
        row = model(torch.tensor([tokens]), use_cache=False).logits[0, -1]
        tokens.append(int(row.argmax()))
    return logits, tokens[len(prompt):]


def old_rope_spelling(config):
    parameters = config.pop("rope_parameters")
    config["rope_theta"] = parameters.pop("rope_theta")
    kind = parameters.pop("rope_type")
    config["rope_scaling"] = None if kind == "default" else {"type": kind, **parameters}


def write_weights(folder, tensors, options):
    if "fp8" in options:
        stored = {}
        for name, tensor in tensors.items():
            if tensor.dim() == 2 and is_fp8_name(name):
                stored[name], stored[name + "_scale_inv"], _ = fp8_matrix(tensor)
            else:
                stored[name] = tensor
        tensors = stored
    if "bf16" in options:
        tensors = {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}
    if "shards" not in options:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    names = sorted(tensors)
    parts = [names[::2], names[1::2]]
    index = {"metadata": {}, "weight_map": {}}
    for number, part in enumerate(parts, 1):
        file = f"model-{number:05}-of-{len(parts):05}.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file)
        index["weight_map"].update({name: file for name in part})
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def make(case):
    model_type, settings, options = CASES[case]
    config = AutoConfig.for_model(model_type, **{**BASE, **settings})
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    for seed in range(1, 200):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        randomize(model, options, seed)
        if "fp8" in options:
            apply_fp8(model)
        prompt = np.random.default_rng(seed).integers(3, VOCAB, PROMPT_TOKENS).tolist()
        logits, tokens = answers(model, prompt)
        if len(set(tokens)) < 8:
            continue
        double_logits, double_tokens = answers(model.double(), prompt)
        error = float((logits - double_logits).abs().max() / double_logits.abs().max())
        if tokens == double_tokens and error < 1e-5:
            break
    else:
        raise SystemExit(f"{case}: no well-conditioned seed")
    model = model.float()

    folder = HERE / "goldens" / case
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, safe_serialization=True)
    tensors = load_file(folder / "model.safetensors")
    separate = dict(tensors)
    if "fused" in options:
        tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    for file in folder.iterdir():
        if file.name != "config.json":
            file.unlink()
    written = json.loads((folder / "config.json").read_text())
    written.pop("transformers_version", None)
    if "old_rope" in options:
        old_rope_spelling(written)
    if "fp8" in options:
        written["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3",
                                          "activation_scheme": "dynamic",
                                          "weight_block_size": [FP8_TILE, FP8_TILE]}
    (folder / "config.json").write_text(json.dumps(written, indent=1, sort_keys=True) + "\n")
    write_weights(folder, tensors, options)
    save_file({"prompt": torch.tensor(prompt), "tokens": torch.tensor(tokens),
               "logits": logits.contiguous()}, folder / "golden.bin")
    gguf_conversion.convert(config, separate, folder / "model.gguf", options)
    print(f"{case}: seed {seed}, F64 differs by {error:.1e}, {len(set(tokens))} distinct tokens, "
          f"{sum(f.stat().st_size for f in folder.iterdir()) // 1024} KB")


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        make(name)
