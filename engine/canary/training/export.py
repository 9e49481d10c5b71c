"""Writes a checkpoint as a Hugging Face folder (deepseek_v3): the form in which others load it.

    python export.py CHECKPOINT.pt TOKENIZER.json OUTPUT_FOLDER

Matrices and norms become BF16; the router's weight and bias stay F32, as in DeepSeek's own files.
"""
import json
import os
import shutil
import sys

import torch
from safetensors.torch import save_file

import chat
from evaluate import load
from model import Canary, Experts


def hugging_face_tensors(model: Canary) -> dict:
    out = {
        "model.embed_tokens.weight": model.embed,
        "model.norm.weight": model.norm,
        "lm_head.weight": model.head,
    }

    def ffn(prefix, gate_up, down):
        gate, up = gate_up.chunk(2, 0)
        out[f"{prefix}.gate_proj.weight"] = gate
        out[f"{prefix}.up_proj.weight"] = up
        out[f"{prefix}.down_proj.weight"] = down

    for i, layer in enumerate(model.layers):
        p, a = f"model.layers.{i}", layer.attention
        out[f"{p}.input_layernorm.weight"] = layer.attention_norm
        out[f"{p}.post_attention_layernorm.weight"] = layer.ffn_norm
        out[f"{p}.self_attn.q_a_proj.weight"] = a.q_a
        out[f"{p}.self_attn.q_a_layernorm.weight"] = a.q_norm
        out[f"{p}.self_attn.q_b_proj.weight"] = a.q_b
        out[f"{p}.self_attn.kv_a_proj_with_mqa.weight"] = a.kv_a
        out[f"{p}.self_attn.kv_a_layernorm.weight"] = a.kv_norm
        out[f"{p}.self_attn.kv_b_proj.weight"] = a.kv_b
        out[f"{p}.self_attn.o_proj.weight"] = a.o
        if isinstance(layer.ffn, Experts):
            e = layer.ffn
            out[f"{p}.mlp.gate.weight"] = e.router
            # A constant added to all of a layer's biases changes no choice. With none below zero, no
            # choice hangs on whether an engine gives the experts outside the groups 0 or -infinity.
            out[f"{p}.mlp.gate.e_score_correction_bias"] = e.bias - e.bias.min()
            for k in range(model.c.experts):
                ffn(f"{p}.mlp.experts.{k}", e.gate_up[k], e.down[k])
            ffn(f"{p}.mlp.shared_experts", e.shared.gate_up, e.shared.down)
        else:
            ffn(f"{p}.mlp", layer.ffn.gate_up, layer.ffn.down)
    keep = (".mlp.gate.weight", "e_score_correction_bias")
    return {
        k: v.detach().to(torch.float32 if k.endswith(keep) else torch.bfloat16).contiguous() for k, v in out.items()
    }


def model_config(model: Canary) -> dict:
    c = model.c
    return {
        "architectures": ["DeepseekV3ForCausalLM"],
        "model_type": "deepseek_v3",
        "vocab_size": c.vocab,
        "hidden_size": c.hidden,
        "intermediate_size": c.dense_ffn,
        "moe_intermediate_size": c.expert_ffn,
        "num_hidden_layers": c.layers,
        "num_attention_heads": c.heads,
        "num_key_value_heads": c.heads,
        "n_routed_experts": c.experts,
        "n_shared_experts": 1,
        "num_experts_per_tok": c.top_k,
        "n_group": c.groups,
        "topk_group": c.top_groups,
        "topk_method": "noaux_tc",
        "scoring_func": "sigmoid",
        "norm_topk_prob": True,
        "routed_scaling_factor": c.scale,
        "first_k_dense_replace": 1,
        "moe_layer_freq": 1,
        "num_nextn_predict_layers": 0,
        "q_lora_rank": c.q_rank,
        "kv_lora_rank": c.kv_rank,
        "qk_nope_head_dim": c.nope,
        "qk_rope_head_dim": c.rope,
        "v_head_dim": c.v,
        "rope_theta": c.rope_theta,
        "rope_scaling": None,
        "rope_interleave": True,
        "max_position_embeddings": c.max_positions,
        "rms_norm_eps": c.eps,
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": False,
        "bos_token_id": chat.BOS,
        "eos_token_id": chat.EOS,
        "pad_token_id": chat.PAD,
        "torch_dtype": "bfloat16",
        "use_cache": True,
    }


TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "add_bos_token": False,
    "add_eos_token": False,
    "clean_up_tokenization_spaces": False,
    "bos_token": "<|bos|>",
    "eos_token": "<|eos|>",
    "pad_token": "<|pad|>",
    "model_max_length": 512,
    "chat_template": chat.CHAT_TEMPLATE,
}


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps(value, indent=2) + "\n")


def main(checkpoint, tokenizer, folder):
    os.makedirs(folder, exist_ok=True)
    model = load(checkpoint)
    weights = os.path.join(folder, "model.safetensors")
    save_file(hugging_face_tensors(model), weights, {"format": "pt"})
    os.chmod(weights, 0o644)
    shutil.copyfile(tokenizer, os.path.join(folder, "tokenizer.json"))
    write_json(os.path.join(folder, "config.json"), model_config(model))
    write_json(os.path.join(folder, "tokenizer_config.json"), TOKENIZER_CONFIG)
    generation = {"bos_token_id": chat.BOS, "eos_token_id": chat.EOS, "pad_token_id": chat.PAD, "do_sample": False}
    write_json(os.path.join(folder, "generation_config.json"), generation)


if __name__ == "__main__":
    main(*sys.argv[1:])
