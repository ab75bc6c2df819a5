#!/usr/bin/env python3
"""Makes tests/golden_tokenizers with the Python package `tokenizers`.

    make_tokenizer_golden.py --out FOLDER            numbers for the tokenizers in FOLDER
    make_tokenizer_golden.py --out FOLDER --train    the tokenizers as well, from text on this machine
    make_tokenizer_golden.py --out FOLDER --words    those of words and of characters alone
    make_tokenizer_golden.py --out FOLDER --strings 20000 --seed 7    another, larger set

The tokenizers are trained on licences, documentation and translated messages that a Debian system
holds. golden.json has the strings, for every tokenizer the numbers that the package gives them, what
it makes of random numbers, and how it cuts texts by patterns.
"""
import argparse
import gettext
import glob
import json
import os
import random
import unicodedata

import tokenizers
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

LLAMA3_WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
                r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K_WORDS = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
               r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
               r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
               r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+"
               r"|\s+(?!\S)|\s+")
FNV_SEED, FNV_PRIME, MASK = 0xcbf29ce484222325, 0x100000001b3, (1 << 64) - 1


# ---- training ------------------------------------------------------------------------------------

def corpus():
    """Lines of English, code and many scripts."""
    lines = []
    for path in sorted(glob.glob("/usr/share/common-licenses/*"))[:6] + sorted(
            glob.glob("/usr/share/vim/vim*/doc/*.txt"))[:30] + sorted(
            glob.glob("/usr/share/perl/*/*.pm"))[:20]:
        with open(path, encoding="utf-8", errors="ignore") as fh:
            lines += fh.read(60000).splitlines(keepends=True)
    for language in "ar bn cs da de el es fa fi fr he hi hu it ja ka ko nl pl pt_BR ru sv ta th tr " \
                    "uk vi zh_CN zh_TW".split():
        count = 0
        for path in sorted(glob.glob(f"/usr/share/locale/{language}/LC_MESSAGES/*.mo")):
            try:
                with open(path, "rb") as fh:
                    catalogue = gettext.GNUTranslations(fh)._catalog
            except (OSError, UnicodeDecodeError, IndexError, ValueError):
                continue
            for text in catalogue.values():
                if isinstance(text, str) and count < 12000:
                    lines.append(text + "\n")
                    count += len(text)
    return lines


def trainer(size, special):
    return trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False,
                               initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def save(tokenizer, path, merges_as_text):
    data = json.loads(tokenizer.to_str())
    if merges_as_text:
        data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]
    with open(path, "w", encoding="utf-8") as fh:
        json.dump(data, fh, ensure_ascii=False, separators=(",", ":"))


def train(folder):
    lines = corpus()
    print(f"training on {sum(map(len, lines))} characters")

    neox = Tokenizer(models.BPE())
    neox.normalizer = normalizers.NFC()
    neox.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True)
    neox.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=True)
    neox.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=True)
    neox.train_from_iterator(lines, trainer(4000, ["<|endoftext|>", "<|padding|>"]))
    neox.add_tokens([AddedToken(" " * n, normalized=True) for n in range(24, 1, -1)])
    save(neox, f"{folder}/neox.json", merges_as_text=True)

    gpt2 = Tokenizer(models.BPE())
    gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    gpt2.decoder = decoders.ByteLevel()
    gpt2.train_from_iterator(lines, trainer(3000, ["<s>", "</s>", "<pad>"]))
    gpt2.add_special_tokens([AddedToken("<mask>", lstrip=True),
                             AddedToken("[SEP]", rstrip=True, lstrip=True),
                             AddedToken("<|alone|>", single_word=True)])
    gpt2.add_tokens([AddedToken("xLSTM", single_word=True), AddedToken("xLSTM-large"),
                     AddedToken("café", normalized=False), AddedToken("né"),
                     AddedToken("\n\n\n", rstrip=True), AddedToken("日本語"), AddedToken("é")])
    gpt2.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>",
        special_tokens=[("<s>", gpt2.token_to_id("<s>")), ("</s>", gpt2.token_to_id("</s>"))])
    save(gpt2, f"{folder}/gpt2.json", merges_as_text=True)

    llama = Tokenizer(models.BPE(ignore_merges=True))
    llama.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3_WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    llama.decoder = decoders.ByteLevel()
    llama.train_from_iterator(lines, trainer(3500, []))
    llama.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>",
                              "<|end_header_id|>", "<|eot_id|>"])
    llama.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(
            single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B",
            special_tokens=[("<|begin_of_text|>", llama.token_to_id("<|begin_of_text|>"))])])
    save(llama, f"{folder}/llama3.json", merges_as_text=False)

    # Bytes that the vocabulary lacks, compatibility forms, digits alone, split at a text.
    odd = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    odd.normalizer = normalizers.Sequence([normalizers.NFKC()])
    odd.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.Split("--", "merged_with_previous"),
        pre_tokenizers.Split(Regex(O200K_WORDS), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    odd.decoder = decoders.Sequence([decoders.ByteLevel()])
    odd.train_from_iterator(
        [line for line in lines if line.isascii()],
        trainers.BpeTrainer(vocab_size=1200, special_tokens=["<unk>", "<end>"],
                            show_progress=False))
    odd.add_tokens([AddedToken("ﬁne", normalized=True), AddedToken("½", normalized=False)])
    save(odd, f"{folder}/odd.json", merges_as_text=False)


def train_words(folder):
    """Tokenizers without bytes, from words that stand in this file."""
    lines = corpus_words() + WRITTEN
    words = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    words.normalizer = normalizers.NFC()
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.train_from_iterator(lines, trainers.WordLevelTrainer(
        vocab_size=300, special_tokens=["[UNK]", "<s>", "</s>"], show_progress=False))
    words.add_tokens([AddedToken("xLSTM", single_word=True)])
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    save(words, f"{folder}/words.json", merges_as_text=None)

    pairs = Tokenizer(models.BPE(unk_token="<unk>"))
    pairs.pre_tokenizer = pre_tokenizers.Whitespace()
    pairs.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<unk>", "<end>"], show_progress=False))
    save(pairs, f"{folder}/pairs.json", merges_as_text=True)


# ---- strings -------------------------------------------------------------------------------------

WRITTEN = [
    "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n", "\r\n", "\t", " \t \n ", "a", " a", "a ", "  a  ",
    "Hello, world!", "hello world", "The quick brown fox jumps over the lazy dog.",
    "I'm you're he's we've they'll I'd don't DON'T I'M 'S ' s 'tis o'clock rock'n'roll",
    "a'ſ b", "ſ'ſ", "İstanbul'da", "ǅ ǆ Ǆ", "straße STRASSE", "K K Å Å", "'ſ'Re'VE'lL",
    "3.14159 1,000,000 0x1F 1e-9 ½ ² ⅷ ٣٤٥ १२३ 一二三 12345678901234567890", "2023-10-05T12:34:56Z",
    "e=mc^2; a<b>c&&d||e #$%^&*()_+-=[]{}|;':\",./<>?`~", "-- --- ---- a--b", "…—–‘’“”«»",
    "Zażółć gęślą jaźń", "Ελληνικά κείμενα", "Съешь ещё этих мягких булок", "שלום עולם עִבְרִית",
    "العربية مَرْحَبًا", "हिन्दी क्षत्रिय", "বাংলা", "தமிழ்", "ไทยภาษาไทย", "ქართული", "Հայերեն",
    "한국어 한글", "日本語のテキスト", "中文文本，标点。", "tiếng Việt nhiều dấu", "Íslenska þorn",
    "አማርኛ", "ខ្មែរ", "မြန်မာ", "བོད་ཡིག", "ᏣᎳᎩ", "𐌰𐌱𐌲", "𝛁𝑥 ∈ ℝ", "🜁🜂",
    "👩‍👩‍👧‍👦 👨🏽‍🚀 🏳️‍🌈 🇩🇪🇯🇵 ❤️ ☺ 😀😀😀", "e\u0301 é a\u0308\u0323 \u0323a \u1e69 s\u0323\u0307 s\u0307\u0323",
    "\u0301\u0301 \u200d \u200c \u200b \ufeff \u2060 \u00ad", "\u180e a\u180eb \u180e",
    "\u1100\u1161\u11a8 \uac00\u11a8 \u1100 \u1161", "\u212b \u2126 \u00c5 A\u030a", "\u0958 \u0915\u093c",
    "\u00a0a\u00a0 \u2003b \u3000c \u2028d \u2029e \u0085f \u001cg \u000bh \u000ci", "\x01\x02\x7f\x80\x9f",
    "\u0000 zero \u0000", "\ufffd \ufffe \uffff", "\U0010ffff \U000e0001 \ue000", "ﬁne ﬁ fine ½ cafe\u0301 café né",
    "    four\n        eight\n\ttab\n                         25 spaces\n" + " " * 100 + "x",
    "def f(x):\n    return x + 1\n\n\nclass A:\n\tpass\r\n", "<html><body class=\"x\">&nbsp;</body></html>",
    "https://example.org/path?query=a+b&c=%20#frag user@example.org", "C:\\Windows\\System32",
    "CamelCaseWord snake_case_word kebab-case-word SCREAMING_CASE XMLHttpRequest iPhone",
    "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<|endoftext|",
    "<s>", "</s>", "x</s>y", "  <mask>  ", "a <mask> b", "a\t\n<mask>\n<mask> <mask>", " [SEP] a [SEP]  [SEP]b",
    "<|alone|>", "a<|alone|>", " <|alone|> ", "<|alone|>b", "-<|alone|>-", "é<|alone|>", "_<|alone|>", "\u0301<|alone|>",
    "\u200d<|alone|>", "\u00b2<|alone|>", "xLSTM", "xLSTMs", "an xLSTM.", "xLSTM-large", "xLSTM-larger", "axLSTM-large",
    "\n\n\n", "\n\n\n\n\n\n  x", "a\n\n\n   \n\n\nb", "日本語", "これは日本語です",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|>", "<unk>", "<end>", "a<end>b",
    "<pad>", "<|padding|>", "x" * 300, "ab" * 400, " " * 500, "\n" * 200, "1" * 250, "!" * 300, "é" * 200, "日" * 200,
    "aA" * 150, " a" * 150, "a\u0301" * 150, "\u0301" * 100, "\u0301\u0323" * 60, "\u0323\u0301" * 60,
]

BLOCKS = [(0x20, 0x7f), (0xa0, 0x250), (0x250, 0x370), (0x370, 0x400), (0x400, 0x530), (0x531, 0x590),
          (0x590, 0x600), (0x600, 0x700), (0x900, 0x980), (0x980, 0xa00), (0xb80, 0xc00), (0xe00, 0xe80),
          (0xf00, 0x1000), (0x10a0, 0x1200), (0x1200, 0x1380), (0x1780, 0x1800), (0x1e00, 0x2000),
          (0x2000, 0x2070), (0x2070, 0x2200), (0x2200, 0x2300), (0x2460, 0x2600), (0x2600, 0x27c0),
          (0x3000, 0x3100), (0x3100, 0x3400), (0x4e00, 0x9fd0), (0xac00, 0xd7a4), (0xf900, 0xfb00),
          (0xfb00, 0xfe00), (0xfe00, 0x10000), (0x10300, 0x10350), (0x1d400, 0x1d800),
          (0x1f300, 0x1f650), (0x20000, 0x20100), (0x300, 0x370)]

PIECES = ["'s", "'t", "'LL", " ", "  ", "   ", "\n", "\r\n", "\t", ".", ",", "--", "...", "1", "23", "456",
          "7890", "the", " the", "ing", "tion", "The", "HTTP", "é", "e\u0301", "ß", "я", "ж\u0306", "日本", "語",
          "한", "\u1112\u1161\u11ab", "😀", "👩‍👧", "\u200d", "\ufe0f", "\u0301", "\u0323", "\u00a0", "\u3000", "²", "½",
          "ﬁ", "Ⅷ", "<|endoftext|>", "<mask>", "[SEP]", "<|alone|>", "xLSTM", "-large", "café", "né", "</s>",
          "<|eot_id|>", "<end>", "_", "()", "{}", "=>", "/*", "*/", "\\n", "\x00", "\x1b[31m", "\u0085"]


def known_for_long(character):
    """Characters whose properties are the same in every version of Unicode in use."""
    return unicodedata.ucd_3_2_0.category(character) == unicodedata.category(character) != "Cn"


def strings(count, seed):
    rng = random.Random(seed)
    out = list(WRITTEN)
    words = sorted({word for line in corpus_words() for word in line.split()})
    while len(out) < count:
        kind = rng.randrange(6)
        if kind == 0:  # one block
            low, high = rng.choice(BLOCKS)
            text = "".join(chr(rng.randrange(low, high)) for _ in range(rng.randrange(1, 30)))
        elif kind == 1:  # all blocks
            text = "".join(chr(rng.randrange(*rng.choice(BLOCKS))) for _ in range(rng.randrange(1, 25)))
        elif kind == 2:  # pieces
            text = "".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 20)))
        elif kind == 3:  # words with everything between them
            text = "".join(rng.choice(words) + rng.choice([" ", " ", " ", "  ", "\n", ", ", "-", "'s "])
                           for _ in range(rng.randrange(1, 12)))
        elif kind == 4:  # words, pieces and blocks
            text = "".join(rng.choice([rng.choice(words), rng.choice(PIECES),
                                       chr(rng.randrange(*rng.choice(BLOCKS)))])
                           for _ in range(rng.randrange(1, 16)))
        else:  # bytes that are mostly no UTF-8
            raw = bytes(rng.choice([rng.randrange(256), rng.randrange(0x80, 0xc0), rng.randrange(0xe0, 0xf5),
                                    rng.randrange(0x20, 0x7f)]) for _ in range(rng.randrange(1, 24)))
            if rng.random() < 0.5:
                whole = rng.choice(words + PIECES).encode()
                raw = whole[:rng.randrange(len(whole) + 1)] + raw + whole[rng.randrange(len(whole) + 1):]
            if all(map(known_for_long, raw.decode("utf-8", errors="ignore"))):
                out.append(raw)
            continue
        text = "".join(c for c in text if known_for_long(c) or c in "".join(PIECES))
        if text:
            out.append(text)
    return out


def corpus_words():
    return ["Permission is hereby granted, free of charge, to any person obtaining a copy of this "
            "software and associated documentation files (the \"Software\"), to deal in the Software "
            "without restriction, including without limitation the rights to use, copy, modify, merge, "
            "publish, distribute, sublicense, and/or sell copies of the Software",
            "int main(void) { for (int i = 0; i < 10; ++i) printf(\"%d\\n\", i); return 0; }",
            "Fehler beim Öffnen der Datei größer Übung", "impossible d'écrire le fichier où êtes-vous",
            "не удалось открыть файл ошибка", "無法 開啟 檔案 ファイルを開けません エラー",
            "파일을 열 수 없습니다 오류", "αδυναμία ανοίγματος του αρχείου", "không thể mở tập tin lỗi",
            "फ़ाइल खोलने में त्रुटि", "ไม่สามารถเปิดแฟ้ม", "لا يمكن فتح الملف", "לא ניתן לפתוח את הקובץ"]


def signature(ids):
    """FNV-1a over the numbers as four bytes each."""
    value = FNV_SEED
    for token in ids:
        for byte in token.to_bytes(4, "little"):
            value = ((value ^ byte) * FNV_PRIME) & MASK
    return f"{value:016x}"


LONG = [["a", 100000], ["ab", 50000], ["the", 20000], [" ", 100000], ["\n", 30000], ["日本語", 10000],
        ["é", 20000], ["e\u0301", 20000], ["\u0301\u0323", 5000], ["7", 50000], ["!?", 30000],
        ["word ", 20000], ["<|endoftext|>", 5000], [" \n", 20000], ["aA1!", 10000]]


def numbers_of(tokenizer, texts, seed):
    rng = random.Random(seed)
    ids, framed, decoded, shown = [], {}, {}, {}
    for i, text in enumerate(texts):
        valid = text.decode("utf-8", errors="replace") if isinstance(text, bytes) else text
        row = tokenizer.encode(valid, add_special_tokens=False).ids
        ids.append(row)
        whole = tokenizer.encode(valid).ids
        if whole != row and i % 20 == 0:
            framed[i] = whole
        text_back = tokenizer.decode(row, skip_special_tokens=False)
        if text_back != valid:
            decoded[i] = text_back
        without = tokenizer.decode(row, skip_special_tokens=True)
        if without != text_back:
            shown[i] = without
    size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    scattered = []
    for _ in range(200):
        row = [rng.randrange(min(size, rng.choice([300, size]))) for _ in range(rng.randrange(1, 12))]
        scattered.append([row, tokenizer.decode(row, skip_special_tokens=False),
                          tokenizer.decode(row, skip_special_tokens=True)])
    streams = []
    for i in range(0, len(texts), 20):
        stream, text = decoders.DecodeStream(skip_special_tokens=False), ""
        for token in ids[i]:
            text += stream.step(tokenizer, token) or ""
        streams.append([i, text])
    long = []
    for text, times in LONG:
        row = tokenizer.encode(text * times, add_special_tokens=False).ids
        long.append([text, times, len(row), signature(row)])
    return {"size": size, "ids": ids, "framed": framed, "decoded": decoded, "shown": shown,
            "scattered": scattered, "streams": streams, "long": long}


def splits(seed):
    rng = random.Random(seed)
    patterns = [r"\s", r"x*", r"a|", r"\w+", r"\W", r"[\w']+", r"\d+|\D", r"^a", r"b$", r"\Aa", r"b\z", r"a.b",
                r"[^\S\n]+", r"\p{Lu}\p{Ll}*", r"\P{L}+", r"\p{^N}", r"\p{Han}+", r"\p{Greek}", r"(?i:é)", r"(?<=a)b",
                r"(?<!a)b", r"a(?=b)", r"(?>a+)b", r"a{2,3}", r"a{2,}?", r"\x{61}|\u0062", r"[\x61-\x63]",
                r"\s+(?!\S)|\s+", r"[\p{L}\p{M}]+", r"[^\r\n\p{L}\p{N}]?+\p{L}++", r"\v|\f|\t|\a|\e",
                LLAMA3_WORDS, O200K_WORDS, r"[!\"#\-\[\]\\^]+", "(?i)ab|c", r"\p{Letter}+", r"[-+]?\d+"]
    alphabet = ["a", "b", "x", "A", "B", " ", "  ", "\n", "\r\n", "é", "É", "e\u0301", "1", "23", "٣", "日", "ι", "Ω", "_", "'s",
                "-", "+", "!", "[", "\\", "\u00a0", "\u180e", "\u200d", "\t", "c", "\x0b", "aab", "aaa"]
    behaviors = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
    out = []
    for pattern in patterns:
        for behavior in behaviors:
            for invert in (False, True):
                text = "".join(rng.choice(alphabet) for _ in range(rng.randrange(0, 14)))
                rule = pre_tokenizers.Split(Regex(pattern), behavior, invert=invert)
                pieces = [piece for piece, _ in rule.pre_tokenize_str(text)]
                out.append([pattern, behavior, invert, text, pieces])
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--words", action="store_true")
    parser.add_argument("--strings", type=int, default=2200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    if args.train:
        train(args.out)
    if args.train or args.words:
        train_words(args.out)
    texts = strings(args.strings, args.seed)
    golden = {"made_with": f"tokenizers {tokenizers.__version__}",
              "strings": [{"hex": t.hex()} if isinstance(t, bytes) else t for t in texts],
              "splits": splits(args.seed), "tokenizers": {}}
    for path in sorted(glob.glob(f"{args.out}/*.json")):
        name = os.path.basename(path)
        if name != "golden.json":
            golden["tokenizers"][name] = numbers_of(Tokenizer.from_file(path), texts, args.seed)
    with open(f"{args.out}/golden.json", "w", encoding="utf-8") as fh:
        json.dump(golden, fh, ensure_ascii=False, separators=(",", ":"))
    print({name: os.path.getsize(f"{args.out}/{name}") for name in sorted(os.listdir(args.out))})


if __name__ == "__main__":
    main()
