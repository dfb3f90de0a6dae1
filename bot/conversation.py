"""A follow-up and what was said before it, to a question that stands alone. No model is needed.

A question takes words over from the last exchange only if it then finds its evidence more surely than alone, or about as surely
where it leans on what was said ("and for residents?", "did they like it"). A change of topic finds more alone, and a full
question about a name that was not mentioned is one, so nothing is carried into it. What was carried is shown to the reader.
"""

# ruff: noqa: E501 - a pattern is read as a whole

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.reply import Turn
from knowledge.lexical import stems

MOST_CARRIED = 28  # words
READ_OF_A_REPLY = 300  # characters: the sentence that leads it
SURER_BY = (
    0.03  # retrieval score; set on the development conversations, where it separated all of them (docs/decisions/0009)
)

# The same scale: what a question that leans on the last exchange may lose by it, and what a new name must be outweighed by.
LEANING, NEW_NAME = 0.10, 0.20

_polite = re.compile(
    r"^(?:(?:thanks?(?: you)?(?: so much| a lot)?|thx|ty|ok(?:ay)?|great|cool|nice|good|fine|alright|all right|i see|interesting|got it|right|perfect|ta|cheers)\b[\s,.!;:–—-]*)+(?!\s*$)",
    re.IGNORECASE,
)
_turns_away = re.compile(
    r"^(?:(?:and |but |so |also |now |then )*)(?:forget (?:that|it|about (?:that|it))|(?:a )?(?:different|another|separate|new|unrelated|other)"
    r" (?:thing|question|topic|matter|subject|issue)|new topic|(?:on|in) (?:another|a different) (?:note|matter|topic)|switching(?: topics?)?"
    r"|chang(?:e|ing) (?:of |the )?(?:topic|subject)|(?:for )?something (?:else|different)|(?:also )?unrelated(?:ly)?|moving on|never ?mind(?: that)?"
    r"|that aside|leave that|now)\s*[,.:;!–—-]+\s*",
    re.IGNORECASE,
)
_leans = re.compile(
    r"\b(?:they|them|their|theirs|he|him|his|she|hers?|its?(?! (?:true|ok(?:ay)?|possible|legal|safe|worth|fair|normal|wrong|right|enough|better|a|an|the|that)\b)"
    r"|this|those|these|(?<!is )(?<!are )(?<!was )(?<!were )(?<!has )(?<!have )(?<!been )there(?! (?:is|are|was|were|any|a|an|some|evidence)\b)|(?:which|the other|any|what) ones?|the (?:rest|others?|same|former|latter|first|second|last) ?(?:one)?)\b",
    re.IGNORECASE,
)
_asks_about = re.compile(r"^(?:(?:and|or|but|so) )?(?:what|how) about\b", re.IGNORECASE)
FRAGMENT = 2  # telling words, at most
_not_said = re.compile(r"^\s*(?:\*\*.*\*\*|#+ .*|\*I understood.*|\d+\. .*|- \*Caution.*|\*[^*].*\*)\s*$", re.MULTILINE)
_markup = re.compile(r"\\?\[\d+\\?\]|\\(?=\W)|[*_`>#]|https?://\S+")


@dataclass(frozen=True)
class Understood:
    """A question that stands alone; `carried` are the words taken over from before, empty where none were."""

    question: str
    carried: str = ""

    @property
    def text(self) -> str:
        """The question as it is searched and shown."""
        return f"{self.question} (about: {self.carried})" if self.carried else self.question


def understand(question: str, history: Sequence[Turn], best_score: Callable[[str], float]) -> Understood:
    """The standalone question. `best_score` says how surely a text finds evidence, on the retriever's scale."""
    if not history:
        return Understood(question)
    plain = _polite.sub("", question) or question
    if turned := _turns_away.match(plain):
        return Understood(plain[turned.end() :] or question)
    carried = _words_before(plain, history)
    if not carried:
        return Understood(plain)
    together = Understood(plain, carried)
    gain = best_score(together.text) - best_score(plain)
    leans = bool(_leans.search(plain)) or len(set(stems(plain))) <= FRAGMENT
    if not leans and not _asks_about.match(plain) and gain < NEW_NAME and _names_something_new(plain, history):
        return Understood(plain)
    return together if gain >= (-LEANING if leans else SURER_BY) else Understood(plain)


def _names_something_new(question: str, history: Sequence[Turn]) -> bool:
    """Whether a name within the question was not mentioned in the conversation."""
    said = set(stems(" ".join(turn.content for turn in history)))
    names = re.findall(r"(?<=[\w,;:] )[A-Z][\w'’&-]+", question)
    return any(not set(stems(name)) <= said for name in names)


def _words_before(question: str, history: Sequence[Turn]) -> str:
    """The telling words of the last exchange that the question lacks, in their order."""
    said = [turn.content for turn in history if turn.role == "user"][-1:]
    replies = [lead(turn.content) for turn in history if turn.role == "assistant"][-1:]
    known = set(stems(question))
    words: list[str] = []
    for word in re.findall(r"[^\W_][\w'’&-]*", " ".join([*said, *replies])):
        stem = stems(word)
        if stem and not set(stem) <= known:
            known.update(stem)
            words.append(word)
    return " ".join(words[:MOST_CARRIED])


def lead(reply: str) -> str:
    """The first thing that a reply said, without headings, notices, markers and addresses."""
    return " ".join(_markup.sub("", _not_said.sub("", reply)).split())[:READ_OF_A_REPLY]
