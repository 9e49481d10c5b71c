"""Checks an exported folder against Hugging Face transformers, and its tokenizer and template.

    python verify.py FOLDER CHECKPOINT.pt

The logits of this project's network (with the weights rounded as exported) and of transformers'
DeepseekV3ForCausalLM must agree within 1e-4 of the largest logit, in F32.
"""
import random
import sys

import torch
from transformers import AutoTokenizer, DeepseekV3ForCausalLM

import chat
import generate
from evaluate import load


def main(folder, checkpoint):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    reference = DeepseekV3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model = load(checkpoint)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not name.endswith("router"):
                p.copy_(p.bfloat16().float())
    r = random.Random(5)
    worst = 0.0
    for _ in range(12):
        p = generate.training_problem(r)
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": p.question}], tokenize=False, add_generation_prompt=True)
        assert prompt == chat.prompt_text(p.question), prompt
        ids = tokenizer(prompt + chat.solution_text(p), return_tensors="pt", add_special_tokens=False).input_ids
        assert tokenizer.decode(ids[0]) == prompt + chat.solution_text(p)
        with torch.no_grad():
            ours, theirs = model(ids), reference(ids).logits
        worst = max(worst, ((ours - theirs).abs().max() / theirs.abs().max()).item())
    print(f"largest difference of logits: {worst:.2e} of the largest logit")
    assert worst < 1e-4


if __name__ == "__main__":
    main(*sys.argv[1:])
