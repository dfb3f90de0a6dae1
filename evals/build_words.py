"""Build bot/words.json.gz (lemmas, synonyms, antonyms, families) and bot/wordvectors.npz from WordNet and an encoder.

Run once when the word list or the encoder changes; the results are data files of the bot. WordNet's own licence
(free use with its notice) travels in the file. The vectors are those of single words, so a check needs none.

    python evals/build_words.py WORDNET_FOLDER ENCODER_FOLDER KNOWLEDGE_JSONL [MORE_JSONL ...]
"""

import gzip
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from knowledge.embedding import TorchEncoder

FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
SENSES = 5
"""Senses kept per lemma and part of speech: rarer ones make 'synonyms' that no reader would accept."""
DIMENSIONS = 96
LICENCE = (
    "WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved. Permission to use, copy, modify and "
    "distribute this software and database and its documentation for any purpose and without fee or royalty is "
    "granted, provided that this notice appears on all copies. Provided 'as is', without warranty."
)


def index_rows(folder: Path, tag: str) -> Iterator[tuple[str, list[str]]]:
    """Each lemma of one part of speech with the offsets of its first senses."""
    for line in (folder / f"index.{FILES[tag]}").read_text().splitlines():
        if line.startswith(" "):
            continue
        parts = line.split()
        pointers = int(parts[3])
        yield parts[0], parts[6 + pointers :][:SENSES]


def data_rows(folder: Path, tag: str) -> Iterator[tuple[str, list[str], list[tuple[str, str, str, str]]]]:
    """Each synset: its offset, its words and its pointers (symbol, offset, part of speech, source/target)."""
    for line in (folder / f"data.{FILES[tag]}").read_text().splitlines():
        if line.startswith(" "):
            continue
        parts = line.split("|")[0].split()
        count = int(parts[3], 16)
        words = [re.sub(r"\(.*\)", "", parts[4 + 2 * i]) for i in range(count)]
        at = 4 + 2 * count
        pointers = [tuple(parts[at + 1 + 4 * i : at + 5 + 4 * i]) for i in range(int(parts[at]))]
        yield parts[0], words, pointers  # type: ignore[misc]


def main() -> None:
    """Write both data files beside the bot's modules."""
    wordnet, encoder, *texts = (Path(arg) for arg in sys.argv[1:])
    vocabulary = {w for w in (encoder / "vocab.txt").read_text().splitlines() if re.fullmatch(r"[a-z]{3,}", w)}
    for path in texts:
        vocabulary |= set(re.findall(r"[a-z]{3,}", path.read_text().lower()))
    exceptions: dict[str, list[str]] = defaultdict(list)
    for tag in FILES:
        for line in (wordnet / f"{FILES[tag]}.exc").read_text().splitlines():
            form, *bases = line.split()
            if "_" not in form and form in vocabulary:
                exceptions[form] += [b for b in bases if b not in exceptions[form]]
    detachments = ("s", "es", "ies", "ed", "d", "ing", "er", "est", "r", "st", "ves", "men")

    def common(lemma: str) -> bool:
        if lemma in vocabulary:
            return True
        stem = lemma[:-1] if lemma.endswith("e") else lemma
        return any(stem + end in vocabulary for end in detachments)

    bases_of_exceptions = {base for bases in exceptions.values() for base in bases}
    lemmas: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for tag in FILES:
        for lemma, offsets in index_rows(wordnet, tag):
            if re.fullmatch(r"[a-z]{2,}", lemma) and (common(lemma) or lemma in bases_of_exceptions):
                lemmas[lemma][tag] = offsets
    synsets: dict[str, list[str]] = {}
    hypernyms: dict[str, list[str]] = {}
    antonyms: set[tuple[str, str]] = set()
    families: set[tuple[str, str]] = set()
    words_of: dict[str, list[str]] = {}
    cased = [(tag, *row) for tag in FILES for row in data_rows(wordnet, tag)]
    small = {w for _, _, words, _ in cased for w in words if w == w.lower()}
    proper = sorted({w.lower() for _, _, words, _ in cased for w in words} - small)
    rows = [(tag, offset, [w.lower() for w in words], pointers) for tag, offset, words, pointers in cased]
    for tag, offset, words, _ in rows:
        words_of[tag + offset] = words
    for tag, offset, words, pointers in rows:
        key = tag + offset
        synsets[key] = words
        for symbol, target, other, where in pointers:
            other = "a" if other == "s" else other
            if symbol in {"@", "&"}:
                hypernyms.setdefault(key, []).append(other + target)
            if symbol in {"!", "+", "\\", "<"} and where != "0000":
                left = words[int(where[:2], 16) - 1]
                right = words_of[other + target][int(where[2:], 16) - 1]
                pair = (min(left, right), max(left, right))
                if left in lemmas and right in lemmas and left != right:
                    (antonyms if symbol == "!" else families).add(pair)
    used = {tag + o for senses in lemmas.values() for tag, offsets in senses.items() for o in offsets}
    number = {key: i for i, key in enumerate(sorted(used))}
    table = {
        "licence": LICENCE,
        "lemmas": {w: {t: [number[t + o] for o in os] for t, os in s.items()} for w, s in sorted(lemmas.items())},
        "hypernyms": {number[k]: [number[h] for h in hs if h in number] for k, hs in hypernyms.items() if k in number},
        "antonyms": sorted(antonyms),
        "families": sorted(families),
        "proper": [w for w in proper if w in lemmas],
        "exceptions": {f: [b for b in bs if b in lemmas] for f, bs in sorted(exceptions.items())},
    }
    out = Path(__file__).parent.parent / "bot"
    with gzip.GzipFile(out / "words.json.gz", "wb", mtime=0) as file:
        file.write(json.dumps(table, separators=(",", ":")).encode())
    names = sorted(w for w in lemmas if len(w) > 2)
    vectors = TorchEncoder(str(encoder)).embed(names)
    vectors -= vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(vectors[:: max(1, len(names) // 8000)], full_matrices=False)
    small = vectors @ axes[:DIMENSIONS].T
    small /= np.linalg.norm(small, axis=1, keepdims=True)
    np.savez_compressed(out / "wordvectors.npz", words=np.array(names), vectors=np.round(small * 127).astype(np.int8))
    print(len(lemmas), "lemmas", len(number), "synsets", len(antonyms), "antonyms", len(families), "families")


if __name__ == "__main__":
    main()
