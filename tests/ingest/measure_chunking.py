"""How large should an excerpt be? Recall of development questions over documents made from curated records.

    python -m tests.ingest.measure_chunking QUESTIONS.jsonl DATA

Documents are written from the statements of 120 records, five to a document and each under its title; the statements of
all other records stand beside them as distractors. A passage is right when it comes from the section of a relevant record.
DATA is a data folder whose index holds the curated records; their vectors are used as they are. Results:
docs/decisions/0006-chunking.md.
"""

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.retriever import most_words_can_score
from ingest.chunking import Block, excerpts
from knowledge.embedding import Embedder, open_embedder
from knowledge.generation import GenerationStore
from knowledge.index import PassageIndex
from knowledge.lexical import LexicalIndex, stems
from knowledge.record import HEADINGS, Record
from knowledge.settings import IndexSettings

RECORDS = 120
A_DOCUMENT = 5
TARGETS = (150, 300, 500, 800, 1_200)
WORDS_WEIGHT = 0.6


def documents(records: Sequence[Record]) -> list[list[Block]]:
    """Blocks of each document: a paragraph a facet, under the title of its record."""
    made = []
    for at in range(0, len(records), A_DOCUMENT):
        blocks = []
        for item in records[at : at + A_DOCUMENT]:
            for facet in HEADINGS:
                if text := " ".join(s.text for s in item.statements if s.facet is facet):
                    blocks.append(Block(text, (item.source.title,)))
        made.append(blocks)
    return made


def interval(hits: Sequence[bool]) -> str:
    """A share with its 95 % interval (Wilson)."""
    n, p, z = len(hits), float(np.mean(hits)), 1.96
    middle, half = p + z * z / (2 * n), z * ((p * (1 - p) + z * z / (4 * n)) / n) ** 0.5
    return f"{p:.3f} [{(middle - half) / (1 + z * z / n):.3f}, {(middle + half) / (1 + z * z / n):.3f}]"


def measure(questions: Sequence[tuple[str, set[str]]], index: PassageIndex, embedder: Embedder) -> None:
    """Print a row for each size, with and without the heading in what is embedded."""
    rng = random.Random(3)
    wanted = sorted({name for _, names in questions for name in names})
    chosen = rng.sample([item for item in index.records if item.id in wanted], RECORDS)
    names = {item.source.title: item.id for item in chosen}
    ids = set(names.values())
    asked = [(text, relevant) for text, relevant in questions if relevant & ids]
    vectors = embedder.embed([text for text, _ in asked])
    others = [row for row, passage in enumerate(index.passages) if passage.record_id not in ids]
    for target in TARGETS:
        made = [excerpt for blocks in documents(chosen) for excerpt in excerpts(blocks, target)]
        owners = [names[excerpt.headings[0]] for excerpt in made] + [index.passages[row].record_id for row in others]
        for headed in (False, True):
            texts = [f"{e.headings[0]}: {e.text}" if headed else e.text for e in made]
            texts += [index.passages[row].text for row in others]
            rows = np.vstack([embedder.embed(texts[: len(made)]), index.vectors[others]])
            words = LexicalIndex.build(texts)
            first, top, read = [], [], []
            for (text, relevant), vector in zip(asked, vectors, strict=True):
                terms = stems(text)
                score = rows @ vector + WORDS_WEIGHT * words.scores(terms) / most_words_can_score(words, terms)
                best = np.argsort(-score, kind="stable")[:5]
                first.append(owners[best[0]] in relevant)
                top.append(any(owners[row] in relevant for row in best))
                read.append(sum(len(texts[row]) for row in best))
            sys.stdout.write(
                f"target={target} headed={headed} excerpts={len(made)} n={len(asked)} first={interval(first)} "
                f"in five={interval(top)} characters in five={np.mean(read):.0f}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    settings = IndexSettings(data=Path(sys.argv[2]))
    lines = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    embedder = open_embedder(settings.embedder, settings.models_folder)
    index = PassageIndex.open(GenerationStore(settings.index_folder), embedder.identity)
    measure([(line["question"], set(line["relevant"])) for line in lines], index, embedder)
