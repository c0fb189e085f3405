"""Text to unit vectors: the real model against sentence-transformers, and small random models of other kinds."""

from __future__ import annotations

import io
import itertools
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tokenizers import Tokenizer
from typer.testing import CliRunner

from quotefind.cli import app
from quotefind.encoders import Encoder, export, graph, open_encoder, prepare, resolve, sbert, tokens
from quotefind.encoders.download import download
from quotefind.encoders.export_graph import export_graph
from quotefind.encoders.onnx import OnnxEncoder
from quotefind.encoders.prepared import PreparedModel, file_checksum, find_prepared
from quotefind.encoders.resolve import BASE_REPOSITORY, BASE_REVISION, ModelSource, fingerprint_of
from quotefind.encoders.sbert import SentenceTransformersEncoder
from quotefind.encoders.tokens import PreparedTokenizer
from quotefind.errors import IndexUnusableError, ModelError, UsageError
from quotefind.pairs import similarities
from quotefind.progress import silent

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *("hope", "fear", "dust", "road", "sea", "love", "and", "of", "the", "query", "quote", ":"),
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
]
WORDS = ["hope", "fear", "dust", "road", "sea", "love", "and", "of", "the", "unseen", "Zoë", "家", "42", "—"]

# Pairs of ordinary sentences, which also benchmarks/recipes.py reads.
SENTENCES = Path(__file__).resolve().parents[1] / "benchmarks" / "sentence_pairs.tsv"
# The sentences of the model card.
CARD = [
    "Need some quotes about finding your purpose in a spiritual way.",
    "No to laugh, not to lament, not to detest, but to understand.",
    "Might we not say that every child at play behaves like a creative writer, in that he creates a world"
    " of his own, or, rather, rearranges the things of his world in a new way which pleases him?",
]


def texts_of_all_lengths(count: int, longest: int) -> list[str]:
    """Return `count` texts of 1 to `longest` words, most of them short, in no order."""
    chance = random.Random(1)
    lengths = [1 + round((longest - 1) * (n / (count - 1)) ** 3) for n in range(count)]
    chance.shuffle(lengths)
    return [" ".join(chance.choices(WORDS, k=length)) for length in lengths]


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference in any component."""
    assert a.shape == b.shape
    return float(np.abs(a - b).max())


def make_model(
    directory: Path, *, pooling: str = "mean", prompts: dict[str, str] | None = None, safe: bool = True, seed: int = 0
) -> Path:
    """Save a random BERT of 2 layers and 32 dimensions, with a WordPiece tokenizer, as sentence-transformers does."""
    with sbert.quiet():
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.models import Pooling, Transformer
        from transformers import BertConfig, BertModel, BertTokenizerFast

        words = directory.with_name(f"{directory.name}-words")
        words.mkdir(parents=True)
        (words / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
        torch.manual_seed(seed)
        BertModel(
            BertConfig(
                vocab_size=len(VOCABULARY),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=64,
                max_position_embeddings=64,
            )
        ).eval().save_pretrained(words)
        BertTokenizerFast(str(words / "vocab.txt")).save_pretrained(words)
        transformer = Transformer(str(words), max_seq_length=48)
        model = SentenceTransformer(
            modules=[transformer, Pooling(32, pooling_mode=pooling)], prompts=prompts, device="cpu"
        )
        model.save_pretrained(str(directory))
    if not safe:
        for path in directory.rglob("*.safetensors"):
            path.rename(path.with_name("pytorch_model.bin"))
    return directory


def reference(path: Path) -> SentenceTransformer:
    """Open a model with sentence-transformers itself."""
    with sbert.quiet():
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(path), device="cpu", local_files_only=True)


@pytest.fixture(scope="session")
def official() -> SentenceTransformer:
    """The default model: the base opened with sentence-transformers itself, the adapter merged by PEFT itself."""
    source = resolve.resolve(None)
    model = reference(source.path)
    with sbert.quiet():
        from peft import PeftModel

        model[0].model = PeftModel.from_pretrained(model[0].auto_model, str(source.adapter)).merge_and_unload()
    return model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random model with mean pooling."""
    return make_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_home(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """A home in which the small model is prepared; for reading only."""
    directory = tmp_path_factory.mktemp("tiny-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUOTEFIND_HOME", str(directory))
        open_encoder(str(tiny), device="cpu")
    return directory


@pytest.fixture
def home_with_tiny(home: Path, tiny_home: Path) -> Path:
    """This test's own home with a copy of the prepared small model, which it may damage."""
    shutil.copytree(tiny_home, home)
    return home


def prepared_of(model: Path | None) -> PreparedModel:
    """Return the prepared form of the model in a directory, or of the default model."""
    found = find_prepared(fingerprint_of(resolve.resolve(None if model is None else str(model))))
    assert found is not None
    return found


def test_vectors_equal_those_of_sentence_transformers(real_encoder: Encoder, official: SentenceTransformer) -> None:
    """Over 200 texts of 1 to 400 words, one by one, few or in bulk, no component differs by more than 1e-5."""
    texts = texts_of_all_lengths(200, 400)
    expected = official.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    bulk = real_encoder.encode_quotes(texts)
    assert bulk.dtype == np.float32
    assert largest_difference(bulk, expected) <= 1e-5
    few = np.concatenate([real_encoder.encode_quotes(texts[start : start + 5]) for start in range(0, 50, 5)])
    assert largest_difference(few, expected[:50]) <= 1e-5
    single = np.concatenate([real_encoder.encode_queries([text]) for text in texts[50:70]])
    assert largest_difference(single, expected[50:70]) <= 1e-5
    assert np.linalg.norm(bulk.astype(np.float64), axis=1) == pytest.approx(np.ones(200), abs=1e-6)


def test_the_base_model_equals_sentence_transformers(home: Path) -> None:
    """Without its adapter, too, the model that comes with the program has sentence-transformers' vectors."""
    encoder = open_encoder("all-MiniLM-L6-v2", device="cpu")
    assert home.is_dir()
    texts = texts_of_all_lengths(40, 400)
    expected = reference(resolve.resolve("all-MiniLM-L6-v2").path).encode(texts, normalize_embeddings=True)
    assert largest_difference(encoder.encode_quotes(texts), expected) <= 1e-5


def test_the_shipped_graph_is_what_a_fresh_export_gives(
    real_encoder: Encoder, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph that comes with the program is small, and is what the documented command exports."""
    export_graph(tmp_path / "minilm")
    shipped, fresh = (
        {path.name: path.read_bytes() for path in directory.iterdir()}
        for directory in (graph.DIRECTORY, tmp_path / "minilm")
    )
    assert shipped.keys() == fresh.keys() == {"graph.onnx", "about.json", "vectors.npz"}
    assert sum(map(len, shipped.values())) < 200_000
    assert shipped["about.json"] == fresh["about.json"]
    for model in ("all-MiniLM-L6-v2", "quotefind-MiniLM-L6-v1"):
        vectors = [np.load(io.BytesIO(files["vectors.npz"]))[model] for files in (shipped, fresh)]
        assert largest_difference(*vectors) <= 1e-6
    monkeypatch.setattr(graph, "DIRECTORY", tmp_path / "minilm")
    assert home not in tmp_path.parents
    texts = texts_of_all_lengths(40, 400)
    found = open_encoder(device="cpu").encode_quotes(texts)
    assert largest_difference(found, real_encoder.encode_quotes(texts)) <= 1e-6


@pytest.mark.parametrize("problem", ["not there", "other vectors"])
def test_without_a_graph_that_fits_the_default_model_is_exported(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    """Where the shipped graph does not run, or gives other vectors, torch exports one; nothing else is left."""
    exported: list[str] = []

    def make(source: ModelSource, model: PreparedModel) -> PreparedModel:
        assert list(model.path.iterdir()) == []
        exported.append(source.name)
        return replace(model, backend="sentence-transformers", reason="a test")

    monkeypatch.setattr(export, "make_by_export", make)
    if problem == "not there":
        shutil.copytree(graph.DIRECTORY, tmp_path / "minilm")
        (tmp_path / "minilm" / "graph.onnx").write_bytes(b"no graph")
        monkeypatch.setattr(graph, "DIRECTORY", tmp_path / "minilm")
    else:
        monkeypatch.setattr(graph, "largest_difference", lambda *_: 2e-5)
    source = resolve.resolve(None)
    prepared = prepare.prepare(source, fingerprint_of(source), silent)
    assert exported == [source.name]
    assert prepared.backend == "sentence-transformers"
    assert home in prepared.path.parents


def test_the_model_card_example(real_encoder: Encoder, official: SentenceTransformer) -> None:
    """The 3 x 3 similarities of the model card's three sentences are those that sentence-transformers prints."""
    vectors = official.encode(CARD, show_progress_bar=False)
    expected = official.similarity(vectors, vectors).numpy()
    assert expected.shape == (3, 3)
    assert largest_difference(similarities(real_encoder, CARD), expected) <= 1e-5


def test_a_text_encodes_alike_in_any_company(real_encoder: Encoder) -> None:
    """A vector does not depend on the order of the texts, nor on which others are encoded with it."""
    texts = texts_of_all_lengths(40, 60)
    forward = real_encoder.encode_quotes(texts)
    assert largest_difference(forward, real_encoder.encode_quotes(texts[::-1])[::-1]) <= 2e-6
    assert largest_difference(forward[:3], real_encoder.encode_quotes(texts[:3])) <= 2e-6
    assert real_encoder.encode_quotes([]).shape == (0, 384)
    assert real_encoder.encode_queries([]).shape == (0, 384)


def test_the_default_model_is_what_it_says(real_encoder: Encoder) -> None:
    """The default model has 384 dimensions, mean pooling, 256 tokens, and the fingerprint of its files."""
    assert (real_encoder.name, real_encoder.dim, real_encoder.pooling) == ("quotefind-MiniLM-L6-v1", 384, "mean")
    assert real_encoder.max_tokens == 256
    assert real_encoder.fingerprint == fingerprint_of(resolve.resolve(None))
    assert len(real_encoder.fingerprint) == 64


def test_the_base_model_is_another_one(home: Path) -> None:
    """Base and default model have different fingerprints, and an index of one is not answered by the other."""
    base = fingerprint_of(resolve.resolve("all-MiniLM-L6-v2"))
    assert base == fingerprint_of(resolve.resolve("sentence-transformers/all-MiniLM-L6-v2"))
    with pytest.raises(IndexUnusableError, match="quotefind index --rebuild --model quotefind-MiniLM-L6-v1"):
        open_encoder(device="cpu", fingerprint=base)
    assert not home.exists()


def test_the_adapter_decides_the_fingerprint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With another adapter the default model is another; without one it is an error that says what to do."""
    before = fingerprint_of(resolve.resolve(None))
    other = Path(shutil.copytree(resolve.ADAPTER, tmp_path / "model"))
    monkeypatch.setattr(resolve, "ADAPTER", other)
    assert fingerprint_of(resolve.resolve(None)) == before
    (other / "README.md").write_text("another card")
    assert fingerprint_of(resolve.resolve(None)) == before
    config = other / "adapter_config.json"
    config.write_text(config.read_text().replace("}", " }"))
    assert fingerprint_of(resolve.resolve(None)) != before
    (other / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"is missing\. Install quotefind again"):
        open_encoder(device="cpu")


def test_the_adapter_that_comes_with_the_program_is_small(real_encoder: Encoder) -> None:
    """The shipped adapter has no more than 5 MB, and a card."""
    files = {path.name: path.stat().st_size for path in resolve.ADAPTER.iterdir()}
    assert files.keys() == {"README.md", "adapter_config.json", "adapter_model.safetensors"}
    assert sum(files.values()) <= 5_000_000
    assert resolve.card_of(None) == resolve.card_of(real_encoder.name)


def test_the_default_model_keeps_the_meaning_of_ordinary_sentences(real_encoder: Encoder) -> None:
    """As a general encoder it still holds duplicates above 0.9, paraphrases above what is unrelated, which is low."""
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    scores: dict[str, list[float]] = {}
    a, b = (real_encoder.encode_quotes([row[column] for row in rows]) for column in (1, 2))
    for (kind, *_), score in zip(rows, (a * b).sum(axis=1).tolist(), strict=True):
        scores.setdefault(kind, []).append(score)
    assert min(scores["duplicate"]) > 0.9
    assert np.mean(scores["unrelated"]) < 0.1
    assert np.mean(scores["paraphrase"]) > np.mean(scores["related"]) + 0.2 > np.mean(scores["unrelated"]) + 0.2


def test_a_checksum_finds_what_changed(tmp_path: Path) -> None:
    """One bit, a length, zeros at the end and blocks in another order each change the checksum of a file."""
    data = np.random.default_rng(1).bytes(3_000_001)
    block = 1 << 20
    variants = [
        data,
        data[:-1],
        data + b"\0",
        data[:5] + bytes([data[5] ^ 8]) + data[6:],
        data[:-1] + bytes([data[-1] ^ 1]),
        data[block : 2 * block] + data[:block] + data[2 * block :],
    ]
    checksums = set()
    for number, variant in enumerate(variants):
        path = tmp_path / str(number)
        path.write_bytes(variant)
        assert file_checksum(path) == file_checksum(path)
        checksums.add(file_checksum(path))
    assert len(checksums) == len(variants)


def test_tokens_are_counted_before_a_text_is_cut(real_encoder: Encoder) -> None:
    """A text of 400 words counts all its tokens, though what stands behind the 256th has no effect."""
    short, long = "hope and fear", "hope " * 400
    assert real_encoder.count_tokens([short, long]) == [5, 402]
    assert largest_difference(*(real_encoder.encode_quotes([long + end]) for end in ("fear", "dust"))) == 0


ODD_TEXTS = [
    *CARD,
    "quotes about family",
    "",
    " ",
    "Zoë's naïve café — 42 €, ½, 家族 и любовь, שלום",
    "antidisestablishmentarianism floccinaucinihilipilification " + "x" * 150,
    "[SEP] a[SEP]b unhappy[MASK]iness [UNK]x [pad]",
    "tab\there\nand\r\nlines\u200b\ufeff\x00\x07 \U0001f600\U0001d504",
]


@pytest.mark.parametrize("texts", [[text] for text in ODD_TEXTS] + [ODD_TEXTS[:3]], ids=range(len(ODD_TEXTS) + 1))
def test_a_few_texts_have_the_tokens_of_the_whole_vocabulary(
    real_home: Path, monkeypatch: pytest.MonkeyPatch, texts: list[str]
) -> None:
    """The tokenizer for a few texts gives the ids that the model's own tokenizer gives, without parsing that one."""
    whole = Tokenizer.from_file(str(resolve.resolve(None).path / "tokenizer.json"))
    whole.no_truncation()
    whole.no_padding()
    monkeypatch.setenv("QUOTEFIND_HOME", str(real_home))
    directory = prepared_of(None).path
    monkeypatch.setattr(tokens, "_FEW", 1000)
    monkeypatch.setattr(tokens, "Tokenizer", SimpleNamespace(from_str=Tokenizer.from_str))
    assert PreparedTokenizer(directory).ids(texts) == [whole.encode(text).ids for text in texts]


def test_many_texts_have_the_tokens_of_the_whole_vocabulary(real_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of all letters, in many random texts, are cut into the same tokens by both tokenizers."""
    chance = random.Random(2)
    letters = "abcdefghijklmnopqrstuvwxyzäß家'-.[]# "
    texts = ["".join(chance.choices(letters, k=chance.randint(1, 40))) for _ in range(300)]
    monkeypatch.setenv("QUOTEFIND_HOME", str(real_home))
    few, whole = (PreparedTokenizer(prepared_of(None).path) for _ in range(2))
    assert [few.ids([text])[0] for text in texts] == whole.ids(texts)


def test_progress_is_told_in_texts(real_encoder: Encoder) -> None:
    """While texts are encoded in bulk, the number of those done rises to their total."""
    told: list[tuple[int, int]] = []
    real_encoder.encode_quotes(["hope and fear " * 20] * 60, lambda _, done=0, total=0: told.append((done, total)))
    assert told == sorted(told)
    assert len(told) > 1
    assert told[-1] == (60, 60)


@pytest.mark.parametrize(
    ("pooling", "prompts"),
    [("cls", {"query": "query : ", "document": "quote : "}), ("max", None)],
)
def test_other_models_are_exported(tmp_path: Path, pooling: str, prompts: dict[str, str] | None) -> None:
    """Models of other pooling, and with prompts for requests and quotes, run on ONNX as in sentence-transformers."""
    path = make_model(tmp_path / "model", pooling=pooling, prompts=prompts)
    encoder = open_encoder(str(path), device="cpu")
    assert isinstance(encoder, OnnxEncoder)
    assert (encoder.name, encoder.dim, encoder.pooling, encoder.max_tokens) == (str(path), 32, pooling, 48)
    texts = texts_of_all_lengths(30, 80)
    model = reference(path)
    options = {"normalize_embeddings": True, "show_progress_bar": False}
    assert largest_difference(encoder.encode_quotes(texts), model.encode_document(texts, **options)) <= 1e-5
    assert largest_difference(encoder.encode_queries(texts), model.encode_query(texts, **options)) <= 1e-5
    if prompts:
        assert largest_difference(encoder.encode_quotes(texts), encoder.encode_queries(texts)) > 1e-3


def test_both_ways_to_encode_are_equal(tiny: Path, home_with_tiny: Path) -> None:
    """sentence-transformers and ONNX give the same vectors, the same token counts, and tell the same of themselves."""
    assert home_with_tiny.is_dir()
    fast = open_encoder(str(tiny), device="cpu")
    slow = SentenceTransformersEncoder(ModelSource(fast.name, tiny), fingerprint=fast.fingerprint, devices=["cpu"])
    texts = texts_of_all_lengths(30, 80)
    assert largest_difference(fast.encode_quotes(texts), slow.encode_quotes(texts)) <= 1e-5
    assert largest_difference(fast.encode_queries(texts), slow.encode_queries(texts)) <= 1e-5
    assert fast.count_tokens(texts) == slow.count_tokens(texts)
    assert max(fast.count_tokens(texts)) > fast.max_tokens
    assert (fast.dim, fast.pooling, fast.max_tokens) == (slow.dim, slow.pooling, slow.max_tokens)
    assert slow.encode_queries([]).shape == slow.encode_quotes([]).shape == (0, 32)


@pytest.mark.parametrize("problem", ["raises", "differs"])
def test_a_model_that_cannot_be_exported_is_still_used(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    """Where the export fails or its vectors differ, sentence-transformers encodes, and the reason is kept."""

    def fail(*_: object) -> None:
        raise RuntimeError("no such operator")

    if problem == "raises":
        monkeypatch.setattr(export, "_export", fail)
        reason = "no such operator"
    else:
        monkeypatch.setattr(export, "_export", lambda _, directory: (directory / "model.onnx").touch())
        monkeypatch.setattr(export, "largest_difference", lambda *_: 2e-5)
        reason = "differ from those of sentence-transformers by 2.0e-05"
    encoder = open_encoder(str(tiny), device="cpu")
    assert isinstance(encoder, SentenceTransformersEncoder)
    assert reason in encoder.reason
    assert largest_difference(encoder.encode_quotes(["hope"]), encoder.encode_queries(["hope"])) == 0
    prepared = prepared_of(tiny)
    assert prepared.backend == "sentence-transformers"
    assert reason in prepared.reason
    assert sorted(path.name for path in prepared.path.iterdir()) == ["prepared.json"]


def test_a_fallback_is_said_by_the_command(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sentence-transformers encodes because the export failed, a command says so on stderr, and why."""

    def fail(*_: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(export, "_export", fail)
    done = CliRunner().invoke(app, ["pair", "hope", "hope", "--model", str(tiny)], catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (0, "1.0000\n")
    assert done.stderr == (
        f"quotefind: the model {tiny} cannot be exported to ONNX, so each run loads torch (no such operator)\n"
    )


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_what_goes_wrong_around_a_model_is_not_kept_as_its_trait(
    tiny: Path, home: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A full disk or too little memory while exporting is an error; nothing is kept, and the next run exports it."""

    def fail(_: object, directory: Path) -> None:
        (directory / "model.onnx").touch()
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(export, "_export", fail)
        with pytest.raises(ModelError, match=f"{tiny} cannot be prepared"):
            open_encoder(str(tiny), device="cpu")
    assert [path.suffix for path in (home / "cache" / "models").iterdir()] in ([], [".lock"])
    assert isinstance(open_encoder(str(tiny), device="cpu"), OnnxEncoder)


def test_too_little_room_is_said_before_anything_is_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk has less room than the prepared model takes, the error says how much that is, and makes none."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**9, used=10**9 - 10**6, free=10**6))
    monkeypatch.setattr("quotefind.encoders.graph.make_from_graph", lambda *_: pytest.fail("it was made"))
    with pytest.raises(ModelError, match=r"100 MB are needed, 1 MB are free\. Make room, or set QUOTEFIND_HOME"):
        open_encoder(device="cpu")
    assert [path.suffix for path in (home / "cache" / "models").iterdir()] in ([], [".lock"])


def test_weights_that_are_not_the_official_ones_are_refused(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """The default model with another hash is an error that says how to install it again; nothing is prepared."""
    monkeypatch.setattr(resolve, "OFFICIAL_WEIGHTS", "0" * 64)
    with pytest.raises(ModelError, match=r"not the official ones.*pip install --force-reinstall"):
        open_encoder(device="cpu")
    assert not home.exists()


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    """A directory with only pickled weights is an error that says how to save the model."""
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"no \*\.safetensors weights.*save_pretrained"):
        open_encoder(str(tmp_path), device="cpu")


@pytest.mark.parametrize("name", ["nobody/no-such-model", "no-such-model", "nobody/no-such-model@v1"])
def test_a_model_that_is_not_there_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A name that nothing on this machine answers to is an error with the command that fetches it."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=f"quotefind model download {name}"):
        open_encoder(name, device="cpu")


def test_a_directory_that_holds_no_model_is_an_error(tmp_path: Path) -> None:
    """A directory that is not there, or weights that cannot be opened, are an error that names the directory."""
    with pytest.raises(ModelError, match=r"\./not/there"):
        open_encoder("./not/there", device="cpu")
    with pytest.raises(ModelError, match="There is no model in /not/there: it is not a directory") as error:
        open_encoder("/not/there", device="cpu")
    assert "download" not in str(error.value)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=str(tmp_path)):
        open_encoder(str(tmp_path), device="cpu")


def test_a_missing_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that this machine has not is an error, one that there is not at all a usage error."""
    monkeypatch.setattr("quotefind.encoders.devices._accelerators", list)
    for device in ("cuda", "cuda:1", "mps"):
        with pytest.raises(ModelError, match=f"no device '{device}'.*--device cpu"):
            open_encoder(device=device)
    for device in ("gpu", "", "cpu:0"):
        with pytest.raises(UsageError, match="auto, cpu, cuda, cuda:N and mps"):
            open_encoder(device=device)


def test_several_gpus_are_used_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """`cuda` and `auto` take every GPU, `cuda:N` just that one, `auto` the CPU where there is nothing else."""
    from quotefind.encoders.devices import choose_device

    monkeypatch.setattr("quotefind.encoders.devices._accelerator_installed", lambda: True)
    monkeypatch.setattr("quotefind.encoders.devices._accelerators", lambda: ["cuda:0", "cuda:1"])
    assert choose_device("cuda") == choose_device("auto") == ["cuda:0", "cuda:1"]
    assert choose_device("cuda:1") == ["cuda:1"]
    assert choose_device("cpu") == ["cpu"]
    monkeypatch.setattr("quotefind.encoders.devices._accelerators", list)
    assert choose_device("auto") == ["cpu"]


def test_a_model_that_changed_is_another_one(tmp_path: Path) -> None:
    """With the fingerprint of an index, a model whose files changed is refused with the command that mends it."""
    path = make_model(tmp_path / "model")
    before = fingerprint_of(resolve.resolve(str(path)))
    (path / "notes.md").write_text("no part of it")
    assert fingerprint_of(resolve.resolve(str(path))) == before
    shutil.copy(next(make_model(tmp_path / "other", seed=1).rglob("*.safetensors")), next(path.rglob("*.safetensors")))
    with pytest.raises(IndexUnusableError, match="quotefind index --rebuild --model"):
        open_encoder(str(path), device="cpu", fingerprint=before)


def test_a_model_that_was_moved_has_its_new_name(tmp_path: Path) -> None:
    """A model prepared in one directory is known by the directory it was opened from, once it was moved."""
    path = make_model(tmp_path / "model")
    fingerprint = open_encoder(str(path), device="cpu").fingerprint
    moved = path.rename(tmp_path / "moved")
    encoder = open_encoder(str(moved), device="cpu")
    assert isinstance(encoder, OnnxEncoder)
    assert (encoder.name, encoder.fingerprint) == (str(moved), fingerprint)


def test_a_prepared_model_is_opened_without_its_source(tiny: Path, home_with_tiny: Path) -> None:
    """What is prepared under a fingerprint is opened by it alone, whatever became of the files it was made from."""
    assert home_with_tiny.is_dir()
    fingerprint = prepared_of(tiny).fingerprint
    encoder = open_encoder("/nowhere", device="cpu", fingerprint=fingerprint)
    assert encoder.fingerprint == fingerprint
    assert encoder.encode_queries(["hope"]).shape == (1, 32)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *itertools.product(["model.onnx", "weights.bin", "tokenizer.json", "prepared.json"], ["cut", "gone"]),
        ("words.txt", "cut"),
        *itertools.product(["model.onnx", "tokenizer.json", "words.txt", "prepared.json"], ["zeros"]),
    ],
)
def test_a_damaged_prepared_model_is_made_again_or_refused(
    tiny: Path, tiny_home: Path, home_with_tiny: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: str
) -> None:
    """A prepared model of which something is missing is made again; one that only cannot be opened is an error."""
    model = prepared_of(tiny)
    whole = tiny_home / model.path.relative_to(home_with_tiny)
    made: list[str] = []

    def make(source: ModelSource, _: str, directory: Path) -> None:  # exporting it anew each time would take long
        shutil.copytree(whole, directory, dirs_exist_ok=True)
        made.append(source.name)

    monkeypatch.setattr(prepare, "_make", make)
    data = (whole / name).read_bytes()
    if damage == "gone":
        (model.path / name).unlink()
    else:
        (model.path / name).write_bytes(data[: len(data) // 2] if damage == "cut" else bytes(len(data)))
    if damage == "zeros" and name != "prepared.json":
        with pytest.raises(ModelError, match=r"Delete (that directory|.*models/)"):
            open_encoder(str(tiny), device="cpu").encode_queries(["hope"])
        assert made == []
    else:
        found = open_encoder(str(tiny), device="cpu").encode_queries(["hope"])
        assert largest_difference(found, OnnxEncoder(replace(model, path=whole)).encode_queries(["hope"])) == 0
        assert made == [str(tiny)]


@pytest.mark.parametrize("name", ["model.onnx", "weights.bin", "tokenizer.json", "words.txt"])
def test_damage_in_the_middle_is_found_before_anything_is_stored(tiny: Path, home_with_tiny: Path, name: str) -> None:
    """One other byte in a file of a prepared model is an error that names it, before anybody gets a vector."""
    assert home_with_tiny.is_dir()
    model = prepared_of(tiny)
    data = bytearray((model.path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (model.path / name).write_bytes(data)
    model = prepared_of(tiny)  # the sizes are those that were written
    damaged = f"{model.path / name} is damaged.*Delete {model.path}"
    with pytest.raises(ModelError, match=damaged):
        model.check(weights=name == "weights.bin")
    for count in (1, 9):
        with pytest.raises(ModelError, match=damaged):
            open_encoder(str(tiny), device="cpu").encode_quotes(["hope and fear"] * count)


@pytest.fixture
def made(tiny_home: Path, home_with_tiny: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of models that are made anew from now on, for which whole copies of the small one are taken."""
    whole = tiny_home / prepared_of(tiny).path.relative_to(home_with_tiny)
    names: list[str] = []

    def make(source: ModelSource, _: str, directory: Path) -> None:
        shutil.copytree(whole, directory, dirs_exist_ok=True)
        names.append(source.name)

    monkeypatch.setattr(prepare, "_make", make)
    return names


def change_a_number(path: Path) -> None:
    """Have a prepared model say that it cuts texts elsewhere, in as many characters."""
    path.write_text(path.read_text().replace('"max_tokens": 48', '"max_tokens": 47'))


def make_folder(path: Path) -> None:
    """Put a folder in the place of a file."""
    path.unlink()
    path.mkdir()


def make_link(path: Path) -> None:
    """Put a link to a copy in the place of a file."""
    copy = path.parents[3] / "copy"
    path.rename(copy)
    path.symlink_to(copy)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("prepared.json", change_a_number),
        *itertools.product(["model.onnx", "weights.bin", "tokenizer.json", "prepared.json"], [make_folder, make_link]),
    ],
)
def test_what_stands_in_the_place_of_a_prepared_file_is_not_taken_for_it(
    tiny: Path, made: list[str], name: str, damage: Callable[[Path], None]
) -> None:
    """A folder, a link or a changed number in a prepared model has it made again; the link is not followed."""
    model = prepared_of(tiny)
    before = OnnxEncoder(model).encode_queries(["hope"])
    damage(model.path / name)
    assert largest_difference(open_encoder(str(tiny), device="cpu").encode_queries(["hope"]), before) == 0
    assert made == [str(tiny)]
    assert all(path.is_file() and not path.is_symlink() for path in prepared_of(tiny).path.iterdir())


def test_what_a_killed_preparation_left_is_removed(tiny: Path, made: list[str]) -> None:
    """A half-made model does not stay behind when its process is killed: the next one takes its place."""
    model = prepared_of(tiny)
    (model.path / "prepared.json").unlink()
    left = model.path.with_name(f".making-{model.path.name}")
    left.mkdir()
    (left / "exported.onnx").write_bytes(b"half")
    open_encoder(str(tiny), device="cpu")
    assert made == [str(tiny)]
    assert sorted(path.name for path in model.path.parent.iterdir() if path.suffix != ".lock") == [model.path.name]
    assert not (model.path / "exported.onnx").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_limit_on_the_size_of_files_is_said_before_anything_is_made(home: Path, tiny: Path) -> None:
    """Where the system refuses files as large as the weights, that is the error; no slower way is noted for good."""
    import resource

    assert not home.exists()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(ModelError, match=r"cannot be prepared in .*File too large.*QUOTEFIND_HOME"):
            open_encoder(str(tiny), device="cpu")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert find_prepared(fingerprint_of(resolve.resolve(str(tiny)))) is None


@pytest.mark.parametrize("count", [1, 9])
def test_vectors_that_are_no_numbers_are_an_error(tiny: Path, home_with_tiny: Path, count: int) -> None:
    """NaN out of damaged weights is an error that names the directory, for a request as for texts in bulk."""
    assert home_with_tiny.is_dir()
    weights = prepared_of(tiny).path / "weights.bin"
    weights.write_bytes(b"\xff" * weights.stat().st_size)
    with pytest.raises(ModelError, match=f"{weights.parent}"):
        open_encoder(str(tiny), device="cpu").encode_queries(["hope and fear"] * count)


def test_two_processes_may_prepare_a_model_at_once(tiny: Path, home: Path) -> None:
    """Two processes that both find a model unprepared both end with the one that is then there, and no leftovers."""
    code = "import sys; from quotefind import open_encoder; print(open_encoder(sys.argv[1], device='cpu').fingerprint)"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tiny)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    results = [(*process.communicate(), process.returncode) for process in processes]
    model = prepared_of(tiny)
    assert results == [(f"{model.fingerprint}\n".encode(), b"", 0)] * 2
    assert model.backend == "onnx"
    assert sorted(path.name for path in model.path.parent.iterdir() if path.suffix != ".lock") == [model.path.name]
    assert home in model.path.parents


def test_where_nothing_can_be_written_no_model_is_prepared(tiny: Path, home: Path) -> None:
    """A cache that cannot be written is an error that names it, and the variable that sets another."""
    home.write_text("a file where the home should be")
    with pytest.raises(ModelError, match="QUOTEFIND_HOME"):
        open_encoder(str(tiny), device="cpu")


def test_nothing_is_downloaded_from_where_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that fails is one model error with the reason, whatever the hub's client raises."""

    def fail(*_: object, **__: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(ModelError, match=r"nobody/nothing@v1 could not be downloaded: no route to host"):
        download("nobody/nothing@v1")


def test_a_download_takes_only_what_is_safe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A download asks for safetensors at a revision, by default the tested one, and refuses a model without them."""
    asked: list[tuple[str, str | None]] = []

    def fetch(repository: str, *, revision: str | None, allow_patterns: list[str], ignore_patterns: list[str]) -> str:
        assert "*.safetensors" in allow_patterns
        assert not {"*.bin", "*.pt", "*"} & set(allow_patterns)
        assert ignore_patterns
        asked.append((repository, revision))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    with pytest.raises(ModelError, match="no safetensors"):
        download("nobody/nothing")
    (tmp_path / "model.safetensors").touch()
    assert download() == ModelSource(f"{BASE_REPOSITORY}@{BASE_REVISION}", tmp_path)
    assert download("a/b@v2").path == tmp_path
    assert asked == [("nobody/nothing", None), (BASE_REPOSITORY, BASE_REVISION), ("a/b", "v2")]
