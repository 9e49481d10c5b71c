"""Makes the golden token ids of tests/unit/engine/text/tokenizer_golden_test.cpp.

    python make_goldens.py

Trains tiny tokenizers with Hugging Face `tokenizers`, one for each kind of pipeline that the
supported families use, on text made here, and writes each with the ids that the library gives for
the corpus. Bytes that are no UTF-8 are replaced as Python does before the library sees them.
Written with tokenizers 0.23.3.
"""
import json
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from corpus import nasty

HERE = pathlib.Path(__file__).parent
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
DEEPSEEK_V3 = (
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
)


def training_text():
    """Sums in words, with some of the scripts of the corpus, so that merges of all kinds exist."""
    r = random.Random(5)
    words = "the a of number sum is twice plus minus equals boxed frac sqrt don't we'll it's Find value x y".split()
    others = ["日本語", "漢字", "Привет", "мир", "가나다", "नमस्ते", "😀", "é", "e\u0301", "、", "，", "\\frac{1}{2}", "$x^2$", "if (x) {\n    return y;\n}", "   ", "\n\n", "\t", "aaaa", "abab", "!!", "...", "\r\n"]
    lines = []
    for _ in range(3000):
        line = " ".join(r.choice(words) for _ in range(r.randrange(3, 9)))
        line += f" {r.randrange(10000)} + {r.randrange(100)} = {r.randrange(100000)}" + r.choice(others) + r.choice(others) + r.choice(words)
        lines.append(line)
    return lines


def byte_level(pre, *, normalizer=None, specials=("<s>", "</s>", "<|im_end|>"), added=(), ignore_merges=False, size=700):
    t = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(
        training_text(),
        trainers.BpeTrainer(vocab_size=size, special_tokens=list(specials), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    t.add_tokens(list(added))
    return t


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def bytes_only():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def sentence_piece(metaspace):
    """As Llama 2's converter builds it: pieces with scores, merges all cuts of each piece."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.pre_tokenizer = split("▁?[^▁]+|▁")  # SentencePiece trains inside words
    t.train_from_iterator(training_text(), trainers.BpeTrainer(vocab_size=800, special_tokens=specials, limit_alphabet=90, show_progress=False))
    vocab = json.loads(t.to_str())["model"]["vocab"]
    pieces = [p for p in vocab if p not in specials]
    # Trained pieces come in order of their merge; single characters are scored last, as there.
    pieces.sort(key=lambda p: (len(p) == 1, vocab[p]))
    vocab = {p: i for i, p in enumerate(specials + pieces)}
    merges = [
        (p[:cut], p[cut:])
        for p in pieces
        for cut in range(1, len(p))
        if p[:cut] in vocab and p[cut:] in vocab
    ]
    t = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if metaspace:
        t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    else:
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in ("<unk>", "<s>", "</s>")])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return t


def tokenizers():
    sequence = pre_tokenizers.Sequence
    yield "gpt2", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    yield "prefix_space", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), specials=("<s>",))
    llama3 = byte_level(sequence([split(LLAMA3), bytes_only()]), ignore_merges=True)
    llama3.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)])]
    )
    yield "llama3", llama3
    yield "qwen2", byte_level(
        sequence([split(QWEN2), bytes_only()]),
        normalizer=normalizers.NFC(),
        added=[AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False), AddedToken("é\u0323", normalized=True)],
    )
    yield "deepseek_v3", byte_level(
        sequence([split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK_V3), bytes_only()]),
        added=[AddedToken("<special>", lstrip=True, rstrip=True), AddedToken("word", single_word=True)],
    )
    yield "deepseek_coder", byte_level(
        sequence([split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"), pre_tokenizers.Digits(individual_digits=True), bytes_only()])
    )
    yield "smollm", byte_level(sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    yield "behaviors", byte_level(
        sequence(
            [
                pre_tokenizers.Split(Regex(r"[.,!]"), "merged_with_previous"),
                pre_tokenizers.Split("x", "merged_with_next"),
                pre_tokenizers.Split(Regex(r"\p{N}"), "contiguous"),
                pre_tokenizers.Split(Regex(r"[\p{L}\p{M}]+|[^\p{L}\p{M}]+"), "removed", invert=True),
                pre_tokenizers.Punctuation("isolated"),
                bytes_only(),
            ]
        )
    )
    yield "sentencepiece", sentence_piece(metaspace=False)
    yield "metaspace", sentence_piece(metaspace=True)
    yield "canary", Tokenizer.from_file(str(HERE.parents[2] / "engine" / "canary" / "model" / "tokenizer.json"))


def main():
    out = HERE / "goldens"
    out.mkdir(exist_ok=True)
    corpus = nasty()
    (out / "corpus.json").write_text(json.dumps([{"hex": t.hex(), "times": n} for t, n in corpus], indent=0) + "\n")
    texts = [(t * n).decode("utf-8", "replace") for t, n in corpus]
    for name, tokenizer in tokenizers():
        file = json.loads(tokenizer.to_str())
        tokenizer = Tokenizer.from_str(json.dumps(file))
        cases = []
        for text in texts:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            cases.append({"ids": compress(ids), "text": None if len(text) > 1000 else tokenizer.decode(ids, skip_special_tokens=False)})
        golden = {
            # The canary's file is in the repository already.
            "tokenizer": file if name != "canary" else None,
            "with_special": tokenizer.encode("one two", add_special_tokens=True).ids,
            "cases": cases,
        }
        (out / f"{name}.json").write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n")
        print(name, tokenizer.get_vocab_size(), sum(len(c["ids"]) for c in cases))


def compress(ids):
    """Parts of [times, ids...]: the ids repeated so many times."""
    parts, at = [], 0
    while at < len(ids):
        best = (1, 1)
        for period in range(1, 13):
            times = 1
            while ids[at + times * period : at + (times + 1) * period] == ids[at : at + period]:
                times += 1
            if times > 1 and times * period > best[0] * best[1]:
                best = (period, times)
        parts.append([best[1], *ids[at : at + best[0]]])
        at += best[0] * best[1]
    return parts


if __name__ == "__main__":
    main()
