"""Texts that are hard on a tokenizer, as bytes; some are no UTF-8."""

_TEXTS = [
    "", " ", "  ", "   x", "\n", "\n\n \n", "\t\t x", "x \n", " \r\n\r\n y",
    "Natalia sold 48/2 = <<48/2=24>>24 clips; that's 1,234.50 dollars.\n#### 72",
    "$$\\frac{\\sqrt{3}}{2} \\le x^2 \\in (-\\infty, 3] \\cup \\{7\\}$$ \\boxed{\\frac{1}{2}}",
    "don't DON'T I'LL we'Ve y'all 'S 'ſ 'Re can't've", "''s '' 't'",
    "if (x) {\n    return y;\n\t}\r\n\r\n  ", "snake_case camelCase HTTPServer x1y2z3 v1.2.3-rc4",
    "1234567890 12 345 ٣٤٥ ½ Ⅻ ²³ १२३ 𝟙𝟚𝟛", "日本語のテキスト、漢字かな交じり文。", "中文字符测试，包含标点！", "ＡＢＣ１２３：～",
    "가나다 조선말 \ud7a3\ud7b0", "नमस्ते दुनिया", "สวัสดีชาวโลก", "مرحبا بالعالم", "שלום עולם", "Здравствуй, мир!", "Ελληνικά ϴ Ꭰ ǅ ʔ",
    "ça va? e\u0301 vs é, a\u0300\u0323 Å Å ﬁ ỗ", "👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 😀😃", "\u180e x \u200b\u00a0\u2003 y\u2028z\u0085w\u3000v", "\ufeffBOM \ufffd",
    "\x00\x01\x02\x1c\x1f\x7f\x80\x9f", "\U000e0001\U0010ffff\ue000", "<|im_end|> <think>x</think> <s> </s> <unk> <0x41>",
    "foo<s>bar", " <s> ", "<s><s>", "a <special>b", "<think>\nsum\n</think>\n\n", "  leading and trailing  ", "▁lower one eighth▁ block",
]
_RUNS = [("a", 10000), (" ", 10000), ("\n", 10000), (" \n", 5000), ("ab", 5000), ("7", 10000), ("日本語", 3000), ("😀", 2500), ("é", 5000),
         ("e\u0301", 5000), ("!", 10000), ("\t ", 5000), ("<s", 3000), ("▁", 3000)]
_BROKEN = [b"\xff\xfeabc", b"a\xc3", b"\xe2\x82", b"\xf0\x9f\x98 x", b"\xed\xa0\x80", b"\xc0\xaf", b"ok \xf4\x90\x80\x80 end", b"\xe2\x82\xac\xe2\x82", b"\x80\x80\x80"]


def nasty():
    """(text as bytes, times it is repeated)"""
    return [(t.encode(), 1) for t in _TEXTS] + [(t.encode(), n) for t, n in _RUNS] + [(b, 1) for b in _BROKEN]
