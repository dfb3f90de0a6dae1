"""What kind of question is this? Read before anything is searched, so that a person in danger is never answered with a list of papers.

`intents.yaml` holds example sentences for each intent, and patterns for crisis, harm and orders to the program. A linear classifier
on what every layer of the encoder makes of a text learns from the examples (weights in `intent.json`, fitted by `evals/fit_intent.py`);
the patterns decide on their own, unless the classifiers are plainly of another mind. A second classifier reads every sentence: one
line on dying is easily lost in a long practical question, and sentences and clauses that are orders to the program are taken out, so
that the rest of the message can be answered.
"""

# ruff: noqa: E501 - prose and patterns are read as a whole

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from bot.linear import Softmax, fit_softmax, read_models
from bot.questions import reads_as_english, without_orders
from knowledge.embedding import Embedder, Encoded, Vectors

EXAMPLES = Path(__file__).with_name("intents.yaml")
CONSTANTS = Path(__file__).with_name("intent.json")
PENALTY = 0.05
# Cosines to the nearest known question and a probability, set on development rows: what is this near is a question about the knowledge;
# what is less near and this likely to come from a person in distress is met with support, whatever else it might be.
SURELY_KNOWLEDGE = 0.62
NOT_A_KNOWN_QUESTION = 0.55
# Least probability of crisis or disclosure that is met with support: where someone plainly tells of themself, where a question
# speaks of a person, and in other words. Out of fold, 44 of 1,371 cries and disclosures are missed (docs/decisions/0016).
TELLING, DISTRESS, SURE_DISTRESS = 0.15, 0.30, 0.50
# Of one sentence among others.
SURE_CRY, SURE_ORDER = 0.5, 0.6
# Of 415 English messages in which a pattern of crisis is found, 33 have less of a cry in any part, and none of these is one (in sample).
HARDLY_A_CRY = 0.05
# A sentence with less of an order in it is not looked through for a clause that is one.
MAYBE_ORDER, HARDLY_AN_ORDER = 0.005, 0.1
CRY, ORDER, PLAIN = "cry", "order", "plain"
SURELY_TELLING = 0.45
SURELY_HARMFUL, PLAINLY_HARMFUL = 0.55, 0.8
# Out of fold, 2 of 206 harmful messages that a pattern finds are this innocent to the classifier, and 5 of 14 harmless ones.
PLAINLY_INNOCENT, HARDLY_HARMFUL = 0.85, 0.1


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


def intent_row(encoded: Encoded, known: Vectors) -> NDArray[np.float64]:
    """What the classifier sees of one text: the cosine to the nearest known question, the mean of the three nearest, and its layers."""
    near = np.sort(known @ encoded.vectors[0])[-3:] if len(known) else np.zeros(1)
    return np.concatenate([[near[-1], near.mean()], encoded.layers[0]]).astype(np.float64)


@dataclass(frozen=True)
class Reading:
    """An intent with the probability of each; `by_pattern` is true where an exact pattern decided; `order` is the probability
    that one of its sentences tells the program how to work.
    """

    intent: Intent
    probabilities: Mapping[Intent, float]
    by_pattern: bool = False
    order: float = 0.0

    def share(self, *intents: Intent) -> float:
        """The probability of any of some intents."""
        return sum(self.probabilities.get(intent, 0.0) for intent in intents)


def examples() -> tuple[dict[Intent, list[str]], "Patterns"]:
    """Example sentences of each intent, and the patterns."""
    data: dict[str, Any] = yaml.safe_load(EXAMPLES.read_text(encoding="utf-8"))
    parts = data.pop("parts")

    def compiled(rows: Iterable[str]) -> list[re.Pattern[str]]:
        for _ in range(2):  # a part may name another one
            rows = [re.sub(r"%(\w+)%", lambda match: parts[match[1]].strip(), row) for row in rows]
        return [re.compile(row, re.IGNORECASE) for row in rows]

    decisive = {Intent(name): compiled(rows) for name, rows in data.pop("patterns").items()}
    harmless, worries, unless = (compiled(data.pop(name)) for name in ("harmless", "worries", "unless"))
    patterns = Patterns(decisive, harmless, worries, unless)
    return {Intent(name): [str(row) for row in rows] for name, rows in data.items()}, patterns


_titles = "".join(rf"(?<!\b{title}\.)" for title in ("Dr", "Prof", "Mr", "Mrs", "Ms", "St", "vs"))


def sentences(text: str) -> list[str]:
    """The sentences of a message, as far as its punctuation tells them apart."""
    return [part for part in re.split(rf"{_titles}(?<=[.!?…])\s+|\s*[;\n]\s*", text) if re.search(r"\w", part)]


def line_of(sentence: str) -> str:
    """A sentence as the classifier of single sentences sees it: a full stop tells nothing of what is said, and yet weighs.

    >>> line_of("I am tired.")
    'I am tired'
    """
    return sentence.rstrip(" .!…") or sentence


_clause = re.compile(
    r"\s*[,;:()\[\]{}]+\s*|\s+[-–—/#*<>]+\s+|\s*(?:\.\.\.|…|-{3,}|//)\s*|\s+(?=(?:and|but|then|so)\b)", re.IGNORECASE
)
_leading = re.compile(r"^(?:and|but|then|so|also|please|oh|btw|p\.?s\.?)\s+", re.IGNORECASE)
_quoted = re.compile(r"(?<!\w)'[^']{2,}'(?!\w)|\"[^\"]{2,}\"|“[^”]{2,}”|‘[^’]{2,}’(?!\w)|«[^»]{2,}»")
_saying = re.compile(
    r"\b(said|says?|saying|called|calls|told|tells|wrote|written|writes|shout\w*|chant\w*|yell\w*|used|uses|words?|phrases?|terms?|asked|asks|refer\w*|mention\w*|joke[ds]?|mutter\w*|remark\w*|vignettes?|slides?|notes?|charts?|labell?ed|described|titled|such as|examples?)\b",
    re.IGNORECASE,
)
_asking = re.compile(
    r"\?|^\W*(who|what|when|where|why|which|how|is|are|was|were|do|does|did|can|could|should|would|will|any|has|have|write|draft|give|show|tell me|make|find|help me|list|explain|translate|summari[sz]e|solve|fix|convert|recommend|plan|rank|quiz|read|polish|rewrite|do my|improve|please)\b",
    re.IGNORECASE,
)
_person = re.compile(
    r"\b(i|i'?m|i'?ve|me|my|mine|myself|he|him|his|she|her|they|them|we|us|friends?|classmates?|colleagues?|someone|somebody|mates?|students?|residents?|interns?)\b",
    re.IGNORECASE,
)
_first_person = re.compile(r"\b(i|i'?m|i'?ve|me|my|mine|myself)\b", re.IGNORECASE)

_to_the_program = re.compile(
    r"\b(tell|give|show|help|teach|make|for|find|remind|quiz|let|do|write|draft|fix|solve|file|polish|rewrite|proofread|check|review) (me|my|us|our)\b",
    re.IGNORECASE,
)


def speaks_of_a_person(text: str) -> bool:
    """Whether a message tells or asks something of a person, and not only of what the program shall do "for me"."""
    return bool(_person.search(_to_the_program.sub(" ", text)))


def speaks_of_oneself(text: str) -> bool:
    """Whether a message has the one who writes it in it."""
    return bool(_first_person.search(text))


def quotes_somebody(text: str) -> bool:
    """Whether a message holds a quotation of what somebody said or wrote."""
    return bool(_quoted.search(text)) and bool(_saying.search(text))


@dataclass(frozen=True)
class Patterns:
    """Patterns that decide on their own, by intent; `harmless` figures of speech are no cry for help, `worries` about the
    consequences of advocacy are none for the classifier, and in a sentence that matches `unless` nobody asks for a harmful deed.
    """

    decisive: Mapping[Intent, Sequence[re.Pattern[str]]]
    harmless: Sequence[re.Pattern[str]] = ()
    worries: Sequence[re.Pattern[str]] = ()
    unless: Sequence[re.Pattern[str]] = ()

    def found(self, intent: Intent, question: str) -> bool:
        """Whether the words alone say that this is the intent of a question."""
        shapes = self.decisive.get(intent, ())
        text = _spelt(question)
        if intent is Intent.CRISIS:
            text = self.without_figures(text)
            return any(shape.search(text) for shape in shapes)
        if intent is not Intent.HARMFUL:
            return any(shape.search(text) for shape in shapes)
        return any(
            shape.search(sentence)
            for sentence in sentences(_quoted.sub("…", text))
            if not any(spared.search(sentence) for spared in self.unless)
            for shape in shapes
        )

    def without_figures(self, text: str) -> str:
        """A text without the figures of speech that only sound like a cry."""
        for figure in self.harmless:
            text = figure.sub(" … ", text)
        return text

    def worried(self, text: str) -> bool:
        """Whether a text tells of fear for the consequences of advocacy, or of weariness of the work."""
        return any(worry.search(text) for worry in self.worries)

    def reports(self, question: str) -> bool:
        """Whether a message quotes what somebody said, or asks about harmful deeds instead of asking for one."""
        return quotes_somebody(question) or any(
            spared.search(sentence) for sentence in sentences(question) for spared in self.unless
        )


# Words that must be read however they are typed; two letters that changed places are put back, and in the long ones a letter that is missing.
_ALARMING = "want die dead kill myself suicide suicidal anymore overdose alive hurting killing threatened assaulted threatening living".split()
_ORDINARY = frozenset("idea deal lead side".split())


def _misspellings(word: str) -> Iterator[str]:
    for at in range(len(word) - 1):
        yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if len(word) >= 6:
        yield from (word[:at] + word[at + 1 :] for at in range(1, len(word)))


_MEANT = {wrong: word for word in _ALARMING for wrong in _misspellings(word) if wrong not in {*_ALARMING, *_ORDINARY}}
_MEANT |= {
    "im": "i'm",
    "ive": "i've",
    "dont": "don't",
    "cant": "can't",
    "wont": "won't",
    "hes": "he's",
    "shes": "she's",
    "theyre": "they're",
}


def _spelt(text: str) -> str:
    """The text with straight apostrophes, drawn-out letters shortened, and common misspellings of alarming words put right."""
    plain = re.sub(r"([a-z])\1{2,}", r"\1", text.replace("’", "'"), flags=re.IGNORECASE)
    return re.sub(r"[^\W\d_]+", lambda match: _MEANT.get(match[0].lower(), match[0]), plain)


class IntentReader:
    """Reads intents from a question and its sentence vector."""

    def __init__(self, model: Softmax, patterns: Patterns, lines: Softmax, trusted: bool = True) -> None:
        """`model` reads whole messages, `lines` single sentences (classes CRY, ORDER and PLAIN); `trusted` models may contradict a
        pattern.
        """
        self._trusted = trusted
        self._model = model
        self._patterns = patterns
        self._lines = lines

    def read_as(self, text: str) -> list[str]:
        """What of a text goes to the classifiers: the whole, then its sentences."""
        plain = self._patterns.without_figures(text)
        return [plain, *map(line_of, sentences(plain))]

    @classmethod
    def open(cls, embedder: Embedder, known: Vectors) -> "IntentReader":
        """The fitted weights where they belong to this embedding model, else weights fitted to the examples alone.

        `known` are the vectors of questions that the knowledge answers.
        """
        known_sentences, patterns = examples()
        fitted = read_models(CONSTANTS)
        if fitted["embedder"] == embedder.identity:
            return cls(Softmax.from_json(fitted["model"]), patterns, Softmax.from_json(fitted["lines"]))
        labels = [str(intent) for intent, rows in known_sentences.items() for _ in rows]
        read = [embedder.read([row]) for rows in known_sentences.values() for row in rows]
        even = [1.0] * len(labels)
        lines = [CRY if label == Intent.CRISIS else PLAIN for label in labels]
        return cls(
            fit_softmax(np.array([intent_row(one, known) for one in read]), labels, even, PENALTY),
            patterns,
            fit_softmax(np.array([one.layers[0] for one in read], dtype=np.float64), lines, even, PENALTY),
            trusted=False,
        )

    def without_orders(self, question: str, read: Callable[[str], Encoded]) -> str:
        """The question without its sentences and clauses that tell the program how to work; empty where hardly a word is left.

        `read` is what the encoder makes of a text.
        """

        def order(text: str) -> float:
            words = line_of(_leading.sub("", self._patterns.without_figures(text)))
            return self._lines.probabilities(read(words).layers[0].astype(np.float64)).get(ORDER, 0.0)

        kept = []
        for sentence in sentences(question):
            share = order(sentence)
            if share < MAYBE_ORDER:
                kept.append(sentence)
                continue
            parts = [part for part in _clause.split(sentence) if re.search(r"\w", part)]
            if share < SURE_ORDER:
                honest = [part for part in parts if len(part.split()) < 2 or order(part) < SURE_ORDER]
            else:  # beside a plain order stands at most a question
                honest = [part for part in parts if _asking.search(part) and order(part) < HARDLY_AN_ORDER]
            kept.append(sentence if honest == parts else _leading.sub("", ", ".join(honest)))
        if kept == sentences(question):
            return question
        rest = " ".join(part for part in kept if part)
        return rest if "?" in rest or len(rest.split()) >= 4 else ""

    def read(self, question: str, texts: Sequence[str], encoded: Sequence[Encoded], known: Vectors) -> Reading:
        """The intent of a question. `encoded` is what the encoder makes of each of `texts`, which `read_as` gave; `known` are the vectors
        of questions that the knowledge answers. A cry for help in one sentence counts for the whole.
        """
        parts = list(zip(texts, encoded, strict=True))[1:]
        lines = [(text, self._lines.probabilities(one.layers[0].astype(np.float64))) for text, one in parts]
        orders = [line.get(ORDER, 0.0) for _, line in lines]
        cry = max((line[CRY] for text, line in lines if not self._patterns.worried(text)), default=0.0)
        reading = replace(self._classified(question, encoded, known), order=max(orders, default=0.0))
        rest = without_orders(question)
        loudest = max((line[CRY] for _, line in lines), default=1.0)
        if self._patterns.found(Intent.CRISIS, question) and not self._a_subject(question, texts[0], reading, loudest):
            return replace(reading, intent=Intent.CRISIS, by_pattern=True)
        # What stands alone is read as a whole.
        if len(lines) > 1 and cry >= SURE_CRY:
            heard = {**reading.probabilities, Intent.CRISIS: cry}
            return replace(reading, intent=Intent.CRISIS, probabilities=heard)
        # "I want the slide gone but fear that they retaliate": a pattern may see a deed where the whole plainly asks for none.
        harm = reading.share(Intent.HARMFUL)
        innocent = self._trusted and reading.share(Intent.KNOWLEDGE) >= PLAINLY_INNOCENT and harm < HARDLY_HARMFUL
        if self._patterns.found(Intent.HARMFUL, question) and not innocent:
            return replace(reading, intent=Intent.HARMFUL, by_pattern=True)
        only_orders = min(orders, default=0.0) >= SURE_ORDER
        if only_orders or self._patterns.found(Intent.OUT_OF_SCOPE, rest):
            return replace(reading, intent=Intent.OUT_OF_SCOPE, by_pattern=True)
        if reading.intent in (Intent.CRISIS, Intent.DISCLOSURE) and self._patterns.worried(question):
            return replace(reading, intent=Intent.KNOWLEDGE)
        # Who quotes somebody, or asks what was written about a deed, is refused only where the classifier has hardly a doubt.
        if reading.intent is Intent.HARMFUL and harm < PLAINLY_HARMFUL and self._patterns.reports(question):
            return replace(reading, intent=Intent.KNOWLEDGE)
        return reading

    def _a_subject(self, question: str, read: str, reading: Reading, loudest: float) -> bool:
        """Whether what alarms in a question is what it is about, as in one on a lecture on suicide; `read` is what of it was read,
        `loudest` the probability of a cry in the sentence that has most of one.
        """
        return (
            self._trusted
            and max(loudest, reading.share(Intent.CRISIS, Intent.DISCLOSURE)) < HARDLY_A_CRY
            and self._patterns.found(Intent.CRISIS, read)  # else what alarms was left out as something else
            and reads_as_english(question)  # what is not English the classifiers read too badly to have a say
        )

    def _classified(self, question: str, encoded: Sequence[Encoded], known: Vectors) -> Reading:
        """What the classifier makes of a text: `encoded` is the whole, then its sentences."""
        found = self._model.probabilities(intent_row(encoded[0], known))
        probabilities = {Intent(name): value for name, value in found.items()}
        best = max(probabilities, key=lambda intent: probabilities[intent])
        nearest = max(float((known @ one.vectors[0]).max()) if len(known) else 0.0 for one in encoded)
        distress = probabilities.get(Intent.CRISIS, 0.0) + probabilities.get(Intent.DISCLOSURE, 0.0)
        # A plain statement about oneself is no question, however near a known question it lies.
        tells = speaks_of_oneself(question) and not _asking.search(question)
        # A question like one that a record answers is refused by the classifier alone only where it is rather sure.
        sure = tells and distress >= SURELY_TELLING
        harmful = probabilities.get(Intent.HARMFUL, 0.0) >= SURELY_HARMFUL
        if best is not Intent.KNOWLEDGE and nearest >= SURELY_KNOWLEDGE and not sure and not harmful:
            return Reading(Intent.KNOWLEDGE, probabilities)
        least = TELLING if tells else DISTRESS if speaks_of_a_person(question) else SURE_DISTRESS
        advice = probabilities.get(Intent.PROFESSIONAL_ADVICE, 0.0)  # its refusal names the emergency services too
        if distress >= max(least, advice) and (nearest < NOT_A_KNOWN_QUESTION or sure):
            cry = probabilities[Intent.CRISIS] >= distress / 2
            return Reading(Intent.CRISIS if cry else Intent.DISCLOSURE, probabilities)
        if best is Intent.CRISIS:
            return Reading(Intent.KNOWLEDGE, probabilities)
        return Reading(best, probabilities)
