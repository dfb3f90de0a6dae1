"""What comes before and beside an answer: whom are we talking to, may this be answered, and does the evidence carry it?

Ties together `intent`, `conversation` and `abstention`; the engine asks it twice, before the search (`understand`, `at_once`) and
after it (`judge`).
"""

# ruff: noqa: E501 - a pattern is read as a whole

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot.abstention import Decision, Finding, Restraint, signals
from bot.conversation import understand
from bot.intent import (
    HARDLY_AN_ORDER,
    MAYBE_ORDER,
    PLAINLY_HARMFUL,
    Intent,
    IntentReader,
    Reading,
    quotes_somebody,
    speaks_of_a_person,
    speaks_of_oneself,
)
from bot.messages import about_text, fixed_text
from bot.premise import names, split, tells_of_the_asker
from bot.questions import reads_as_english, without_asker, without_foreign_words, without_orders
from bot.render import escape
from bot.reply import Outcome, Reason, ShownClaim, Turn
from bot.retriever import Retrieval, Retriever
from knowledge.embedding import Embedder
from knowledge.index import PassageIndex
from knowledge.lexical import stems
from knowledge.record import Record

NO_EVIDENCE = "The knowledge I work from does not carry an answer to this, so I would rather not give one."
UNSUPPORTED_PREMISE = "The sources do not say that “{asserted}”. They say:"
UNSUPPORTED_PREMISE_SHORT = "The sources do not say what this question takes for granted. They say:"
ORDERS_UNREAD = "I follow no instructions on how I work"
ORDERS_LEFT_OUT = ", so I read only: {question}"
MOST_REPEATED = 160  # characters of a question that a message repeats
# Retrieval scores on the retriever's scale, set on development questions (evals/fit_intent.py).
# Of 46 development questions out of scope, 45 scored below the first; of 6 of 416 others misread as such, 2 scored above it.
IN_SCOPE_ALL_THE_SAME = 0.36
# Out of fold, of 29 questions out of scope that score above it 21 have at least this probability, and 1 of 3,000 others.
SURELY_OUTSIDE = 0.8
KNOWN_THOUGH_ADVICE = 0.50
INNOCENT_AFTER_ALL = 0.42
FAR_OFF = 0.34
FITS_A_FOREIGN_QUESTION = 0.50
FITS_A_DISCLOSURE = 0.50
# Probabilities.
SURE_INTENT, LIKELY_INTENT, SURE_SMALL_TALK = 0.5, 0.3, 0.7
LIKELY_HARM, SURE_HARM = 0.45, 0.7
QUIET_DISTRESS = 0.15  # who may be in distress is met with support where the alternative is a refusal
ENOUGH_FOR_A_FOLLOW_UP = 0.2
_OUTSIDE = (Intent.OUT_OF_SCOPE, Intent.PROFESSIONAL_ADVICE)

_risky = re.compile(
    r"\b(retaliat\w*|reprisals?|payback|legal(ly)?|laws?|lawsuits?|sued?|suing|rights|visas?|immigration|careers?|match(ed|ing)?|promotion|residency"
    r" (application|applicant)s?|applicants?|suspend\w*|suspension|dismiss\w*|fired|expel\w*|disciplin\w*|punish\w*|professionalism|protest\w*|die-in"
    r"|doxx?\w*|harass\w*|threat\w*|speak(ing)? (up|out)|report(ing)? (racism|discrimination|mistreatment|harassment))\b",
    re.IGNORECASE,
)

_of_the_field = re.compile(
    r"\b(rac(e|es|ial|ially|is[mt]s?)|anti-?rac\w+|ethnic\w*|bias\w*|discriminat\w+|diversity|equity|inclusion|dei|edi|slurs?|micro-?aggress\w+|(de)?coloni\w+"
    r"|indigenous|aboriginal|m[aā]ori|dalits?|caste|stereotyp\w*|prejudice\w*|supremac\w+|lynch\w*|eugenic\w*|slave(ry|s)?|tokeni\w+|curricul\w+|advoca\w+|activis\w+"
    r"|die-?ins?|white coats|mistreat\w*|blackface|minorit\w+|underrepresented|privilege|allies|allyship|stigmati[sz]\w+|xenophob\w+|islamophob\w+|antisemiti\w+|bystanders?|petitions?|sit-ins?|senators?|lawmakers?|legislators?|op-?eds?|open letter"
    r"|affinity groups?|professionalism|accredit\w+|lcme|whistle-?blow\w*|retaliat\w+|deans?|egfr|spirometry)\b",
    re.IGNORECASE,
)
_acronym = re.compile(r"\b(?=\w*[A-Z]\w*[A-Z])\w{3,}\b")
_wants_sources = re.compile(
    r"\b(workshops?|trainings?|guides?|guidance|polic(y|ies)|literature|articles?|evidence|toolkits?|checklists?|survey|published|written about|stud(y|ies)|research|sessions?"
    r"|modules?|curricul\w+|frameworks?|systems?|what is known|how (can|could|do|did|does|should|are|have|has) (faculty|educators|students|schools|trainees|residents|teachers|supervisors"
    r"|tutors?|people|others|we (teach|prepare|report))|affinity groups?|healing circles?)\b[^?]*\?",
    re.IGNORECASE,
)
_own_hurt = re.compile(
    r"\b(called|told|asked|made|gave|left|sent|touch\w*|spat|laughed|look\w*|shout\w*|mock\w*|picked|passed|stopped|for|at|to|about|on|with) me\b|\bmy (face|skin|accent|hair|name|grade|schedule)\b"
    r"|\bi('m| am| feel| felt| was| cried| can't| cannot| froze| hate| dread| don't know what to do)\b(?! (document|collect|writ|prepar|plan|teach|look|ask|work|giv)\w*)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Understanding:
    """A question as it was understood: what is shown, what is searched, who asks for what."""

    question: str
    standalone: str
    searched: str
    carried: bool
    english: bool
    reading: Reading
    notices: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether the message has a question in it, and does not only tell."""
        return "?" in self.question


@dataclass(frozen=True)
class Judgement:
    """What kind of reply is due, what is said, and whether claims are drafted for it, where set of one record alone."""

    outcome: Outcome
    reason: Reason | None = None
    message: str = ""
    with_claims: bool = False
    about: str = ""


class Care(Protocol):
    """Decides what kind of reply is due."""

    def understand(self, question: str, history: Sequence[Turn], index: PassageIndex) -> Understanding:
        """The question in its conversation."""

    def at_once(self, understood: Understanding, index: PassageIndex) -> Judgement | None:
        """A reply that needs no search, or None."""

    def judge(self, understood: Understanding, index: PassageIndex, found: Retrieval) -> Judgement:
        """What kind of reply the evidence allows."""


class FittedCare:
    """Care with the fitted classifiers."""

    def __init__(self, embedder: Embedder, retriever: Retriever, intents: IntentReader, restraint: Restraint) -> None:
        self._embedder = embedder
        self._retriever = retriever
        self._intents = intents
        self._restraint = restraint

    def understand(self, question: str, history: Sequence[Turn], index: PassageIndex) -> Understanding:
        """See Care."""
        reading = self._read(question, index)
        standalone, carried = without_orders(question), ""
        if reading.order >= MAYBE_ORDER and (not reading.by_pattern or reading.intent is Intent.OUT_OF_SCOPE):
            rest = self._intents.without_orders(standalone, lambda text: self._embedder.read([text]))
            if not rest and reading.intent is not Intent.CRISIS:
                reading = replace(reading, intent=Intent.OUT_OF_SCOPE, by_pattern=True)
            elif rest and rest != standalone:
                standalone, reading = rest, self._read(rest, index)
        notices: tuple[str, ...] = ()
        if standalone != question:  # what is left of an order is not repeated
            clean = reading.order < HARDLY_AN_ORDER
            notices = (ORDERS_UNREAD + (ORDERS_LEFT_OUT.format(question=escape(standalone)) if clean else "."),)
        alone = (
            reading.by_pattern
            or _is_small_talk(reading, question, SURE_SMALL_TALK)
            or _tells_of_self(reading, question)
        )
        if history and not alone:
            understood = understand(standalone, history, lambda text: self._retriever.retrieve(index, text).best_score)
            if understood.text != standalone:
                reading = self._read(understood.text, index)
            standalone, carried = understood.text, understood.carried
        notices += (f"I understood: {standalone}",) if carried else ()
        english = reads_as_english(question)
        searched = _to_search(standalone) if english else without_foreign_words(standalone)
        if english:  # foreign words are not misspelt
            corrected = self._retriever.corrected(index, searched)
            notices += _corrections(searched, corrected)
            searched = corrected
        return Understanding(
            question, standalone if history else question, searched, bool(carried), english, reading, notices
        )

    def at_once(self, understood: Understanding, index: PassageIndex) -> Judgement | None:
        """See Care."""
        reading = understood.reading
        # A cry of its own carries nothing (see `understand`), so in words that lean on others the classifier has no say.
        cries = reading.intent is Intent.CRISIS and (reading.by_pattern or not understood.carried)
        if cries and (reading.by_pattern or not understood.asks):
            return Judgement(Outcome.SUPPORT, Reason.CRISIS, fixed_text("crisis"))
        if reading.intent is Intent.HARMFUL and reading.by_pattern:
            return Judgement(Outcome.REFUSE, Reason.HARMFUL, fixed_text("harmful"))
        if reading.intent is Intent.OUT_OF_SCOPE and reading.by_pattern:
            return Judgement(Outcome.REFUSE, Reason.OUT_OF_SCOPE, fixed_text("out_of_scope"))
        if understood.carried or not understood.english:
            return None
        if reading.intent is Intent.ABOUT and reading.share(Intent.ABOUT) >= LIKELY_INTENT:
            return Judgement(Outcome.ANSWER, message=about_text(understood.question, index))
        if _is_small_talk(reading, understood.question):
            return Judgement(Outcome.ANSWER, message=fixed_text("small_talk"))
        return None

    def judge(self, understood: Understanding, index: PassageIndex, found: Retrieval) -> Judgement:
        """See Care."""
        intent = Intent.KNOWLEDGE if understood.carried else understood.reading.intent
        if intent is Intent.CRISIS:
            # Distress that only the classifier reads, with a question of its own: support first, then what the sources say.
            carried = found.answerable and self.decide(understood, index, found).finding is Finding.CARRIED
            return Judgement(Outcome.SUPPORT, Reason.CRISIS, fixed_text("crisis"), with_claims=carried)
        if intent is Intent.DISCLOSURE and _asks_for_sources(understood.question):
            intent = Intent.KNOWLEDGE
        harm = understood.reading.share(Intent.HARMFUL)
        if intent is Intent.HARMFUL and harm < SURE_INTENT and _tells_of_distress(understood):
            return Judgement(Outcome.SUPPORT, Reason.CRISIS, fixed_text("crisis"))
        if (
            intent is Intent.HARMFUL
            and harm >= LIKELY_HARM
            and (found.best_score < INNOCENT_AFTER_ALL or harm >= SURE_HARM)
            and (harm >= PLAINLY_HARMFUL or not _asks_for_sources(understood.question))
        ):
            return Judgement(Outcome.REFUSE, Reason.HARMFUL, fixed_text("harmful"))
        if intent is Intent.DISCLOSURE and understood.reading.share(Intent.DISCLOSURE, Intent.CRISIS) >= LIKELY_INTENT:
            fits = bool(found.evidence) and found.best_score >= FITS_A_DISCLOSURE
            # Who also asks is answered; the words of support stand first all the same.
            outcome = Outcome.ANSWER if fits and understood.asks else Outcome.SUPPORT
            return Judgement(outcome, message=fixed_text("disclosure"), with_claims=fits)
        if not understood.english:
            fits = bool(found.evidence) and found.best_score >= FITS_A_FOREIGN_QUESTION
            outcome = Outcome.ANSWER if fits else Outcome.ABSTAIN
            return Judgement(outcome, None if fits else Reason.LANGUAGE, fixed_text("language"), with_claims=fits)
        if intent is Intent.PROFESSIONAL_ADVICE and found.best_score < KNOWN_THOUGH_ADVICE:
            return Judgement(Outcome.REFUSE, Reason.PROFESSIONAL_ADVICE, fixed_text("professional_advice"))
        likely = max(understood.reading.share(intent), understood.reading.share(*_OUTSIDE)) >= SURE_INTENT
        likely = likely or found.best_score < FAR_OFF
        far = found.best_score < IN_SCOPE_ALL_THE_SAME and likely and not names_the_known(understood.searched, index)
        # However near a record's words lie: the weather in a town that has a medical school is not in the knowledge.
        if intent in _OUTSIDE and understood.reading.share(*_OUTSIDE) >= SURELY_OUTSIDE:
            far = True
        if intent is not Intent.KNOWLEDGE and far:
            distress = understood.reading.share(Intent.CRISIS, Intent.DISCLOSURE)
            if distress >= QUIET_DISTRESS and speaks_of_a_person(understood.question):
                return Judgement(Outcome.SUPPORT, Reason.CRISIS, fixed_text("crisis"))
            # Who speaks of racism or teaching is in the right place, even where the knowledge has nothing to say.
            if _of_the_field.search(understood.searched) or quotes_somebody(understood.question):
                return Judgement(Outcome.ABSTAIN, Reason.NO_EVIDENCE, NO_EVIDENCE)
            return Judgement(Outcome.REFUSE, Reason.OUT_OF_SCOPE, fixed_text("out_of_scope"))
        if not found.answerable:
            return Judgement(Outcome.ABSTAIN, Reason.NO_EVIDENCE, NO_EVIDENCE)
        decision = self.decide(understood, index, found)
        # The words carried over are no part of what a follow-up asks, so only a clear lack counts.
        if understood.carried and decision.probabilities[Finding.CARRIED] >= ENOUGH_FOR_A_FOLLOW_UP:
            return Judgement(Outcome.ANSWER, with_claims=True)
        if decision.finding is Finding.LACKING:
            return Judgement(Outcome.ABSTAIN, Reason.NO_EVIDENCE, NO_EVIDENCE)
        if decision.finding is Finding.FALSE_PREMISE and not tells_of_the_asker(understood.standalone):
            return Judgement(
                Outcome.ABSTAIN,
                Reason.UNSUPPORTED_PREMISE,
                premise_message(without_orders(understood.standalone)),
                with_claims=True,
                about=named_record(understood.standalone, index, found),
            )
        return Judgement(Outcome.ANSWER, with_claims=True)

    def decide(self, understood: Understanding, index: PassageIndex, found: Retrieval) -> Decision:
        """What the evidence can do for the question."""
        encoded = self._embedder.read([understood.searched])
        measured = signals(understood.searched, index, found, self._embedder, encoded.vectors[0])
        return self._restraint.decide(measured, encoded.layers[0])

    def _read(self, question: str, index: PassageIndex) -> Reading:
        """The intent; what a person says of themself does not change it, unless a pattern matches there."""
        texts = self._intents.read_as(_to_search(question))
        return self._intents.read(
            question, texts, [self._embedder.read([text]) for text in texts], index.question_vectors
        )


def _to_search(question: str) -> str:
    return without_asker(without_orders(question))


def _is_small_talk(reading: Reading, question: str, least: float = 0.0) -> bool:
    return (
        reading.intent is Intent.SMALL_TALK
        and len(question.split()) <= 12
        and reading.share(Intent.SMALL_TALK) >= least
    )


def _tells_of_self(reading: Reading, question: str) -> bool:
    """Whether a follow-up is a cry, a disclosure or a harmful wish of its own, to which nothing from before belongs."""
    if reading.intent is Intent.HARMFUL:
        return reading.share(Intent.HARMFUL) >= SURE_INTENT
    distressed = reading.share(Intent.CRISIS, Intent.DISCLOSURE) >= SURE_INTENT
    return distressed and reading.intent in (Intent.CRISIS, Intent.DISCLOSURE) and speaks_of_oneself(question)


def _tells_of_distress(understood: Understanding) -> bool:
    """Whether someone who asks nothing tells of themself, perhaps in distress."""
    distress = understood.reading.share(Intent.CRISIS, Intent.DISCLOSURE)
    return distress >= QUIET_DISTRESS and not understood.asks and speaks_of_oneself(understood.question)


def _asks_for_sources(question: str) -> bool:
    """Whether someone tells of racism in order to ask what is known or taught about it, and not of their own hurt."""
    return bool(_wants_sources.search(question)) and not _own_hurt.search(question.replace("’", "'"))


def _corrections(written: str, read: str) -> tuple[str, ...]:
    """A notice that names each word that was read as another one."""
    before, after = re.findall(r"[\w'’]+", written.lower()), re.findall(r"[\w'’]+", read.lower())
    changed = [f"“{one}” as “{other}”" for one, other in zip(before, after, strict=False) if one != other]
    return (f"I read {', '.join(dict.fromkeys(changed))}.",) if 0 < len(changed) <= 6 else ()


def named_record(question: str, index: PassageIndex, found: Retrieval) -> str:
    """The id of the record in evidence that has an author whom a question names; empty where it names none.

    Titles and organisations do not count: that a question names Harvard does not make it one on a work from there.
    """
    asked = set(stems(" ".join(names(question))))

    def rarity(record: Record) -> float:
        told = set(stems(" ".join(record.source.authors or ())))
        return sum(index.record_words.idf(word) for word in asked & told)

    best = max((item.record for item in found.evidence), key=rarity, default=None)
    return best.id if best and rarity(best) > 0 else ""


def names_the_known(question: str, index: PassageIndex) -> bool:
    """Whether a question has an acronym in it that the records know; the encoder often has never seen it."""
    return any(word in index.record_words for name in _acronym.findall(question) for word in stems(name))


def premise_message(question: str) -> str:
    """The sentence that names what the sources do not say."""
    asserted = split(question).asserted.strip(" .,;:")
    if not asserted or len(asserted) > MOST_REPEATED:
        return UNSUPPORTED_PREMISE_SHORT
    return UNSUPPORTED_PREMISE.format(asserted=escape(asserted))


def cautions(question: str, claims: Sequence[ShownClaim]) -> tuple[str, ...]:
    """The fixed notice for answers on retaliation, law and careers."""
    texts = [question, *(claim.text for claim in claims)]
    return (fixed_text("caution"),) if any(_risky.search(text) for text in texts) else ()
