from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from knowledge.embedding import (
    Embedder,
    Encoded,
    OnnxEncoder,
    RememberingEmbedder,
    TorchEncoder,
    encoder_file,
    open_embedder,
    packaged_identity,
    packaged_model_folder,
)
from knowledge.errors import ModelError
from tests.fakes import LetterEmbedder

TEXTS = ["Race-based eGFR", "How do students petition a dean?", "x", "long " * 400, "naïve café — “quoted”"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(
    params=[
        "fake",
        "remembering",
        pytest.param("onnx", marks=pytest.mark.real),
        pytest.param("torch", marks=pytest.mark.real),
    ]
)
def embedder(request: pytest.FixtureRequest, models: Path) -> Embedder:
    if request.param == "fake":
        return LetterEmbedder()
    if request.param == "remembering":
        return RememberingEmbedder(LetterEmbedder())
    if request.param == "onnx":
        return open_embedder("packaged", models)
    return TorchEncoder(str(packaged_model_folder()), packaged_identity())


def test_every_embedder_gives_one_unit_row_a_text_whatever_the_order(embedder: Embedder) -> None:
    rows = embedder.embed(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape[0] == len(TEXTS)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    assert embedder.embed(TEXTS[::-1])[::-1] == pytest.approx(rows, abs=1e-5)
    assert embedder.embed([]).shape[0] == 0
    assert embedder.identity
    assert not embedder.knows("studnets")
    read = embedder.read(TEXTS)
    assert read.vectors == pytest.approx(rows, abs=1e-5)
    assert read.layers.shape[0] == len(TEXTS)
    assert read.layers.shape[1] > rows.shape[1]
    assert embedder.read(TEXTS[::-1]).layers[::-1] == pytest.approx(read.layers, abs=1e-4)
    assert embedder.read([]).layers.shape[0] == 0


def test_a_text_is_embedded_once_and_what_is_remembered_cannot_be_changed() -> None:
    asked: list[str] = []

    class Counting(LetterEmbedder):
        def read(self, texts: Sequence[str]) -> Encoded:
            asked.extend(texts)
            return super().read(texts)

    embedder = RememberingEmbedder(Counting(), most=1)
    first = embedder.embed(["abc"])
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 7
    assert (embedder.embed(["abc"]) == first).all()
    embedder.embed(["xyz"])
    embedder.embed(["abc"])
    assert asked == ["abc", "xyz", "abc"]
    assert len(embedder.read(["abc", "abc"]).layers) == 2
    assert asked == ["abc", "xyz", "abc"]


@pytest.mark.real
def test_the_export_gives_the_vectors_and_layers_of_the_original(models: Path) -> None:
    original = TorchEncoder(str(packaged_model_folder()), packaged_identity())
    exported = open_embedder("packaged", models)
    assert isinstance(exported, OnnxEncoder)
    assert exported.identity == original.identity
    read, read_by_original = exported.read(TEXTS), original.read(TEXTS)
    assert read.vectors == pytest.approx(read_by_original.vectors, abs=1e-5)
    assert read.layers == pytest.approx(read_by_original.layers, abs=1e-4)


@pytest.mark.real
def test_like_meanings_are_nearer_than_like_words(models: Path) -> None:
    question, answer, other = open_embedder("packaged", models).embed(
        [
            "How can trainees complain about a lecture?",
            "Students may report a teacher's slides.",
            "The lecture hall has a roof.",
        ]
    )
    assert question @ answer > question @ other


@pytest.mark.real
def test_a_damaged_export_says_what_to_do(tmp_path: Path) -> None:
    file = encoder_file(tmp_path)
    file.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="Delete it and run"):
        open_embedder("packaged", tmp_path)


@pytest.mark.real
def test_a_model_that_is_not_on_this_machine_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="UPSTANDER_EMBEDDER"):
        open_embedder(str(tmp_path / "nowhere"), tmp_path)


@pytest.mark.real
def test_another_model_in_a_folder_has_another_identity(tmp_path: Path) -> None:
    """A tiny model with weights of its own, saved and loaded as a person's own would be."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path / "tiny"
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "race", "dean"]))
    BertTokenizerFast(str(vocabulary)).save_pretrained(folder / "bert")
    BertModel(
        BertConfig(vocab_size=15, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    ).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"))
    SentenceTransformer(modules=[transformer, Pooling(8)], device="cpu").save(str(folder / "st"))
    tiny = open_embedder(str(folder / "st"), tmp_path)
    assert tiny.embed(["race", "dean"]).shape == (2, 8)
    assert tiny.read(["race", "dean"]).layers.shape == (2, 8)
    assert tiny.identity != packaged_identity()
