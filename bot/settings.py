"""What a person can set about the chatbot itself."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from knowledge.settings import settings_from_env


class ChatSettings(BaseModel):
    """How questions are taken and answered. Each field is the variable `UPSTANDER_<FIELD>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        default="extractive",
        min_length=1,
        description="'extractive' (no model, the default) or a LangChain chat model as provider:name",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="address that the page listens on")
    port: int = Field(default=7860, ge=0, le=65535, description="port that the page listens on; 0 takes a free one")
    max_question_characters: int = Field(default=2_000, ge=20, le=100_000, description="longest question that is read")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **given: object) -> "ChatSettings":
        """Read the environment; values given by name that are not None win. Raises SettingsError."""
        return settings_from_env(cls, os.environ if environ is None else environ, given)


def data_argument(value: str) -> Path:
    """A `--data` argument as a path, with `~` expanded."""
    return Path(value).expanduser()
