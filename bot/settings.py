"""What a person can set about the chatbot itself."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from knowledge.settings import settings_from_env

# Where the providers' own packages look for another address than their provider's.
PROVIDER_ADDRESSES = {
    "openai": ("OPENAI_API_BASE", "OPENAI_BASE_URL"),
    "ollama": ("OLLAMA_HOST",),
    "anthropic": ("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL"),
}


class ChatSettings(BaseModel):
    """How questions are taken and answered. Each field is the variable `UPSTANDER_<FIELD>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        default="extractive",
        min_length=1,
        description="'extractive' (no model, the default) or a LangChain chat model as provider:name",
    )
    model_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+",
        description="address of the model's server, if not its provider's own",
    )
    model_timeout_seconds: float = Field(
        default=60.0, gt=0, le=3_600, description="longest silence of a model; an answer may take twice as long in all"
    )
    model_retries: int = Field(default=1, ge=0, le=5, description="how often a failed request to a model is repeated")
    model_max_tokens: int = Field(default=2_000, ge=50, le=100_000, description="longest answer of a model, in tokens")
    verifier: str = Field(
        default="built-in",
        min_length=1,
        description="what checks claims: 'built-in', cross-encoder:FOLDER, or chat:provider:name",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="address that the page listens on")
    port: int = Field(default=7860, ge=0, le=65535, description="port that the page listens on; 0 takes a free one")
    max_question_characters: int = Field(default=2_000, ge=20, le=100_000, description="longest question that is read")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **given: object) -> "ChatSettings":
        """Read the environment; values given by name that are not None win. Raises SettingsError."""
        return settings_from_env(cls, os.environ if environ is None else environ, given)


def provider_address(provider: str, environ: Mapping[str, str] | None = None) -> str | None:
    """The address in the provider's own variables, None where they are unset."""
    return first_set(PROVIDER_ADDRESSES.get(provider, ()), environ)


def first_set(names: Sequence[str], environ: Mapping[str, str] | None = None) -> str | None:
    """The value of the first of these environment variables that has one."""
    environ = os.environ if environ is None else environ
    return next((environ[name] for name in names if environ.get(name)), None)


def data_argument(value: str) -> Path:
    """A `--data` argument as a path, with `~` expanded."""
    return Path(value).expanduser()
