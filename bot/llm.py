"""Any chat model as drafter, behind the same protocol as the extractive one. The only door to LangChain.

What a provider does wrong becomes a ModelError here, with one sentence for a person and without the provider's own words,
which may repeat a key or a question.
"""

import ipaddress
import logging
import queue
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from bot.citations import draft_lines
from bot.drafting import DraftLine
from bot.prompts import DRAFTING, drafting_material, instructions
from bot.reply import Evidence
from bot.settings import ChatSettings, first_set, provider_address
from knowledge.errors import ModelError, ModelReplyError, ModelTimeout, ModelUnfinished, SettingsError

logger = logging.getLogger(__name__)

MOST_CHARACTERS = 20_000  # of one answer, for a server that ignores the limit in tokens
BACK_OFF_SECONDS = 0.5  # before the first repetition; doubles with each, plus up to as much again at random
FAILURES_UNTIL_REST = 3
REST_SECONDS = 60.0
EXAMPLES = "openai:gpt-5-mini, anthropic:claude-sonnet-4-5 or ollama:llama3.2"


@dataclass(frozen=True)
class Provider:
    """Whom words go to, what to install, and the environment variables that may hold the key; none: no key is needed."""

    label: str
    install: str
    keys: tuple[str, ...] = ()


PROVIDERS = {
    "anthropic": Provider("Anthropic", "upstander[anthropic]", ("ANTHROPIC_API_KEY",)),
    "azure_openai": Provider("Microsoft Azure", "upstander[openai]", ("AZURE_OPENAI_API_KEY", "OPENAI_API_KEY")),
    "cohere": Provider("Cohere", "langchain-cohere", ("COHERE_API_KEY",)),
    "deepseek": Provider("DeepSeek", "langchain-deepseek", ("DEEPSEEK_API_KEY",)),
    "fireworks": Provider("Fireworks AI", "langchain-fireworks", ("FIREWORKS_API_KEY",)),
    "google_genai": Provider("Google", "langchain-google-genai", ("GOOGLE_API_KEY", "GEMINI_API_KEY")),
    "groq": Provider("Groq", "langchain-groq", ("GROQ_API_KEY",)),
    "mistralai": Provider("Mistral AI", "langchain-mistralai", ("MISTRAL_API_KEY",)),
    "ollama": Provider("Ollama", "upstander[ollama]"),
    "openai": Provider("OpenAI", "upstander[openai]", ("OPENAI_API_KEY",)),
    "openrouter": Provider("OpenRouter", "langchain-openrouter", ("OPENROUTER_API_KEY",)),
    "together": Provider("Together AI", "langchain-together", ("TOGETHER_API_KEY",)),
    "xai": Provider("xAI", "langchain-xai", ("XAI_API_KEY",)),
}
# Whose last piece is known to say that it is the last; others are believed when they stop.
SAYS_DONE = {"openai": "finish_reason", "azure_openai": "finish_reason", "ollama": "done_reason"}


class ChatModel(Protocol):
    """Answers in pieces of text."""

    @property
    def name(self) -> str:
        """The model as provider:name."""

    def stream(self, instructions: str, material: str) -> Iterator[str]:
        """The answer to two messages, piece by piece; may raise ModelError at any piece."""


class ChatModelDrafter:
    """Drafts with a chat model, which sees the passages under opaque keys and nothing else of the records."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.name = model.name

    def draft(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftLine]:
        """See Drafter; each line comes as soon as the model has written it."""
        boundary = secrets.token_hex(12)
        material = drafting_material(question, evidence, boundary)
        yield from draft_lines(self._model.stream(instructions(DRAFTING, boundary), material))


def provider_of(model: str) -> tuple[str, str]:
    """Provider and name in `provider:name`. Raises SettingsError with examples."""
    provider, colon, name = model.partition(":")
    if not colon or not name or provider not in PROVIDERS:
        raise SettingsError(
            f"There is no model {model!r}. Set UPSTANDER_MODEL to 'extractive', or to provider:name, for example "
            f"{EXAMPLES}; the providers are {', '.join(PROVIDERS)}."
        )
    return provider, name


def destination(model: str, url: str | None = None) -> str | None:
    """Whom a person's words go to with this model, None when they stay on the machine.

    `url` is the address of its server where one is set, else the provider's own variables are looked at.

    >>> destination("extractive"), destination("ollama:x", "http://127.0.0.1:11434"), destination("openai:x", "https://a.example/v1")
    (None, None, 'a.example')
    """
    if model == "extractive":
        return None
    provider, _ = provider_of(model)
    address = url or provider_address(provider)
    if address is None:
        return None if provider == "ollama" else PROVIDERS[provider].label
    host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
    return None if _is_this_machine(host) else host


def destinations(chat: ChatSettings) -> tuple[str, ...]:
    """Everybody whom words go to with these settings: the drafting model's and the checking model's."""
    models = [chat.model, *([chat.verifier.removeprefix("chat:")] if chat.verifier.startswith("chat:") else [])]
    places = [destination(model, _url_for(model, chat)) for model in models]
    return tuple(dict.fromkeys(place for place in places if place))


def _is_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _url_for(model: str, chat: ChatSettings) -> str | None:
    """UPSTANDER_MODEL_URL belongs to the provider of the drafting model, if there is one."""
    same = chat.model == "extractive" or chat.model.split(":")[0] == model.split(":")[0]
    return chat.model_url if same else None


def open_chat_model(model: str, chat: ChatSettings) -> "LangChainModel":
    """The chat model `provider:name`. Raises SettingsError naming what to write, install or set."""
    provider, name = provider_of(model)
    known = PROVIDERS[provider]
    url = _url_for(model, chat) or provider_address(provider)
    # Trap: the import takes a second or more, which the extractive drafter should not pay for.
    from langchain.chat_models import init_chat_model

    limits: dict[str, Any] = {"base_url": url} if url else {}
    if provider == "ollama":
        client = {"timeout": chat.model_timeout_seconds}
        limits |= {"num_predict": chat.model_max_tokens, "client_kwargs": client, "temperature": 0}
    else:
        # Repeating is done here, for all providers alike.
        limits |= {"timeout": chat.model_timeout_seconds, "max_retries": 0, "max_tokens": chat.model_max_tokens}
    if known.keys and first_set(known.keys) is None:
        if url is None:
            raise SettingsError(
                f"{known.label} needs a key: set the environment variable {known.keys[0]}, or unset UPSTANDER_MODEL."
            )
        limits["api_key"] = "none"  # a server of one's own may want none, but the packages insist
    try:
        opened = init_chat_model(name, model_provider=provider, **limits)
    except ImportError as error:
        raise SettingsError(
            f"The package for {known.label} is not installed. Run: pip install '{known.install}'"
        ) from error
    except Exception as error:  # the packages' exceptions share no base class
        raise SettingsError(
            f"The model {model!r} cannot be set up ({type(error).__name__}). Check its name and the variables that "
            f"{known.install} asks for, or unset UPSTANDER_MODEL."
        ) from error
    return LangChainModel(model, opened, chat.model_timeout_seconds, chat.model_retries)


class CircuitBreaker:
    """Leaves a model alone for a while after several failures in a row, so that people do not wait for nothing."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._failed_at = 0.0

    def seconds_of_rest(self) -> float:
        """How long the model is still to be left alone; 0 when it may be tried."""
        with self._lock:
            if self._failures < FAILURES_UNTIL_REST:
                return 0.0
            return max(0.0, self._failed_at + REST_SECONDS - self._now())

    def note(self, success: bool) -> None:
        """Count a failure, or forget all of them."""
        with self._lock:
            self._failures = 0 if success else self._failures + 1
            self._failed_at = self._now()


class LangChainModel:
    """A LangChain chat model with limits of time and length, repetition, and a circuit breaker."""

    def __init__(
        self,
        name: str,
        model: Any,
        timeout_seconds: float,
        retries: int,
        breaker: CircuitBreaker | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`model` is a BaseChatModel; `name` is provider:name."""
        self.name = name
        self._provider, self._model_name = name.split(":", 1)
        self._model = model
        self._timeout = timeout_seconds
        self._retries = retries
        self._breaker = breaker or CircuitBreaker()
        self._sleep = sleep

    def stream(self, instructions: str, material: str) -> Iterator[str]:
        """See ChatModel. A request is repeated only while nothing of its answer has been passed on."""
        if rest := self._breaker.seconds_of_rest():
            raise ModelError(f"The model {self.name} failed several times and is tried again in {rest:.0f} seconds.")
        messages = [("system", instructions), ("human", material)]
        deadline = time.monotonic() + 2 * self._timeout
        for attempt in range(self._retries + 1):
            begun = False
            try:
                for piece in self._pieces(messages, deadline):
                    begun = begun or bool(piece.strip())
                    yield piece
                if not begun:
                    raise ModelReplyError(f"The model {self.name} sent an empty answer.")
            except ModelError as error:
                repeatable = error.retryable or isinstance(error, ModelReplyError)
                if begun or not repeatable or attempt == self._retries or time.monotonic() >= deadline:
                    self._breaker.note(success=False)
                    logger.warning("the model failed: %s", error)
                    raise
                self._sleep(BACK_OFF_SECONDS * 2**attempt * (1 + random.random()))
            else:
                self._breaker.note(success=True)
                return

    def _pieces(self, messages: Sequence[tuple[str, str]], deadline: float) -> Iterator[str]:
        """The pieces of one request. Raises ModelError.

        Read in a thread of its own: a read that blocks, or a server that only sends signs of life, cannot be stopped from
        within, and not every provider's package keeps the time limit that it is given.
        """
        arrived: queue.SimpleQueue[str | Exception | bool] = queue.SimpleQueue()
        stopped = threading.Event()

        def read() -> None:
            finished = self._provider not in SAYS_DONE
            try:
                for chunk in self._model.stream(messages):
                    if stopped.is_set():
                        return
                    finished = finished or bool(chunk.response_metadata.get(SAYS_DONE[self._provider]))
                    arrived.put(str(chunk.text))
                arrived.put(finished)
            except Exception as error:  # the packages' exceptions share no base class; each becomes a ModelError below
                arrived.put(error)

        threading.Thread(target=read, name="chat-model", daemon=True).start()
        characters = 0
        begun = False
        try:
            while True:
                wait = min(self._timeout, deadline - time.monotonic())
                try:
                    item = arrived.get(timeout=max(wait, 0.0))
                except queue.Empty:
                    raise self._too_slow(begun) from None
                if isinstance(item, str):
                    begun = begun or bool(item.strip())
                    characters += len(item)
                    yield item
                    if characters > MOST_CHARACTERS:
                        return
                elif isinstance(item, Exception):
                    raise self._fault(item, begun) from item
                elif item or not begun:
                    return
                else:
                    raise ModelUnfinished(f"The model {self.name} stopped without finishing its answer.")
        finally:
            stopped.set()

    def _too_slow(self, begun: bool) -> ModelTimeout:
        what = "did not finish its answer" if begun else "did not answer"
        return ModelTimeout(
            f"The model {self.name} {what} in time (UPSTANDER_MODEL_TIMEOUT_SECONDS={self._timeout:g})."
        )

    def _fault(self, error: Exception, begun: bool) -> ModelError:
        """What went wrong, for a person; only the kind and status of the provider's error is used."""
        status = _status(error)
        keys = PROVIDERS[self._provider].keys
        if isinstance(error, TimeoutError) or "timeout" in type(error).__name__.lower():
            return self._too_slow(begun)
        if begun:
            return ModelError(f"The model {self.name} broke off in the middle of its answer.")
        if status in (401, 403):
            return ModelError(f"The server of {self.name} refused the key{f': check {keys[0]}' if keys else ''}.")
        if status == 404:
            advice = f"run: ollama pull {self._model_name}" if self._provider == "ollama" else "check UPSTANDER_MODEL"
            return ModelError(f"The server of {self.name} has no such model; {advice}.")
        if status is None and isinstance(error, ValueError):  # JSON that cannot be read, or that has another shape
            return ModelReplyError(f"The model {self.name} sent an answer that cannot be read.")
        if status == 429:
            fault = ModelError(f"The server of {self.name} has too many requests at the moment.")
        elif status is not None:
            fault = ModelError(f"The server of {self.name} could not answer (HTTP {status}).")
        else:
            fault = ModelError(f"The server of {self.name} cannot be reached, or it failed.")
        fault.retryable = status is None or status in (408, 409, 425, 429) or status >= 500
        return fault


def _status(error: Exception) -> int | None:
    """The HTTP status in a provider's error, where the packages keep it."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and status > 0:
            return status
    return None
