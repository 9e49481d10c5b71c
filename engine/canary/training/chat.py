"""The words that frame a problem: special tokens, the chat template, and a training text's parts."""
from problem import Problem

SPECIAL_TOKENS = ["<|pad|>", "<|bos|>", "<|eos|>", "<|system|>", "<|user|>", "<|assistant|>", "<think>", "</think>"]
PAD, BOS, EOS, SYSTEM, USER, ASSISTANT, THINK, END_THINK = range(8)

# A system message is optional; earlier turns keep their answers and lose their reasoning.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ '<|system|>' + message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '<|user|>' + message['content'] }}"
    "{% elif message['role'] == 'assistant' %}"
    "{{ '<|assistant|>' + message['content'].split('</think>')[-1] + eos_token }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|><think>\\n' }}{% endif %}"
)

INSTRUCTIONS = {
    True: "\nPlease reason step by step, and put your final answer within \\boxed{}.",
    False: "\nSolve the problem step by step. End with #### and the number.",
}


def prompt_text(question: str) -> str:
    return f"<|bos|><|user|>{question}<|assistant|><think>\n"


def final_text(p: Problem) -> str:
    return f"The answer is $\\boxed{{{p.answer}}}$." if p.subject else f"#### {p.answer}"


def solution_text(p: Problem) -> str:
    """What the model writes after the prompt, without the closing EOS."""
    return "\n".join(p.steps) + "\n</think>\n" + final_text(p)
