"""The canary's network: DeepSeek-V3's layers (arXiv:2412.19437) at toy width, written for CPU training.

The equations are the published ones and the names of the exported tensors are Hugging Face's; the
code keeps the experts of a layer stacked, which makes both the gradient step and the optimiser a
few large operations instead of many small ones.
"""
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    vocab: int = 1280
    hidden: int = 256
    layers: int = 5
    heads: int = 4
    q_rank: int = 128
    kv_rank: int = 64
    nope: int = 32
    rope: int = 32
    v: int = 32
    dense_ffn: int = 512
    expert_ffn: int = 64
    experts: int = 16
    top_k: int = 4
    groups: int = 4
    top_groups: int = 2
    scale: float = 1.5
    rope_theta: float = 10000.0
    eps: float = 1e-6
    max_positions: int = 512


def norm(x, weight, eps):
    return F.rms_norm(x, (x.shape[-1],), weight, eps)


def rope_tables(c: Config, length: int):
    f = c.rope_theta ** (-torch.arange(0, c.rope, 2).float() / c.rope)
    a = torch.outer(torch.arange(length).float(), f)
    return a.cos(), a.sin()  # (length, rope / 2)


def rotate(x, cos, sin):
    """Rotates neighbouring pairs (2i, 2i+1): the interleaved layout of DeepSeek's weights."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class Attention(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.q_a = nn.Parameter(torch.empty(c.q_rank, c.hidden))
        self.q_norm = nn.Parameter(torch.ones(c.q_rank))
        self.q_b = nn.Parameter(torch.empty(c.heads * (c.nope + c.rope), c.q_rank))
        self.kv_a = nn.Parameter(torch.empty(c.kv_rank + c.rope, c.hidden))
        self.kv_norm = nn.Parameter(torch.ones(c.kv_rank))
        self.kv_b = nn.Parameter(torch.empty(c.heads * (c.nope + c.v), c.kv_rank))
        self.o = nn.Parameter(torch.empty(c.hidden, c.heads * c.v))

    def forward(self, x, cos, sin, cache=None):  # (batch, length, hidden)
        c, (B, T, _) = self.c, x.shape
        q = F.linear(norm(F.linear(x, self.q_a), self.q_norm, c.eps), self.q_b)
        q = q.view(B, T, c.heads, c.nope + c.rope).transpose(1, 2)
        kv, k_rope = F.linear(x, self.kv_a).split([c.kv_rank, c.rope], -1)
        kv = F.linear(norm(kv, self.kv_norm, c.eps), self.kv_b)
        kv = kv.view(B, T, c.heads, c.nope + c.v).transpose(1, 2)
        k_nope, v = kv.split([c.nope, c.v], -1)
        k_rope = rotate(k_rope.unsqueeze(1), cos, sin).expand(B, c.heads, T, c.rope)
        q = torch.cat((q[..., : c.nope], rotate(q[..., c.nope :], cos, sin)), -1)
        k = torch.cat((k_nope, k_rope), -1)
        if cache is not None:  # one token a row: append to what came before
            k = cache["k"] = torch.cat((cache["k"], k), 2) if "k" in cache else k
            v = cache["v"] = torch.cat((cache["v"], v), 2) if "v" in cache else v
        y = F.scaled_dot_product_attention(q, k, v, is_causal=cache is None, scale=(c.nope + c.rope) ** -0.5)
        return F.linear(y.transpose(1, 2).reshape(B, T, c.heads * c.v), self.o)


class Dense(nn.Module):
    def __init__(self, c: Config, width: int):
        super().__init__()
        self.gate_up = nn.Parameter(torch.empty(2 * width, c.hidden))
        self.down = nn.Parameter(torch.empty(c.hidden, width))

    def forward(self, x):
        g, u = F.linear(x, self.gate_up).chunk(2, -1)
        return F.linear(F.silu(g) * u, self.down)


class Experts(nn.Module):
    """Routed experts and the shared one; tokens are sorted by expert and run expert by expert."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.router = nn.Parameter(torch.empty(c.experts, c.hidden))
        self.gate_up = nn.Parameter(torch.empty(c.experts, 2 * c.expert_ffn, c.hidden))
        self.down = nn.Parameter(torch.empty(c.experts, c.hidden, c.expert_ffn))
        self.shared = Dense(c, c.expert_ffn)
        self.register_buffer("bias", torch.zeros(c.experts))  # the selection bias, moved by load
        self.register_buffer("load", torch.zeros(c.experts), persistent=False)

    def forward(self, x):  # (batch, length, hidden)
        c, shape = self.c, x.shape
        x = x.reshape(-1, c.hidden)
        scores = F.linear(x, self.router).sigmoid()  # (tokens, experts)
        with torch.no_grad():
            choice = scores + self.bias
            group = choice.view(-1, c.groups, c.experts // c.groups).topk(2, -1).values.sum(-1)
            keep = torch.zeros_like(group).scatter_(1, group.topk(c.top_groups, -1).indices, 1.0)
            keep = keep.repeat_interleave(c.experts // c.groups, 1)
            ids = choice.masked_fill(keep == 0, float("-inf")).topk(c.top_k, -1).indices  # (tokens, top_k)
            flat = ids.flatten()
            order = flat.argsort(stable=True)
            counts = torch.bincount(flat, minlength=c.experts)
            self.load += counts
        weights = scores.gather(1, ids)
        weights = weights / (weights.sum(-1, keepdim=True) + 1e-20) * c.scale
        rows = x[order // c.top_k]
        parts = []
        for e, part in enumerate(rows.split(counts.tolist())):
            g, u = F.linear(part, self.gate_up[e]).chunk(2, -1)
            parts.append(F.linear(F.silu(g) * u, self.down[e]))
        y = torch.cat(parts) * weights.flatten()[order].unsqueeze(-1)
        out = self.shared(x).index_add(0, order // c.top_k, y)
        return out.view(shape)


class Layer(nn.Module):
    def __init__(self, c: Config, dense: bool):
        super().__init__()
        self.c = c
        self.attention_norm = nn.Parameter(torch.ones(c.hidden))
        self.attention = Attention(c)
        self.ffn_norm = nn.Parameter(torch.ones(c.hidden))
        self.ffn = Dense(c, c.dense_ffn) if dense else Experts(c)

    def forward(self, x, cos, sin, cache=None):
        x = x + self.attention(norm(x, self.attention_norm, self.c.eps), cos, sin, cache)
        return x + self.ffn(norm(x, self.ffn_norm, self.c.eps))


class Canary(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.embed = nn.Parameter(torch.empty(c.vocab, c.hidden))
        self.layers = nn.ModuleList([Layer(c, i == 0) for i in range(c.layers)])
        self.norm = nn.Parameter(torch.ones(c.hidden))
        self.head = nn.Parameter(torch.empty(c.vocab, c.hidden))
        cos, sin = rope_tables(c, c.max_positions)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def initialise(self, seed: int):
        g = torch.Generator().manual_seed(seed)
        for name, p in self.named_parameters():
            if p.dim() == 1:
                continue
            std = p.shape[-1] ** -0.5 * (0.7 if p.dim() == 3 or "ffn" in name or "attention" in name else 1.0)
            if name.endswith((".o", ".down")):
                std /= math.sqrt(2 * self.c.layers)
            if name == "embed":
                std = 0.7
            if name.endswith(("head", "router")):
                std *= 0.5
            with torch.no_grad():
                p.normal_(0.0, std, generator=g)

    def hidden_states(self, ids):  # (batch, length) -> (batch, length, hidden)
        x = F.embedding(ids, self.embed)
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x, cos, sin)
        return norm(x, self.norm, self.c.eps)

    def forward(self, ids):  # -> logits (batch, length, vocab)
        return F.linear(self.hidden_states(ids), self.head)

    @torch.no_grad()
    def generate(self, prompts, max_length: int, eos: int):
        """Greedy continuations. All rows advance one position a step: a row still inside its prompt
        is fed the prompt's next token, a row past it is fed its own choice."""
        caches = [{} for _ in self.layers]
        texts = [list(p) for p in prompts]
        for t in range(max_length - 1):
            x = F.embedding(torch.tensor([row[min(t, len(row) - 1)] for row in texts]).unsqueeze(1), self.embed)
            cos, sin = self.cos[t : t + 1], self.sin[t : t + 1]
            for layer, cache in zip(self.layers, caches):
                x = layer(x, cos, sin, cache)
            best = F.linear(norm(x[:, 0], self.norm, self.c.eps), self.head).argmax(-1).tolist()
            for row, token in zip(texts, best):
                if len(row) == t + 1 and row[-1] != eos:
                    row.append(token)
            if all(row[-1] == eos and len(row) <= t + 2 for row in texts):
                break
        return [row[len(p) :] for row, p in zip(texts, prompts)]

    def balance(self, rate: float):
        """Moves the selection bias against the load (DeepSeek-V3 2.1.2, without auxiliary loss)."""
        for layer in self.layers:
            if isinstance(layer.ffn, Experts):
                f = layer.ffn
                f.bias += rate * torch.sign(f.load.mean() - f.load)
                f.load.zero_()
