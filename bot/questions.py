"""Is this text a question that can be read? Says in one sentence what to do when it is not."""

import re
import unicodedata

from knowledge.errors import QuestionError

# Invisible and direction-changing characters; tags U+E0000.. can smuggle whole instructions unseen.
_hidden = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)


def check_question(text: str, most_characters: int) -> str:
    """The question, cleaned of invisible characters and outer spaces. Raises QuestionError with a reason of the contract."""
    if len(text) > most_characters:
        raise QuestionError(
            f"That is {len(text):,} characters long and I read up to {most_characters:,}; please ask it more briefly.",
            "too_long",
        )
    if "\x00" in text or sum(unicodedata.category(c) in {"Cc", "Co", "Cn", "Cs"} for c in text) > 0.1 * len(text):
        raise QuestionError("I cannot read that as text; please type your question in words.", "empty")
    text = " ".join(_hidden.sub("", unicodedata.normalize("NFC", text.encode("utf-8", "ignore").decode())).split())
    if not re.search(r"\w", text):
        raise QuestionError(
            "Please type a question, for example: how can students change what a lecture says?", "empty"
        )
    return text
