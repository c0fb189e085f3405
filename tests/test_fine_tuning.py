"""Training a small random model: the same losses from the same seed, a model that opens, runs that go on."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_tools import run
from test_encoders import largest_difference, make_model, reference
from test_promises import modules, program
from training_tools import changed, difference, small_pairs, weights

from quotefind.encoders import open_encoder, sbert
from quotefind.encoders.onnx import OnnxEncoder
from quotefind.encoders.resolve import BASE_MODEL, BASE_REPOSITORY, BASE_REVISION, ModelSource, resolve
from quotefind.errors import ModelError, UsageError
from quotefind.training import fine_tuning
from quotefind.training.fine_tuning import TrainingReport
from quotefind.training.pairs_file import TrainingPair
from quotefind.training.recipe import CARD_RECIPE, Recipe

pytestmark = pytest.mark.usefixtures("one_thread")

# 40 pairs make 5 batches, so that a run has 10 steps.
RECIPE = Recipe(batch_size=8, epochs=2, learning_rate=1e-3)
LORA = replace(RECIPE, lora_rank=4, learning_rate=1e-2)
METRICS = ["accuracy@1", "accuracy@10", "precision@10", "recall@10", "ndcg@10", "mrr@10", "map@100"]
FILES = {
    "1_Pooling",
    "README.md",
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
}


class KilledError(Exception):
    """What ends a run in the middle."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    """A small random model."""
    return resolve(str(make_model(tmp_path_factory.mktemp("tiny") / "model")))


# Trains by a recipe.
Trained = Callable[[Recipe], TrainingReport]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: ModelSource) -> Trained:
    """What training `small_pairs` by a recipe made, each once; for reading only."""
    reports: dict[Recipe, TrainingReport] = {}

    def train(recipe: Recipe) -> TrainingReport:
        if recipe not in reports:
            output = tmp_path_factory.mktemp("trained") / "model"
            reports[recipe] = fine_tuning.train(small_pairs(), output, recipe, base=tiny)
        return reports[recipe]

    return train


def killed_at(when: int | str) -> Callable[..., None]:
    """Return a `Progress` that ends the run at this step, or the second time that it hears of this stage."""
    heard: list[str] = []

    def progress(stage: str, done: int = 0, _: int = 0) -> None:
        heard.append(stage)
        if when in (done, stage if heard.count(stage) == 2 else ""):
            raise KilledError

    return progress


def vectors(model: Path, texts: Sequence[str]) -> Any:
    """Return what sentence-transformers itself makes of `texts` with the model in a directory."""
    return reference(model).encode(list(texts), normalize_embeddings=True, show_progress_bar=False)


def test_the_defaults_are_the_recipe_of_the_model_card() -> None:
    """Without options it is the card's loss, scale, batch, epochs, learning rate and seed, without warm-up."""
    assert Recipe() == CARD_RECIPE
    assert (CARD_RECIPE.loss, CARD_RECIPE.scale, CARD_RECIPE.batch_size, CARD_RECIPE.epochs) == ("mnrl", 20.0, 32, 4)
    assert (CARD_RECIPE.learning_rate, CARD_RECIPE.warmup, CARD_RECIPE.seed) == (5e-5, 0.0, 42)
    assert (CARD_RECIPE.lora_rank, CARD_RECIPE.max_tokens, CARD_RECIPE.keep_apart) == (0, None, True)


def test_the_report(trained: Trained) -> None:
    """It counts pairs, held-out pairs and steps, and holds a loss for each step and all metrics before and after."""
    report = trained(RECIPE)
    assert (report.pairs, report.held_out, report.steps, len(report.losses)) == (40, 8, 10, 10)
    assert report.seconds > 0
    assert sum(report.losses[-3:]) < sum(report.losses[:3])
    for metrics in (report.before, report.after):
        assert list(metrics) == [f"held-out_cosine_{name}" for name in METRICS]
        assert all(0 <= value <= 1 for value in metrics.values())
    assert report.after["held-out_cosine_ndcg@10"] >= report.before["held-out_cosine_ndcg@10"]


def test_the_result_is_a_model(trained: Trained, tiny: ModelSource) -> None:
    """The directory holds a model that sentence-transformers opens, that reads as much as its base, and no rest."""
    output = trained(RECIPE).output
    assert {path.name for path in output.iterdir()} == FILES
    model = reference(output)
    assert model.max_seq_length == reference(tiny.path).max_seq_length == 48
    assert largest_difference(vectors(output, ["hope and fear"]), vectors(tiny.path, ["hope and fear"])) > 1e-3
    unused = {"pooler.dense.weight", "pooler.dense.bias"}  # of which mean pooling makes nothing
    assert unused.isdisjoint(changed(weights(output), weights(tiny.path)))
    assert len(changed(weights(output), weights(tiny.path))) > 20


def test_the_result_is_prepared_like_any_model(trained: Trained, home: Path) -> None:
    """A trained model, its adapter merged, is exported to ONNX and gives the same vectors there."""
    output = trained(LORA).output
    encoder = open_encoder(str(output), device="cpu")
    assert isinstance(encoder, OnnxEncoder)
    texts = ["the hope a", "fear and dust of the road", "love " * 60]
    assert largest_difference(encoder.encode_quotes(texts), vectors(output, texts)) <= 1e-5
    assert home.is_dir()


def test_the_card(trained: Trained) -> None:
    """The card has the shape of sentence-transformers' own: examples, metrics before and after, recipe, losses."""
    report = trained(RECIPE)
    card = (report.output / "README.md").read_text(encoding="utf-8")
    for part in (
        "- loss:MultipleNegativesRankingLoss\n",
        "- dataset_size:40\n",
        "- source_sentence: the ",
        "* Columns: <code>sentence_0</code> and <code>sentence_1</code>",
        '"scale": 20.0',
        "- `per_device_train_batch_size`: 8\n",
        "- `learning_rate`: 0.001\n",
        "- `multi_dataset_batch_sampler`: round_robin\n",
        "https://arxiv.org/abs/1908.10084",
    ):
        assert part in card
    assert "| Metric              | held-out-before | held-out-after |" in card
    before, after = (metrics["held-out_cosine_ndcg@10"] for metrics in (report.before, report.after))
    assert re.search(rf"cosine_ndcg@10\*\* *\| \*\*{before:.4f}\*\* *\| \*\*{after:.4f}\*\*", card)
    assert re.findall(r"^\| [\d.]+ *\| (\d+) *\| ([\d.]+)", card, re.MULTILINE) == [
        (str(step), f"{loss:.4f}") for step, loss in enumerate(report.losses, 1)
    ]


@pytest.mark.parametrize("recipe", [RECIPE, LORA], ids=["all weights", "adapter"])
def test_the_same_seed_gives_the_same_losses(
    tmp_path: Path, tiny: ModelSource, trained: Trained, recipe: Recipe
) -> None:
    """The same seed gives the same losses, weights and metrics to the last bit; another seed others."""
    first = trained(recipe)
    again = fine_tuning.train(small_pairs(), tmp_path / "again", recipe, base=tiny)
    assert (again.losses, again.after) == (first.losses, first.after)
    assert difference(weights(again.output), weights(first.output)) == 0
    if recipe.lora_rank:
        for path in (first.output / "adapter").iterdir():
            assert path.read_bytes() == (again.output / "adapter" / path.name).read_bytes()
    other = fine_tuning.train(small_pairs(), tmp_path / "other", replace(recipe, seed=1), base=tiny)
    assert set(other.losses).isdisjoint(first.losses)


def test_an_adapter(trained: Trained, tiny: ModelSource) -> None:
    """An adapter is kept by itself; base and adapter, merged by PEFT, are the model, and only its layers changed."""
    from peft import PeftModel

    output = trained(LORA).output
    assert {path.name for path in output.iterdir()} == FILES | {"adapter"}
    assert {path.name for path in (output / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    config = json.loads((output / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (4, 8, tiny.name)
    assert config["target_modules"] == ["query", "key", "value", "dense"]  # in this order, in every process
    base = reference(tiny.path)
    with sbert.quiet():
        merged = PeftModel.from_pretrained(base[0].auto_model, str(output / "adapter")).merge_and_unload()
    assert difference(weights(output), merged.state_dict()) <= 1e-6
    altered = changed(weights(output), weights(tiny.path))
    assert len(altered) == 12
    assert all(re.fullmatch(r"encoder\.layer\.\d\..*(query|key|value|dense)\.weight", name) for name in altered)


def test_the_base_model_is_named(tmp_path: Path, tiny: ModelSource) -> None:
    """Card and adapter of a model that began as the default base name it and its revision, not a place on this disk."""
    base = ModelSource(BASE_MODEL, tiny.path)
    output = fine_tuning.train(small_pairs(), tmp_path / "model", replace(LORA, epochs=1), base=base).output
    card = (output / "README.md").read_text(encoding="utf-8")
    assert f"\nbase_model: {BASE_REPOSITORY}\n" in card
    assert f"\n# SentenceTransformer based on {BASE_REPOSITORY}\n" in card
    assert f"<!-- at revision {BASE_REVISION} -->" in card
    config = json.loads((output / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == BASE_REPOSITORY
    for path in output.rglob("*.*"):
        assert str(tiny.path).encode() not in path.read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "cached-mnrl"},
        {"loss": "gist"},
        {"loss": "gist", "lora_rank": 2},
        {"keep_apart": False},
        {"warmup": 0.5},
        {"max_tokens": 8},
        {"scale": 5.0},
    ],
    ids=str,
)
def test_each_option_matters(tmp_path: Path, tiny: ModelSource, trained: Trained, options: dict[str, Any]) -> None:
    """Each loss trains, and each option changes the losses, but that of the loss that computes the same by parts."""
    recipe = replace(RECIPE, **options)
    report = fine_tuning.train(small_pairs(), tmp_path / "model", recipe, base=tiny)
    if options == {"loss": "cached-mnrl"}:
        assert report.losses == pytest.approx(trained(RECIPE).losses, rel=1e-4)
    else:
        assert report.losses != trained(RECIPE).losses
    assert reference(report.output).max_seq_length == 48
    if "loss" in options:
        name = {"gist": "GISTEmbedLoss", "cached-mnrl": "CachedMultipleNegativesRankingLoss"}[options["loss"]]
        assert f"- loss:{name}\n" in (report.output / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", [RECIPE, LORA], ids=["all weights", "adapter"])
def test_the_strength(tmp_path: Path, tiny: ModelSource, trained: Trained, recipe: Recipe) -> None:
    """At a strength of 0.25, each weight goes a quarter of the way that the same training goes without it."""
    before, whole = weights(tiny.path), weights(trained(recipe).output)
    report = fine_tuning.train(small_pairs(), tmp_path / "model", replace(recipe, strength=0.25), base=tiny)
    assert report.losses == trained(recipe).losses
    expected = {name: 0.75 * before[name] + 0.25 * weight for name, weight in whole.items()}
    assert difference(weights(report.output), expected) <= 1e-6
    assert changed(weights(report.output), before) == changed(whole, before)


def test_more_tokens_than_the_model_reads(tmp_path: Path, tiny: ModelSource) -> None:
    """Texts are cut where the model ends, though longer ones were wanted."""
    pairs = [replace(pair, quote=f"{pair.quote} {'dust ' * 100}") for pair in small_pairs()[:16]]
    recipe = replace(RECIPE, epochs=1)
    losses = {
        limit: fine_tuning.train(pairs, tmp_path / str(limit), replace(recipe, max_tokens=limit), base=tiny).losses
        for limit in (None, 1000)
    }
    assert losses[None] == losses[1000]


def test_negatives_are_trained_with(tmp_path: Path, tiny: ModelSource) -> None:
    """The negatives of the pairs are columns of the training, and raise the loss."""
    recipe = replace(RECIPE, epochs=1)
    reports = [fine_tuning.train(small_pairs(count), tmp_path / str(count), recipe, base=tiny) for count in (0, 2)]
    assert reports[1].losses[0] > reports[0].losses[0]
    assert "<code>sentence_1</code>, <code>negative_1</code>, and <code>negative_2</code>" in (
        reports[1].output / "README.md"
    ).read_text(encoding="utf-8")


def test_nothing_held_out(tmp_path: Path, tiny: ModelSource) -> None:
    """Where nothing is held out, nothing is measured, and the card says nothing of metrics."""
    report = fine_tuning.train(small_pairs()[:16], tmp_path / "model", replace(RECIPE, epochs=1), base=tiny)
    assert (report.pairs, report.held_out, report.before, report.after) == (16, 0, {}, {})
    assert "ndcg" not in (report.output / "README.md").read_text(encoding="utf-8")


def test_the_progress(tmp_path: Path, tiny: ModelSource) -> None:
    """What is done is told: loading, measuring, each step of all with its loss, measuring again."""
    told: list[tuple[str, int, int]] = []

    def progress(stage: str, done: int = 0, total: int = 0) -> None:
        told.append((stage, done, total))

    report = fine_tuning.train(small_pairs(), tmp_path / "model", RECIPE, base=tiny, progress=progress)
    measuring = ("measuring the held-out pairs", 0, 0)
    steps = [(f"training, loss {loss:.2f}", step, 10) for step, loss in enumerate(report.losses, 1)]
    assert told == [("loading the model", 0, 0), measuring, *steps, measuring]


def test_nothing_is_left_changed(
    tmp_path: Path, tiny: ModelSource, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Training writes nothing to stdout or stderr, and leaves logging and the bars of the libraries as they were."""
    from transformers.utils import logging as bars

    for wanted in (True, False):
        monkeypatch.setattr(bars, "_tqdm_active", wanted)
        monkeypatch.setattr(logging.root.manager, "disable", logging.DEBUG)
        output = tmp_path / str(wanted)
        with pytest.raises(KilledError):
            fine_tuning.train(small_pairs(), output, LORA, base=tiny, progress=killed_at(1))
        fine_tuning.train(small_pairs(), output, LORA, base=tiny, resume=True)
        assert bars.is_progress_bar_enabled() == wanted
        assert logging.root.manager.disable == logging.DEBUG
    assert capfd.readouterr() == ("", "")


RUNS = {
    "all weights": RECIPE,
    "adapter": LORA,
    "mixed": replace(RECIPE, keep_apart=False),
    "guided adapter": replace(LORA, loss="gist"),
}


# When a run is killed, and the checkpoints that it leaves.
KILLS: dict[int | str, set[str]] = {
    1: set(),
    7: {"checkpoint-4", "checkpoint-6"},
    "measuring the held-out pairs": {"checkpoint-8", "checkpoint-10"},
}


@pytest.mark.parametrize("when", KILLS)
@pytest.mark.parametrize("name", ["all weights", "adapter"])
def test_a_killed_run_goes_on(
    tmp_path: Path,
    tiny: ModelSource,
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    when: int | str,
) -> None:
    """Killed before the first checkpoint, in either epoch or at the end, it ends with the very losses and weights."""
    recipe = RUNS[name]
    whole = trained(recipe)
    monkeypatch.setattr(fine_tuning, "_STEPS_BETWEEN_CHECKPOINTS", 2)
    output = tmp_path / "model"
    with pytest.raises(KilledError):
        fine_tuning.train(small_pairs(), output, recipe, base=tiny, progress=killed_at(when))
    assert {path.name for path in (output / "checkpoints").glob("checkpoint-*")} == KILLS[when]
    begun = max((int(name.removeprefix("checkpoint-")) for name in KILLS[when]), default=0)
    report = fine_tuning.train(small_pairs(), output, recipe, base=tiny, resume=True)
    assert report.losses == whole.losses[begun:]
    assert (report.steps, report.before, report.after) == (whole.steps, whole.before, whole.after)
    assert difference(weights(output), weights(whole.output)) == 0
    assert {path.name for path in output.iterdir()} == {path.name for path in whole.output.iterdir()}


@pytest.mark.parametrize("name", ["mixed", "guided adapter"])
def test_every_kind_of_run_goes_on(
    tmp_path: Path,
    tiny: ModelSource,
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Also with batches by mere chance, and with a guide, a run killed twice ends as one that was not."""
    recipe = RUNS[name]
    monkeypatch.setattr(fine_tuning, "_STEPS_BETWEEN_CHECKPOINTS", 2)
    for step in (4, 8):
        with pytest.raises(KilledError):
            fine_tuning.train(small_pairs(), tmp_path, recipe, base=tiny, resume=step > 4, progress=killed_at(step))
    report = fine_tuning.train(small_pairs(), tmp_path, recipe, base=tiny, resume=True)
    assert report.losses == trained(recipe).losses[6:]
    assert difference(weights(tmp_path), weights(trained(recipe).output)) == 0


def test_a_checkpoint_that_is_not_whole_is_passed_over(
    tmp_path: Path, tiny: ModelSource, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the last checkpoint was not written to its end, the run goes on from the one before it."""
    monkeypatch.setattr(fine_tuning, "_STEPS_BETWEEN_CHECKPOINTS", 2)
    with pytest.raises(KilledError):
        fine_tuning.train(small_pairs(), tmp_path, RECIPE, base=tiny, progress=killed_at(7))
    state = tmp_path / "checkpoints" / "checkpoint-6" / "trainer_state.json"
    state.write_bytes(state.read_bytes()[:100])
    (tmp_path / "checkpoints" / "checkpoint-8").mkdir()
    report = fine_tuning.train(small_pairs(), tmp_path, RECIPE, base=tiny, resume=True)
    assert report.losses == trained(RECIPE).losses[4:]
    assert difference(weights(tmp_path), weights(trained(RECIPE).output)) == 0


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory, tiny: ModelSource) -> Path:
    """The directory of a run that was killed; it is to stay as it is."""
    output = tmp_path_factory.mktemp("unfinished")
    with pytest.raises(KilledError):
        fine_tuning.train(small_pairs(), output, RECIPE, base=tiny, progress=killed_at(1))
    return output


OTHER = {
    "recipe": {"recipe": replace(RECIPE, scale=10.0)},
    "seed": {"recipe": replace(RECIPE, seed=1)},
    "pairs": {"pairs": small_pairs()[1:]},
    "order": {"pairs": small_pairs()[::-1]},
    "negatives": {"pairs": small_pairs(1)},
    "split": {"pairs": [replace(pair, held_out=False) for pair in small_pairs()]},
    "tag asked for": {"pairs": [replace(pair, tag=pair.query) for pair in small_pairs()]},
    "tags": {"pairs": [replace(pair, tags=frozenset({pair.quote})) for pair in small_pairs()]},
}


@pytest.mark.parametrize("name", OTHER)
def test_another_run_is_not_resumed(unfinished: Path, tiny: ModelSource, name: str) -> None:
    """A run with another recipe, or pairs that differ in anything, is not taken for the one that was killed."""
    options: dict[str, Any] = {"pairs": small_pairs(), "recipe": RECIPE, **OTHER[name]}
    with pytest.raises(UsageError, match=r"has other pairs, another model or another recipe.*--output"):
        fine_tuning.train(output=unfinished, base=tiny, resume=True, **options)


def test_a_run_with_another_model_is_not_resumed(unfinished: Path, tmp_path: Path) -> None:
    """Nor is one with another base model."""
    other = resolve(str(make_model(tmp_path / "model", seed=1)))
    with pytest.raises(UsageError, match="has other pairs, another model or another recipe"):
        fine_tuning.train(small_pairs(), unfinished, RECIPE, base=other, resume=True)


def test_an_unfinished_run_is_not_overwritten(unfinished: Path, tiny: ModelSource) -> None:
    """Without --resume, the directory of a killed run is refused with the option that goes on with it."""
    with pytest.raises(UsageError, match="holds an unfinished run; continue it with --resume, or choose another"):
        fine_tuning.train(small_pairs(), unfinished, RECIPE, base=tiny)
    assert {path.name for path in unfinished.iterdir()} == {"checkpoints"}


@pytest.mark.parametrize("resume", [False, True])
def test_files_are_not_overwritten(tmp_path: Path, tiny: ModelSource, resume: bool) -> None:
    """A directory that holds something, and a file, are refused and stay as they are."""
    (tmp_path / "notes.txt").write_text("mine")
    for output in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(UsageError, match=f"{output} holds files; choose another directory with --output"):
            fine_tuning.train(small_pairs(), output, RECIPE, base=tiny, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_finished_run_is_not_resumed(trained: Trained, tiny: ModelSource) -> None:
    """A model that is finished is neither overwritten nor resumed."""
    output = trained(RECIPE).output
    for resume in (False, True):
        with pytest.raises(UsageError, match="holds files"):
            fine_tuning.train(small_pairs(), output, RECIPE, base=tiny, resume=resume)


def test_nothing_to_resume(tmp_path: Path, tiny: ModelSource) -> None:
    """Where no run was begun there is nothing to resume; an empty directory stays empty."""
    for output in (tmp_path / "new", tmp_path):
        with pytest.raises(UsageError, match=r"no unfinished run.*train without --resume"):
            fine_tuning.train(small_pairs(), output, RECIPE, base=tiny, resume=True)
    assert list(tmp_path.iterdir()) == []


def test_pairs_that_cannot_be_kept_apart(tmp_path: Path, tiny: ModelSource) -> None:
    """Where most pairs would sit out each epoch, it is an error that says what mends it, before anything is made."""
    pairs = [replace(pair, tag="hope") for pair in small_pairs()]
    output = tmp_path / "model"
    with pytest.raises(UsageError, match=r"Only 5 of 40 pairs fit into batches of 8.*--batch-size.*--mixed"):
        fine_tuning.train(pairs, output, RECIPE, base=tiny)
    assert not output.exists()
    assert fine_tuning.train(pairs, output, replace(RECIPE, epochs=1, keep_apart=False), base=tiny).steps == 5


def test_a_training_that_diverges(tmp_path: Path, tiny: ModelSource) -> None:
    """A loss that is no number any more ends the training with what mends it; there is no model then."""
    with pytest.raises(UsageError, match=r"diverged: the loss of step 2 is nan.*Lower --learning-rate"):
        fine_tuning.train(small_pairs(), tmp_path, replace(RECIPE, learning_rate=1e38), base=tiny)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoints"}


def test_nothing_to_train_with(tmp_path: Path, tiny: ModelSource) -> None:
    """Without a pair that is not held out there is nothing to train with."""
    for pairs in ([], [TrainingPair("hope", "Hope.", held_out=True)]):
        with pytest.raises(UsageError, match="no pairs to train with"):
            fine_tuning.train(pairs, tmp_path / "model", RECIPE, base=tiny)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_the_layers_of_an_adapter(
    tmp_path: Path, tiny: ModelSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An adapter for a model of another make is an error that names the layers and what is possible."""
    monkeypatch.setattr(fine_tuning, "_ADAPTED", ["c_attn"])
    with pytest.raises(ModelError, match=r"has no layers called c_attn.*leave out --lora-rank"):
        fine_tuning.train(small_pairs(), tmp_path / "model", LORA, base=tiny)


def test_a_model_that_cannot_be_opened(tmp_path: Path) -> None:
    """A base model that cannot be opened is an error that names it."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=f"cannot open the model in {tmp_path / 'base'}"):
        fine_tuning.train(small_pairs(), tmp_path / "model", RECIPE, base=resolve(str(tmp_path / "base")))


@pytest.mark.parametrize(
    ("missing", "recipe", "names"),
    [
        ({"datasets"}, RECIPE, "datasets"),
        ({"accelerate", "datasets"}, RECIPE, "datasets and accelerate"),
        ({"peft"}, LORA, "peft"),
    ],
)
def test_a_library_that_is_not_installed(
    tmp_path: Path, tiny: ModelSource, monkeypatch: pytest.MonkeyPatch, missing: set[str], recipe: Recipe, names: str
) -> None:
    """Without a library that training needs, it is a model error that says what installs it, and nothing is made."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *of: None if name in missing else find(name, *of))
    with pytest.raises(ModelError, match=rf"Training needs {names}\. To install it: pip install 'quotefind\[train\]'"):
        fine_tuning.train(small_pairs(), tmp_path / "model", recipe, base=tiny)
    assert list(tmp_path.iterdir()) == []


def test_all_weights_need_no_peft(tmp_path: Path, tiny: ModelSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """PEFT is asked for where an adapter is trained, and only there."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *of: None if name == "peft" else find(name, *of))
    with pytest.raises(KilledError):
        fine_tuning.train(small_pairs(), tmp_path, RECIPE, base=tiny, progress=killed_at(1))


LIBRARY = """
import sys
from pathlib import Path

import torch

from quotefind.encoders.resolve import BASE_MODEL, ModelSource
from quotefind.training import fine_tuning
from quotefind.training.recipe import Recipe
from training_tools import small_pairs

torch.set_num_threads(1)
fine_tuning._STEPS_BETWEEN_CHECKPOINTS = 2

def stop(stage, done=0, total=0):
    if done == 3:
        raise KeyboardInterrupt

for rank in (0, 4):
    recipe = Recipe(batch_size=8, epochs=1, lora_rank=rank)
    output = Path(sys.argv[2]) / str(rank)
    base = ModelSource(BASE_MODEL, Path(sys.argv[1]))
    try:
        fine_tuning.train(small_pairs(), output, recipe, base=base, progress=stop)
    except KeyboardInterrupt:
        fine_tuning.train(small_pairs(), output, recipe, base=base, resume=True)
"""


def test_training_opens_no_socket(tmp_path: Path, home: Path, tiny: ModelSource) -> None:
    """Nor does it as a library, resumed, with an adapter, whatever the environment says of the hub; it says nothing."""
    done = run(
        program(LIBRARY),
        tiny.path,
        tmp_path / "models",
        home=home,
        HF_HUB_OFFLINE="0",
        HF_HOME=str(tmp_path / "hub"),
        PYTHONPATH=str(Path(__file__).parent),
        PYTHONWARNINGS="",
    )
    assert (done.code, done.out) == (0, ""), done
    assert "peft" in modules(done)
    assert not (tmp_path / "hub").exists()
    assert {path.name for path in (tmp_path / "models" / "4").iterdir()} == FILES | {"adapter"}
