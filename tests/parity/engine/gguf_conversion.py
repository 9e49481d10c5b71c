"""A Hugging Face state dict as GGUF, with the names, the permutations and the metadata that llama.cpp
expects. Matrices in F16, everything else in F32."""

import re

import gguf
import numpy as np

ARCHITECTURE = {"llama": "llama", "mistral": "llama", "mixtral": "llama", "qwen2": "qwen2",
                "qwen3": "qwen3", "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe",
                "olmoe": "olmoe", "deepseek_v2": "deepseek2", "deepseek_v3": "deepseek2"}

NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "self_attn.q_a_proj": "attn_q_a",
    "self_attn.q_a_layernorm": "attn_q_a_norm", "self_attn.q_b_proj": "attn_q_b",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa", "self_attn.kv_a_layernorm": "attn_kv_a_norm",
    "self_attn.kv_b_proj": "attn_kv_b", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "mlp.gate": "ffn_gate_inp",
    "block_sparse_moe.gate": "ffn_gate_inp", "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
}
for kind in ("gate", "up", "down"):
    for shared in ("shared_expert", "shared_experts"):
        NAMES[f"mlp.{shared}.{kind}_proj"] = f"ffn_{kind}_shexp"
EXPERT = re.compile(r"model\.layers\.(\d+)\.(?:mlp|block_sparse_moe)\.experts\.(\d+)\.(\w+)\.weight")
EXPERT_KIND = {"gate_proj": "gate", "up_proj": "up", "down_proj": "down", "w1": "gate", "w3": "up",
               "w2": "down"}


def interleave_heads(rows, n_heads):
    """Rows of each head from (first half, second half) to neighbouring pairs."""
    head = rows.shape[0] // n_heads
    return (rows.reshape(n_heads, 2, head // 2, -1).swapaxes(1, 2).reshape(rows.shape))


def interleave_tail(rows, n_heads, tail):
    """The same for the last `tail` rows of each head only."""
    shaped = rows.reshape(n_heads, rows.shape[0] // n_heads, -1).copy()
    shaped[:, -tail:] = (shaped[:, -tail:].reshape(n_heads, 2, tail // 2, -1).swapaxes(1, 2)
                         .reshape(n_heads, tail, -1))
    return shaped.reshape(rows.shape)


def llama3_divisors(rope, dim):
    frequency = rope["rope_theta"] ** -(np.arange(0, dim, 2) / dim)
    ratio = rope["original_max_position_embeddings"] * frequency / (2 * np.pi)
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    blend = np.clip((ratio - low) / (high - low), 0.0, 1.0)
    return (1.0 / ((1.0 - blend) / factor + blend)).astype(np.float32)


def convert(config, state, path, options):
    family, architecture = config.model_type, ARCHITECTURE[config.model_type]
    rope = dict(config.rope_parameters)
    latent = architecture == "deepseek2"
    heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    kv_heads = 1 if latent and "split_kv_b" in options else config.num_key_value_heads
    w = gguf.GGUFWriter(path, architecture)
    w.add_name(f"tiny random {family}")
    w.add_vocab_size(config.vocab_size)
    w.add_tokenizer_model("none")
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_block_count(config.num_hidden_layers)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    w.add_rope_freq_base(rope["rope_theta"])
    if latent:
        key = config.qk_nope_head_dim + config.qk_rope_head_dim
        if config.q_lora_rank:
            w.add_q_lora_rank(config.q_lora_rank)
        w.add_kv_lora_rank(config.kv_lora_rank)
        w.add_rope_dimension_count(config.qk_rope_head_dim)
        if "split_kv_b" in options:
            w.add_key_length(config.kv_lora_rank + config.qk_rope_head_dim)
            w.add_value_length(config.kv_lora_rank)
            w.add_key_length_mla(key)
            w.add_value_length_mla(config.v_head_dim)
        else:
            w.add_key_length(key)
            w.add_value_length(config.v_head_dim)
        w.add_leading_dense_block_count(config.first_k_dense_replace)
        w.add_expert_shared_count(config.n_shared_experts)
        w.add_expert_weights_scale(config.routed_scaling_factor)
        sigmoid = family == "deepseek_v3"
        w.add_expert_weights_norm(bool(sigmoid and config.norm_topk_prob))
        w.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID if sigmoid
                                 else gguf.ExpertGatingFuncType.SOFTMAX)
        grouped = sigmoid or config.topk_method == "group_limited_greedy"
        if grouped and config.n_group > 1:
            w.add_expert_group_count(config.n_group)
            w.add_expert_group_used_count(config.topk_group)
    else:
        w.add_key_length(head_dim)
        w.add_value_length(head_dim)
        w.add_rope_dimension_count(head_dim)
    window = getattr(config, "sliding_window", None)
    if window:
        w.add_sliding_window(window)
        types = getattr(config, "layer_types", None)
        if types:
            w.add_array(f"{architecture}.attention.sliding_window_pattern",
                        [kind == "sliding_attention" for kind in types])
    experts = next((getattr(config, key) for key in
                    ("n_routed_experts", "num_local_experts", "num_experts")
                    if getattr(config, key, None)), 0)
    if experts:
        w.add_expert_count(experts)
        w.add_expert_used_count(config.num_experts_per_tok)
        if hasattr(config, "moe_intermediate_size"):
            w.add_expert_feed_forward_length(config.moe_intermediate_size)
        if family == "qwen2_moe":
            w.add_expert_shared_feed_forward_length(config.shared_expert_intermediate_size)
    if rope["rope_type"] == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        w.add_rope_scaling_factor(rope["factor"])
        w.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        if latent:
            w.add_rope_scaling_yarn_log_mul(0.1 * rope["mscale_all_dim"])
    if rope["rope_type"] == "llama3":
        w.add_tensor("rope_freqs.weight", llama3_divisors(rope, head_dim))

    def add(name, array):
        array = np.ascontiguousarray(array)
        narrow = array.ndim > 1 and "ffn_gate_inp" not in name
        w.add_tensor(name, array.astype(np.float16 if narrow else np.float32))

    experts_of = {}
    for name in sorted(state):
        array = state[name].float().numpy()
        expert = EXPERT.fullmatch(name)
        if expert:
            key = (int(expert[1]), EXPERT_KIND[expert[3]])
            experts_of.setdefault(key, {})[int(expert[2])] = array
            continue
        layer = re.match(r"model\.layers\.(\d+)\.(.*)", name)
        prefix, rest = (f"blk.{layer[1]}.", layer[2]) if layer else ("", name)
        if rest.endswith("e_score_correction_bias"):
            add(prefix + "exp_probs_b.bias", array)
            continue
        stem, suffix = rest.rsplit(".", 1)
        if architecture == "llama" and stem in ("self_attn.q_proj", "self_attn.k_proj"):
            array = interleave_heads(array, heads if "q_proj" in stem else kv_heads)
        if latent and not getattr(config, "rope_interleave", True):
            if stem in ("self_attn.q_proj", "self_attn.q_b_proj"):
                array = interleave_tail(array, heads, config.qk_rope_head_dim)
            if stem == "self_attn.kv_a_proj_with_mqa":
                array = interleave_tail(array, 1, config.qk_rope_head_dim)
        if stem == "self_attn.kv_b_proj" and "split_kv_b" in options:
            shaped = array.reshape(heads, config.qk_nope_head_dim + config.v_head_dim, -1)
            add(prefix + "attn_k_b.weight", shaped[:, :config.qk_nope_head_dim].swapaxes(1, 2))
            add(prefix + "attn_v_b.weight", shaped[:, config.qk_nope_head_dim:])
            continue
        if stem == "mlp.shared_expert_gate":
            array = array.reshape(-1)
        add(f"{prefix}{NAMES[stem]}.{suffix}", array)
    for (layer, kind), arrays in sorted(experts_of.items()):
        add(f"blk.{layer}.ffn_{kind}_exps.weight", np.stack([arrays[i] for i in range(len(arrays))]))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
