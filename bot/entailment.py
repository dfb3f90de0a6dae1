"""Other checks than the built-in one, by name: an entailment model on this machine, or a chat model that judges.

Both stand behind two exact rules, for which no model is needed: what stands in a passage word for word is supported, and a
figure that no passage has is not.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from bot.grounding import Check, Support, plain, verbatim
from bot.llm import ChatModel
from bot.prompts import CHECKING, checking_material, instructions, one_line
from knowledge.errors import ModelError, SettingsError

# The cut that the makers of HHEM and MiniCheck give for their models (docs/models.md); for another model it is a convention.
FULL_AT = 0.5
PARTIAL_AT = 0.25

_figure = re.compile(r"\d+(?:[.,]\d+)*")
# What models call the label of a supported claim; "not_entailment" and the like must not match.
_supporting = re.compile(
    r"(entail(s|ed|ment)?|support(s|ed)?|consistent|grounded|faithful|factual|yes|true)", re.IGNORECASE
)
_verdict = re.compile(r"^\W*verdict\W+(full|partial|none)\b", re.IGNORECASE | re.MULTILINE)
_reason = re.compile(r"^\W*reason\W+(.+)$", re.IGNORECASE | re.MULTILINE)


class Scorer(Protocol):
    """Whatever can say how far passages carry a claim."""

    def score(self, claim: str, passages: Sequence[str]) -> tuple[float, str]:
        """A figure in 0..1 and a short reason. May raise ModelError."""


class EntailmentVerifier:
    """A scorer behind the two exact rules. Without a score nothing is supported: the check fails closed."""

    def __init__(self, scorer: Scorer, full_at: float = FULL_AT, partial_at: float = PARTIAL_AT) -> None:
        self._scorer = scorer
        self._full_at = full_at
        self._partial_at = partial_at

    def check(self, claim: str, passages: Sequence[str]) -> Check:
        """See Verifier."""
        if not re.search(r"\w", claim) or not any(passage.strip() for passage in passages):
            return Check(Support.NONE, 0.0, "there is nothing to check, or nothing to check it against")
        if verbatim(plain(claim), passages):
            return Check(Support.FULL, 1.0, "the passage says this word for word")
        if foreign := _figures(claim) - _figures(" ".join(passages)):
            return Check(Support.NONE, 0.0, f"no cited passage has the figure {min(foreign)}")
        try:
            score, reason = self._scorer.score(claim, passages)
        except ModelError as error:
            return Check(Support.NONE, 0.0, f"the check could not run: {error}")
        if score >= self._full_at:
            return Check(Support.FULL, score, reason)
        return Check(Support.PARTIAL if score >= self._partial_at else Support.NONE, score, reason)


class CrossEncoderScorer:
    """A sequence-pair classifier that Sentence-Transformers can load: NLI models, HHEM 1.0, MiniCheck's RoBERTa and DeBERTa."""

    def __init__(self, name: str) -> None:
        """Load `name`, a folder or a model in the local cache; nothing is downloaded, no code of a model is run.

        Raises SettingsError when it is not there or does not say which of its labels means support.
        """
        # Trap: this import takes seconds and half a gigabyte, which the built-in check should not pay for.
        from sentence_transformers import CrossEncoder
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        try:
            self._model: Any = CrossEncoder(
                name,
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError) as error:
            raise SettingsError(
                f"The checking model {name!r} cannot be loaded from this machine. Put its folder (with config.json and "
                "model.safetensors) on disk and name it: UPSTANDER_VERIFIER=cross-encoder:FOLDER"
            ) from error
        self._supporting = supporting_label(self._model.config.id2label)
        self._name = name.rstrip("/").split("/")[-1]

    def score(self, claim: str, passages: Sequence[str]) -> tuple[float, str]:
        """See Scorer: the best of the passages together and each alone, since the model may cut joined ones short."""
        premises = list(dict.fromkeys([" ".join(passages), *passages]))
        pairs = [(premise, claim) for premise in premises]
        logits = np.asarray(
            self._model.predict(pairs, activation_fn=_as_it_is, show_progress_bar=False), dtype=np.float64
        ).reshape(len(pairs), -1)
        if self._supporting is None:
            chances = 1 / (1 + np.exp(-logits[:, 0]))
        else:
            raised = np.exp(logits - logits.max(axis=1, keepdims=True))
            chances = (raised / raised.sum(axis=1, keepdims=True))[:, self._supporting]
        best = float(chances.max())
        return best, f"{self._name} gives it {best:.2f}"


def _as_it_is(logits: Any) -> Any:
    return logits


def supporting_label(labels: dict[int, str]) -> int | None:
    """Which output stands for support; None for a model with a single output, which is a probability's logit.

    >>> supporting_label({0: "contradiction", 1: "entailment", 2: "neutral"}), supporting_label({0: "LABEL_0"})
    (1, None)
    """
    if len(labels) == 1:
        return None
    if named := [number for number, label in labels.items() if _supporting.fullmatch(label)]:
        return int(named[0])
    if len(labels) == 2 and all(label.upper().startswith("LABEL_") for label in labels.values()):
        return 1  # the convention of MiniCheck and of binary classifiers that name nothing
    raise SettingsError(
        f"The checking model's labels are {', '.join(labels.values())}, and none of them means support. Name one "
        "'entailment' in id2label of its config.json, or choose another model."
    )


class ChatScorer:
    """A chat model as judge; what it is asked to judge cannot answer for it, since only the last verdict line counts."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    def score(self, claim: str, passages: Sequence[str]) -> tuple[float, str]:
        """See Scorer: 1 for full, 0.4 for partial, 0 for none."""
        boundary = secrets.token_hex(12)
        answer = "".join(
            self._model.stream(instructions(CHECKING, boundary), checking_material(claim, passages, boundary))
        )
        answer = re.sub(r"<think(?:ing)?>.*?</think(?:ing)?>", "", answer, flags=re.DOTALL | re.IGNORECASE)
        verdicts = _verdict.findall(answer)
        if not verdicts:
            return 0.0, f"{self._model.name} gave no verdict"
        reasons = _reason.findall(answer)
        return (
            {"full": 1.0, "partial": 0.4, "none": 0.0}[verdicts[-1].lower()],
            one_line(reasons[-1])[:200] if reasons else f"{self._model.name} says so",
        )


def _figures(text: str) -> set[str]:
    """The figures in a text, without thousands separators.

    >>> sorted(_figures("1,200 of 2.5 in 2020."))
    ['1200', '2.5', '2020']
    """
    return {re.sub(r",(?=\d{3}\b)", "", figure) for figure in _figure.findall(text)}
