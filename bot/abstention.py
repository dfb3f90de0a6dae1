"""Does the evidence carry an answer? Signals about question and evidence, and one calibrated decision on them.

Retrieval scores alone cannot tell a question that a record answers from one about the same work that no statement answers.
So the signals also ask what kind of thing is wanted (a number, a price, a name, a later outcome …), whether a statement that
speaks of the question's rare words holds such a thing, and whether what the question takes for granted is in the record.
Weights, scales and thresholds are in `restraint.json`, written by `evals/fit_abstention.py`; docs/decisions/0009 has the figures.
"""

# ruff: noqa: E501 - a pattern is read as a whole

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.alignment import Embed
from bot.evidence import features
from bot.grounding import default_constants, examine, tree_score
from bot.linear import Softmax, read_models
from bot.premise import contradictions, split
from bot.retriever import Retrieval
from knowledge.embedding import Embedder, Vectors
from knowledge.index import PassageIndex, searched_text
from knowledge.lexical import stems

RECORDS_READ = 3
CONSTANTS = Path(__file__).with_name("restraint.json")


class Finding(StrEnum):
    """What the evidence can do for a question."""

    CARRIED = "carried"
    LACKING = "lacking"
    FALSE_PREMISE = "false_premise"


# What is wanted -> (how a question asks for it, what a statement that has it looks like).
_number = r"\d|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half|third|quarter|most|all|none|both|dozen|few)\b"
WANTED: dict[str, tuple[re.Pattern[str], re.Pattern[str]]] = {
    name: (re.compile(asks, re.IGNORECASE), re.compile(has, re.IGNORECASE))
    for name, (asks, has) in {
        "number": (
            r"\b(how (many|much|often|big|large|high)|what (share|proportion|percent\w*|fraction|%)|number of|percent\w*|proportion|share of"
            r"|rates?\b|average|mean|median|by how much|figures?|n =)",
            _number,
        ),
        "money": (
            r"\b(costs?|price[ds]?|fees?|budgets?|dollars?|usd|paid|pays?|salary|stipends?|grant|funding|funds?|spen[dt]\w*|money|expens\w+)\b|[$£€]",
            r"[$£€]\s?\d|\b(free|no[- ]cost|cost|fee|paid|funded|fund|grant|pounds|dollars)\b",
        ),
        "statistic": (
            r"\b(p-?values?|effect sizes?|confidence interval|95 ?%|smd|auc|calibration|odds ratios?|alpha|inter-?rater|reliability|sensitivity"
            r"|specificity|correlation|regression|pooled|response rate|standard deviation|sample size|accuracy)\b",
            r"\bp ?[<=]|confidence|odds|alpha|reliab|correlat|response|responded|effect size",
        ),
        "time": (r"\b(when\b|what (year|date)|which (year|date)|deadline|since when|how (recent|soon)|on what date)", r"\b(19|20)\d\d\b"),
        "duration": (
            r"\b(how long|how many (minutes|hours|weeks|months|days|years|sessions)|duration|minutes|hours (per|a)|take(s)? to)\b",
            r"\b(minutes?|hours?|weeks?|months?|days?|years?|half-day|semester)\b",
        ),
        "names": (
            r"\b(who\b|names?\b|which (universit\w+|schools?|hospitals?|colleges?|students?|facult\w+|programs?|programmes?|countries|authors?|deans?|senators?))",
            r"(?-i:[a-z,] [A-Z][a-z]+)",
        ),
        "wording": (
            r"\b(verbatim|word for word|exact (wording|text|words)|quote[ds]?|template|sample (letter|contract|text|policy)|ready-?to-?\w+|full text|script"
            r"|chapter by chapter|one line each|paste|wording|transcript|pdf|syllabus|e-?mail|phone|minutes of|reading list|contact)\b",
            r"\b(template|sample|script|wording|text|download\w*|appendix|e-?mail)\b",
        ),
        "later": (
            r"\b(later|afterwards?|since then|in the end|ever\b|still|nowadays|today|now\b|current(ly)?|latest|a year on|one year|follow-?up|eventually|so far"
            r"|by 20[23]\d|in 202[4-9]|finally|go ahead|really|actually|long[- ]term|after (the|its|they|it)|next|bring .{1,30} back|last year|went on)\b",
            r"\b(later|after|since|follow|month|year|still|lasting|long|by (october|january|march|june)|20\d\d)",
        ),
        "patients": (
            r"\b(patient outcomes?|mortality|deaths?|readmissions?|complication\w*|morbidity|wait times|blood pressure|adherence|patients (get|got|were|moved)"
            r"|disparities (narrow|fall|in ed)|prescri\w+)\b",
            r"\b(patient outcomes?|mortality|deaths?|readmission|complication|prescri)",
        ),
    }.items()
}  # fmt: skip
FORMS = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "yes_no": r"^(is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b",
        "how_to": r"\bhow (do|can|should|could|would|to|might)\b|\bwhat (can|should|could) (i|we|students|one|residents|faculty)\b",
        "is_there": r"\b(is there|are there|do you (know|have)|any\b|examples?\b|has any\w*|have any|what (workshop|training|session|curricul\w+|course|toolkit|resource|module))",
        "asker": r"\b(i|i'm|my|we|our|us|me|i've|we've|im)\b",
        "compare": r"\b(versus|vs\.?|compared|difference|between|highest|lowest|worst|best|weakest|strongest|largest|most common)\b",
        "why": r"\bwhy\b|\bhow come\b",
        "ever": r"\b(ever|any dean|how many .* (were|have been|had been|went|are) )\b",
    }.items()
}  # fmt: skip


def signals(
    question: str, index: PassageIndex, found: Retrieval, embedder: Embedder, vector: Vectors
) -> dict[str, float]:
    """What is measured about a question and its evidence; shares and cosines in 0..1, counts, and sums of IDF in natural-log units.

    `vector` is the question's.
    """
    parts = split(question)
    asked, asserted = parts.asked, parts.asserted
    terms = list(dict.fromkeys(stems(question)))
    asked_terms = list(dict.fromkeys(stems(asked))) or terms
    idf = {term: index.record_words.idf(term) for term in terms}

    def mass(words: Iterable[str]) -> float:
        return sum(idf.get(word, 0.0) for word in words)

    numbers_of = [index.record_number[name] for name in found.record_ids[:RECORDS_READ]]
    records = [index.records[number] for number in numbers_of]
    texts = [searched_text(record) for record in records]
    words_of = [frozenset(stems(text)) for text in texts]
    best = max(range(len(records)), key=lambda place: (mass(t for t in terms if t in words_of[place]), -place))
    statements = [statement.text for statement in records[best].statements]
    statement_words = [frozenset(stems(text)) for text in statements]
    dense = sorted((item.hit.dense or 0.0 for item in found.evidence), reverse=True)
    rows = np.flatnonzero(index.owners == numbers_of[best])
    stored = {index.passages[row].text: index.vectors[row] for row in rows}

    def embed(texts: Sequence[str]) -> Vectors:
        return np.array([stored[text] if text in stored else embedder.embed([text])[0] for text in texts])

    question_rows = np.flatnonzero(index.question_owners == numbers_of[best])
    near = np.sort(index.question_vectors @ vector)[::-1]
    focus, claim = embedder.embed([asked, asserted or asked])
    own = index.vectors[rows]
    total, asked_total = mass(terms) or 1.0, mass(asked_terms) or 1.0
    share = [mass(t for t in terms if t in words) / total for words in statement_words]
    asked_share = [mass(t for t in asked_terms if t in words) / asked_total for words in statement_words]
    lacking = [term for term in terms if term not in words_of[best]]
    asked_lacking = [term for term in asked_terms if term not in words_of[best]]
    lead = max(range(len(statements)), key=lambda place: asked_share[place])
    versus = contradictions(asserted, texts[best] + " " + (records[best].duration or ""), statements)
    whole = contradictions(question, " ".join(texts) + " " + (records[best].duration or ""), statements)
    values = {
        "best_score": found.best_score,
        "passage_cosine": dense[0] if dense else 0.0,
        "passage_cosine_3": float(np.mean(dense[:3])) if dense else 0.0,
        "question_cosine": float(near[0]) if len(near) else 0.0,
        "question_cosine_3": float(near[:3].mean()) if len(near) else 0.0,
        "own_question_cosine": float((index.question_vectors[question_rows] @ vector).max())
        if len(question_rows)
        else 0.0,
        "focus_cosine": float((own @ focus).max()),
        "claim_cosine": float((own @ claim).max()) if asserted else 0.5,
        "focus_question_cosine": float((index.question_vectors[question_rows] @ focus).max())
        if len(question_rows)
        else 0.0,
        "record_share": mass(t for t in terms if t in words_of[best]) / total,
        "statement_share": max(share),
        "asked_share": max(asked_share),
        "lacking_words": float(len(lacking)),
        "lacking_idf": mass(lacking),
        "asked_lacking_idf": mass(asked_lacking),
        "rarest_lacking": max((idf[t] for t in lacking), default=0.0),
        "asked_rarest_lacking": max((idf.get(t, 0.0) for t in asked_lacking), default=0.0),
        "unheard_words": float(sum(term not in index.record_words for term in terms)),
        "words": float(len(terms)),
        "names": float(versus.unknown_names),
        "unknown_names": float(whole.unknown_names),
        "unknown_numbers": float(whole.unknown_numbers),
        "asserts": float(bool(asserted)),
        "asserts_and_not_asker": float(bool(asserted) and not versus.about_the_asker),
        "tagged": float(parts.tagged),
        "loaded": float(parts.loaded),
        "asserted_unknown_numbers": float(versus.unknown_numbers and not versus.about_the_asker),
        "asserted_known_numbers": float(min(versus.known_numbers, 2)),
        "opposites": float(min(versus.opposite_words, 2)),
        "negations_differ": float(versus.negations_differ and bool(asserted)),
        "sweeping": float(min(versus.unknown_sweeping, 2)),
    }
    asserted_terms = stems(asserted)
    heavy = mass(asserted_terms) or 1.0
    values["asserted_share"] = (
        max(mass(t for t in asserted_terms if t in w) / heavy for w in statement_words) if asserted else 0.5
    )
    values["asserted_lacking_idf"] = mass(t for t in set(asserted_terms) if t not in words_of[best])
    for name, text in (("whole", question), ("asserted", asserted)):
        values |= {f"{name}: {key}": value for key, value in _laid(text, statements, embed).items()}
    for name, (asks, has) in WANTED.items():
        wanted = bool(asks.search(question))
        holding = [place for place, text in enumerate(statements) if has.search(text)]
        values[f"wants_{name}"] = float(wanted)
        values[f"wants_{name}_lead_lacks"] = float(wanted and lead not in holding)
        values[f"wants_{name}_share"] = max((asked_share[place] for place in holding), default=0.0) if wanted else 0.0
    for name, pattern in FORMS.items():
        values[f"form_{name}"] = float(bool(pattern.search(question)))
    return values


def _laid(text: str, statements: Sequence[str], embed: Embed) -> dict[str, float]:
    """What the verifier would measure if a text were a claim about some statements; nothing is 0."""
    constants = default_constants()
    laid, found = examine(text, statements, constants.idf, embed) if text else (None, [])
    if laid is None:
        return dict.fromkeys((*constants.names, "support"), 0.0)
    values = features(laid, found, constants.idf)
    return {name: values[name] for name in constants.names} | {"support": tree_score(values, constants)}


@dataclass(frozen=True)
class Decision:
    """What the evidence can do for a question, with the probability of each finding."""

    finding: Finding
    probabilities: Mapping[str, float]


class Restraint:
    """Decides from signals whether to answer, to abstain, or to correct what a question takes for granted."""

    def __init__(self, model: Softmax, names: Sequence[str], with_layers: bool, answer_above: float) -> None:
        """`names` are the signals that the model was fitted on, `answer_above` the least probability of CARRIED that is answered."""
        self._model = model
        self._names = tuple(names)
        self._with_layers = with_layers
        self._answer_above = answer_above

    @classmethod
    def open(cls, embedder: Embedder) -> "Restraint":
        """The fitted weights: with the encoder's layers where they belong to this embedding model, else without them."""
        fitted = read_models(CONSTANTS)
        known = fitted["embedder"] == embedder.identity
        chosen = fitted["with_layers"] if known else fitted["without_layers"]
        return cls(Softmax.from_json(chosen["model"]), fitted["signals"], known, chosen["answer_above"])

    def decide(self, measured: Mapping[str, float], layers: Vectors) -> Decision:
        """The finding for one question; `layers` is what the layers of the encoder make of it."""
        row = measurements(measured, self._names, layers if self._with_layers else None)
        found = self._model.probabilities(row)
        if found[Finding.CARRIED] >= self._answer_above:
            return Decision(Finding.CARRIED, found)
        lacking = found[Finding.LACKING] >= found[Finding.FALSE_PREMISE]
        return Decision(Finding.LACKING if lacking else Finding.FALSE_PREMISE, found)


def measurements(measured: Mapping[str, float], names: Sequence[str], layers: Vectors | None) -> NDArray[np.float64]:
    """One row of the model's input: the signals, then the layers where they are used."""
    own = np.array([measured[name] for name in names], dtype=np.float64)
    return own if layers is None else np.concatenate([own, layers.astype(np.float64)])
