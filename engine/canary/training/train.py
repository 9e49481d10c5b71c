"""Trains the canary on fresh problems until told to stop; resumes from its last checkpoint.

    python train.py FOLDER [--seed N] [--ranks N]

Every rank is a process of one thread with its own stream of problems; gradients are summed over the
ranks each step, and each rank orthogonalises its share of the matrices. On few and busy cores this
is faster than threads inside the operations, which wait for one another thousands of times a step.

FOLDER holds tokenizer.json, and receives checkpoint.pt and log.jsonl. Learning rate: warm-up,
constant, and a linear decay to zero (WSD) that starts at the step and takes the steps written in
FOLDER/decay.json ({"from": STEP, "steps": N}); the file may appear at any time.
"""
import argparse
import json
import os
import random
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from tokenizers import Tokenizer

import chat
import generate
from evaluate import score
from model import Canary, Config, Experts

MICRO_TOKENS = 3500  # tokens of a rank's batch, padding included
CHUNK = 4096  # problems that are sorted by length together
# Of a question's token in the loss, where a solution's token weighs 1; later none at all, since the
# names and numbers of a question can't be foreseen and the noise of their gradients drowns the rest.
QUESTION_WEIGHT, QUESTION_STEPS = 0.1, 700
INSTRUCTION_SHARE = 0.08
WARM_UP_STEPS = 40
MATRIX_RATE, OTHER_RATE = 0.02, 0.004
MOMENTUM = 0.95
AVERAGE_DECAY = 0.99
BALANCE_RATE = 0.002
SAVE_EVERY, SCORE_EVERY, DECAY_CHECK_EVERY = 50, 250, 10  # steps


def batches(tokenizer, seed: int, rank: int, first_chunk: int):
    """Endless (chunk, ids, weights); a chunk's problems depend on (seed, rank, chunk) alone."""
    chunk = first_chunk
    while True:
        r = random.Random(f"{seed}/{rank}/{chunk}")
        prompts, solutions = [], []
        for _ in range(CHUNK):
            p = generate.training_problem(r)
            q = p.question
            if r.random() < INSTRUCTION_SHARE and p.kind != "drill":
                q += chat.INSTRUCTIONS[bool(p.subject)]
            prompts.append(chat.prompt_text(q))
            solutions.append(chat.solution_text(p) + "<|eos|>")
        pairs = list(zip(tokenizer.encode_batch(prompts), tokenizer.encode_batch(solutions)))
        rows = sorted(((a.ids, b.ids) for a, b in pairs), key=lambda x: len(x[0]) + len(x[1]))
        made, start = [], 0
        while start < len(rows):
            end, longest = start, 0
            while end < len(rows):
                n = len(rows[end][0]) + len(rows[end][1])
                if max(longest, n) * (end - start + 1) > MICRO_TOKENS and end > start:
                    break
                longest, end = max(longest, n), end + 1
            ids = torch.full((end - start, longest), chat.PAD)
            weights = torch.zeros(end - start, longest)
            for i, (a, b) in enumerate(rows[start:end]):
                ids[i, : len(a) + len(b)] = torch.tensor(a + b)
                weights[i, : len(a)] = QUESTION_WEIGHT
                weights[i, len(a) : len(a) + len(b)] = 1.0
            made.append((chunk, ids, weights))
            start = end
        r.shuffle(made)
        yield from made
        chunk += 1


def orthogonalise(g):
    """Newton-Schulz towards the nearest orthogonal matrix, batched over leading dimensions (Muon)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = g.shape[-2] <= g.shape[-1]
    x = g if wide else g.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x if wide else x.mT


class Muon:
    """Momentum with orthogonalised steps for the matrices inside the layers (Jordan 2024)."""

    def __init__(self, parameters, rank, ranks):
        self.parameters, self.rank, self.ranks = parameters, rank, ranks
        self.momentum = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self, rate):
        for i, (p, m) in enumerate(zip(self.parameters, self.momentum)):
            m.lerp_(p.grad, 1 - MOMENTUM)
            if i % self.ranks == self.rank:
                g = p.grad.lerp(m, MOMENTUM)
                p.add_(orthogonalise(g), alpha=-rate * max(1.0, p.shape[-2] / p.shape[-1]) ** 0.5)
        for owner in range(self.ranks):
            mine = self.parameters[owner :: self.ranks]
            flat = torch.cat([p.flatten() for p in mine])
            dist.broadcast(flat, owner)
            for p, v in zip(mine, flat.split([p.numel() for p in mine])):
                p.copy_(v.view_as(p))


def worker(rank: int, a):
    os.setsid()  # Linux shares a busy machine between sessions: a rank counts as one of its own
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", str(a.port))
    dist.init_process_group("gloo", rank=rank, world_size=a.ranks)
    torch.set_num_threads(1)
    path = lambda name: os.path.join(a.folder, name)  # noqa: E731
    tokenizer = Tokenizer.from_file(path("tokenizer.json"))
    config = Config(vocab=tokenizer.get_vocab_size())
    model = Canary(config)
    model.initialise(a.seed)
    matrices = [p for n, p in model.named_parameters() if p.dim() > 1 and n.startswith("layers") and "router" not in n]
    others = [p for p in model.parameters() if all(p is not m for m in matrices)]
    everything = matrices + others
    loads = [layer.ffn.load for layer in model.layers if isinstance(layer.ffn, Experts)]
    muon = Muon(matrices, rank, a.ranks)
    adam = torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0, foreach=True)
    average = {k: v.clone() for k, v in model.state_dict().items()}
    step = chunk = tokens = 0
    trained_seconds = 0.0
    if a.start_from:
        average = torch.load(a.start_from, weights_only=True)["average"]
        model.load_state_dict(average)
    if os.path.exists(path("checkpoint.pt")):
        s = torch.load(path("checkpoint.pt"), weights_only=True)
        model.load_state_dict(s["model"])
        average, step, tokens = s["average"], s["step"], s["tokens"]
        trained_seconds, chunk = s["seconds"], s["chunk"] + 1
        adam.load_state_dict(s["adam"])
        for m, saved in zip(muon.momentum, s["muon"]):
            m.copy_(saved)
        print(f"rank {rank} resumed at step {step}", flush=True)

    def save():
        state = dict(config=vars(config), model=model.state_dict(), average=average, adam=adam.state_dict(),
                     muon=muon.momentum, step=step, tokens=tokens, chunk=chunk, seconds=trained_seconds, seed=a.seed)
        torch.save(state, path("checkpoint.tmp"))
        os.replace(path("checkpoint.tmp"), path("checkpoint.pt"))

    def log(**fields):
        line = json.dumps(dict(step=step, tokens=tokens, seconds=round(trained_seconds), **fields))
        print(line, flush=True)
        with open(path("log.jsonl"), "a") as f:
            f.write(line + "\n")

    def log_scores():
        judge = Canary(config)
        judge.load_state_dict(average)
        sets = {"gsm8k-mini": generate.gsm8k_mini, "math-mini": generate.math_mini}
        for i, (name, problems) in enumerate(sets.items()):
            if i % a.ranks == rank:  # every fourth problem, by the averaged weights
                log(**{f"{name} quarter": score(judge, tokenizer, problems()[::4])[0]})

    def save_and_score(now):
        if rank == 0:
            save()
        if now >= save_and_score.next:
            log_scores()
            save_and_score.next = now + SCORE_EVERY

    save_and_score.next = step + SCORE_EVERY
    stream = batches(tokenizer, a.seed, rank, chunk)
    loss_sum = weight_sum = 0.0
    decay = []  # not looked at yet
    while True:
        began = time.time()
        factor = min(1.0, (step + 1) / WARM_UP_STEPS)
        if decay == [] or step % DECAY_CHECK_EVERY == 0:  # all ranks look at the same step
            decay = [json.load(open(path("decay.json"))) if os.path.exists(path("decay.json")) else None]
            dist.broadcast_object_list(decay, 0)
            decay = decay[0]
        if decay and step >= decay["from"]:
            factor = 1 - (step - decay["from"]) / decay["steps"]
            if factor <= 0.0:
                break
        chunk, ids, weights = next(stream)
        if step >= QUESTION_STEPS:
            weights = weights.floor()
        h = model.hidden_states(ids[:, :-1])
        wanted = weights[:, 1:] > 0
        w = weights[:, 1:][wanted]
        each = F.cross_entropy(F.linear(h[wanted], model.head), ids[:, 1:][wanted], reduction="none")
        (each * w).sum().backward()
        with torch.no_grad():
            solution = w == 1.0
            loss_sum += each[solution].sum().item()
            weight_sum += solution.sum().item()
            counts = torch.stack((w.sum(), torch.tensor(float(w.numel()))))
            flat = torch.cat([p.grad.flatten() for p in everything] + loads + [counts])
            dist.all_reduce(flat)
            tokens += int(flat[-1].item())
            n_grads = sum(p.numel() for p in everything)
            grads = flat[:n_grads] / flat[-2]
            for p, g in zip(everything, grads.split([p.numel() for p in everything])):
                p.grad.copy_(g.view_as(p))
            for load, v in zip(loads, flat[n_grads:-2].split([x.numel() for x in loads])):
                load.copy_(v)
        muon.step(MATRIX_RATE * factor)
        for g in adam.param_groups:
            g["lr"] = OTHER_RATE * factor
        adam.step()
        model.zero_grad()
        model.balance(BALANCE_RATE * factor)
        step += 1
        with torch.no_grad():
            keep = min(AVERAGE_DECAY, (step + 1) / (step + 10))
            for k, v in model.state_dict().items():
                average[k].lerp_(v, 1 - keep)
        trained_seconds += time.time() - began
        if step % 20 == 0 and rank == 0:
            log(loss=round(loss_sum / weight_sum, 4), rate=round(factor, 3))
            loss_sum = weight_sum = 0.0
        if step % SAVE_EVERY == 0:
            save_and_score(step)
    if rank == 0:
        save()
    log_scores()
    dist.barrier()
    dist.destroy_process_group()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("folder")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--ranks", type=int, default=2)
    a.add_argument("--port", type=int, default=29511)
    a.add_argument("--start-from", help="a checkpoint whose weights (not steps) to begin with")
    a = a.parse_args()
    mp.start_processes(worker, (a,), nprocs=a.ranks, start_method="fork")


if __name__ == "__main__":
    main()
