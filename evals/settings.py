"""What a person can set about the evaluation itself."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from knowledge.settings import settings_from_env

EVALS = Path(__file__).parent


class EvalSettings(BaseModel):
    """Where cases, baseline and public sets lie. Each field is the variable `UPSTANDER_<FIELD>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases: Path = Field(default=EVALS / "cases", description="folder of the evaluation cases, one JSONL file a family")
    baseline: Path = Field(default=EVALS / "baseline.json", description="the run that the gate compares with")
    gate: Path = Field(default=EVALS / "gate.yaml", description="the reviewed thresholds of the gate")
    public_evals: Path | None = Field(
        default=None, description="folder of the public evaluation sets; without it they are 'not measured'"
    )
    judge: str | None = Field(
        default=None, min_length=3, description="a chat model as provider:name that judges claims too, advisory only"
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **given: object) -> "EvalSettings":
        """Read the environment; values given by name that are not None win. Raises SettingsError."""
        return settings_from_env(cls, os.environ if environ is None else environ, given)
