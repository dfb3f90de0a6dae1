"""What kind of question is this? Read before anything is searched, so that a person in danger is never answered with a list of papers.

`intents.yaml` holds example sentences for each intent and a few exact patterns for crisis and harm. A linear classifier on the
sentence vector learns from the examples (weights in `intent.json`, fitted by `evals/fit_intent.py`); the patterns decide on their own.
"""

# ruff: noqa: E501 - prose and patterns are read as a whole

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from bot.linear import Softmax, fit_softmax, read_models
from knowledge.embedding import Embedder, Vectors

EXAMPLES = Path(__file__).with_name("intents.yaml")
CONSTANTS = Path(__file__).with_name("intent.json")
PENALTY = 0.0005
# Cosines to the nearest known question and a probability, set on development rows: what is this near is a question about the knowledge;
# what is less near and this likely to come from a person in distress is met with support, whatever else it might be.
SURELY_KNOWLEDGE = 0.62
NOT_A_KNOWN_QUESTION = 0.55
DISTRESS = 0.35
NEARNESS = 2  # measurements that come before the vector


class Intent(StrEnum):
    """What a message wants from us."""

    KNOWLEDGE = "knowledge"
    ABOUT = "about"
    SMALL_TALK = "small_talk"
    OUT_OF_SCOPE = "out_of_scope"
    PROFESSIONAL_ADVICE = "professional_advice"
    HARMFUL = "harmful"
    DISCLOSURE = "disclosure"
    CRISIS = "crisis"


def intent_row(vector: Vectors, known: Vectors) -> NDArray[np.float64]:
    """What the classifier sees: the cosine to the nearest known question, the mean of the three nearest, and the vector itself."""
    near = np.sort(known @ vector)[-3:] if len(known) else np.zeros(1)
    return np.concatenate([[near[-1], near.mean()], vector]).astype(np.float64)


@dataclass(frozen=True)
class Reading:
    """An intent with the probability of each; `by_pattern` is true where an exact pattern decided."""

    intent: Intent
    probabilities: Mapping[Intent, float]
    by_pattern: bool = False

    def share(self, *intents: Intent) -> float:
        """The probability of any of some intents."""
        return sum(self.probabilities.get(intent, 0.0) for intent in intents)


def examples() -> tuple[dict[Intent, list[str]], dict[Intent, list[re.Pattern[str]]]]:
    """Example sentences and patterns of each intent."""
    data: dict[str, Any] = yaml.safe_load(EXAMPLES.read_text(encoding="utf-8"))
    patterns = {
        Intent(name): [re.compile(pattern, re.IGNORECASE) for pattern in rows]
        for name, rows in data.pop("patterns").items()
    }
    return {Intent(name): [str(row) for row in rows] for name, rows in data.items()}, patterns


class IntentReader:
    """Reads intents from a question and its sentence vector."""

    def __init__(self, model: Softmax, patterns: Mapping[Intent, Sequence[re.Pattern[str]]]) -> None:
        self._model = model
        self._patterns = patterns

    @classmethod
    def open(cls, embedder: Embedder, known: Vectors) -> "IntentReader":
        """The fitted weights where they belong to this embedding model, else weights fitted to the examples alone.

        `known` are the vectors of questions that the knowledge answers.
        """
        sentences, patterns = examples()
        fitted = read_models(CONSTANTS)
        if fitted["embedder"] == embedder.identity:
            return cls(Softmax.from_json(fitted["model"]), patterns)
        labels = [str(intent) for intent, rows in sentences.items() for _ in rows]
        vectors = embedder.embed([row for rows in sentences.values() for row in rows])
        rows = np.array([intent_row(vector, known) for vector in vectors])
        return cls(fit_softmax(rows, labels, [1.0] * len(labels), PENALTY, standardise=NEARNESS), patterns)

    def read(self, question: str, vector: Vectors, known: Vectors) -> Reading:
        """The intent of a question; `vector` is its unit sentence vector, `known` those of questions that the knowledge answers."""
        found = self._model.probabilities(intent_row(vector, known))
        probabilities = {Intent(name): value for name, value in found.items()}
        plain = question.replace("’", "'")
        for intent in (Intent.CRISIS, Intent.HARMFUL):
            if any(pattern.search(plain) for pattern in self._patterns.get(intent, ())):
                return Reading(intent, probabilities, by_pattern=True)
        best = max(probabilities, key=lambda intent: probabilities[intent])
        nearest = float((known @ vector).max()) if len(known) else 0.0
        # A question like one that a record answers is never refused by the classifier alone.
        if best is not Intent.KNOWLEDGE and nearest >= SURELY_KNOWLEDGE:
            return Reading(Intent.KNOWLEDGE, probabilities)
        if best is Intent.CRISIS and nearest >= NOT_A_KNOWN_QUESTION:
            return Reading(Intent.KNOWLEDGE, probabilities)
        distress = probabilities.get(Intent.CRISIS, 0.0) + probabilities.get(Intent.DISCLOSURE, 0.0)
        if best not in (Intent.CRISIS, Intent.DISCLOSURE) and distress >= DISTRESS and nearest < NOT_A_KNOWN_QUESTION:
            return Reading(
                Intent.CRISIS if probabilities[Intent.CRISIS] >= distress / 2 else Intent.DISCLOSURE, probabilities
            )
        return Reading(best, probabilities)
