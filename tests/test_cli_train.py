"""`quotefind train`, and what its model is good for: `index --model`, `model show`."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_tools import PROGRAM, Run, run, run_on_terminal, write_records
from test_encoders import make_model
from test_promises import modules, program
from training_tools import difference, small_pairs, weights, write_pairs
from typer.testing import CliRunner

from quotefind.cli import app
from quotefind.encoders.prepared import find_prepared
from quotefind.encoders.resolve import fingerprint_of, resolve
from quotefind.training.fine_tuning import TrainingReport
from quotefind.training.recipe import LOSSES, Recipe

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = ["--batch-size", "8", "--epochs", "2", "--learning-rate", "0.001"]
KEYS = ["output", "pairs", "held_out", "steps", "seconds", "losses", "before", "after"]
# Training with threads of its own is slower where so little is to do; a checkpoint every second step.
QUICK = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": ""}
OFTEN = "from quotefind.training import callbacks, fine_tuning\nfine_tuning._STEPS_BETWEEN_CHECKPOINTS = 2\n"
# Sends a signal to the process at its 5th step.
SIGNAL = """
import os, signal
on_log = callbacks.ProgressCallback.on_log

def hook(self, args, state, control, **kwargs):
    if state.global_step == 5:
        os.kill(os.getpid(), signal.{})
    on_log(self, args, state, control, **kwargs)

callbacks.ProgressCallback.on_log = hook
"""
ENTRY = "from quotefind.__main__ import main; main()"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random model."""
    return make_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 48 pairs, 8 of them held out."""
    return write_pairs(tmp_path_factory.mktemp("pairs") / "pairs.jsonl", small_pairs())


def call(*arguments: str | Path) -> Run:
    """Run `quotefind ARGUMENTS…` in this process."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return Run(result.exit_code, result.stdout_bytes, result.stderr_bytes)


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory, tiny: Path, pairs: Path) -> tuple[Path, Run]:
    """A model that was trained with an adapter, and what the command wrote; for reading only."""
    directory = tmp_path_factory.mktemp("adapted") / "model"
    done = call("train", pairs, "--output", directory, "--model", tiny, *STEPS, "--lora-rank", "2", "--json")
    return directory, done


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the command asks of the library, which trains nothing."""
    asked = SimpleNamespace()

    def train(pairs: list[Any], output: Path, recipe: Recipe, **others: Any) -> TrainingReport:
        vars(asked).update(others, pairs=pairs, output=output, recipe=recipe)
        metrics = {"held-out_cosine_ndcg@10": 0.25}
        return TrainingReport(output, 3, 1, 4, 5.25, (0.5, 0.25), metrics, {"held-out_cosine_ndcg@10": 0.75})

    monkeypatch.setattr("quotefind.training.fine_tuning.train", train)
    return asked


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ([], {}),
        (["--loss", "gist"], {"loss": "gist"}),
        (["--loss", "cached-mnrl"], {"loss": "cached-mnrl"}),
        (["--scale", "5"], {"scale": 5.0}),
        (["--batch-size", "64"], {"batch_size": 64}),
        (["--epochs", "1"], {"epochs": 1}),
        (["--learning-rate", "3e-4"], {"learning_rate": 3e-4}),
        (["--warmup", "0.1"], {"warmup": 0.1}),
        (["--lora-rank", "16"], {"lora_rank": 16}),
        (["--max-tokens", "64"], {"max_tokens": 64}),
        (["--mixed"], {"keep_apart": False}),
        (["--seed", "7"], {"seed": 7}),
    ],
    ids=str,
)
def test_the_options_are_the_recipe(
    asked: SimpleNamespace, pairs: Path, tmp_path: Path, options: list[str], changed: dict[str, Any]
) -> None:
    """Without options it is the recipe of the model card with the base model; each option changes what it says."""
    done = call("train", pairs, "--output", tmp_path / "model", *options)
    assert (done.code, done.err) == (0, "")
    assert asdict(asked.recipe) == asdict(Recipe()) | changed
    assert asked.base == resolve("all-MiniLM-L6-v2")
    assert (asked.output, asked.resume) == (tmp_path / "model", False)
    assert asked.pairs == small_pairs()


def test_the_losses_are_those_of_the_library(asked: SimpleNamespace, pairs: Path, tmp_path: Path) -> None:
    """Every loss that the library knows can be named; another is wrong usage."""
    for loss in LOSSES:
        assert call("train", pairs, "--output", tmp_path, "--loss", loss).code == 0
        assert asked.recipe.loss == loss
    assert call("train", pairs, "--output", tmp_path, "--loss", "cosine").code == 2


def test_how_pairs_are_read(asked: SimpleNamespace, tiny: Path, tmp_path: Path) -> None:
    """--held-out and --input-format say how pairs are read, --model and --resume what is gone on from."""
    path = tmp_path / "pairs"
    path.write_text("query,quote\n" + "".join(f"{n},Quote {n}.\n" for n in range(100)))
    common = ["train", path, "--output", tmp_path, "--input-format", "csv", "--model", tiny, "--resume"]
    assert call(*common, "--held-out", "0.5").code == 0
    assert 30 < sum(pair.held_out for pair in asked.pairs) < 70
    assert (asked.base, asked.resume) == (resolve(str(tiny)), True)
    assert call(*common, "--held-out", "0").code == 0
    assert not any(pair.held_out for pair in asked.pairs)


def test_the_report_in_a_pipe(asked: SimpleNamespace, pairs: Path, tmp_path: Path) -> None:
    """In a pipe there is a name and a value a line, metrics before and after; --quiet writes nothing."""
    done = call("train", pairs, "--output", tmp_path / "model")
    assert done.out == (
        f"model\t{tmp_path / 'model'}\npairs\t3\nheld out\t1\nsteps\t4\nseconds\t5\n"
        "nDCG@10\t0.250 before, 0.750 after\n"
    )
    assert call("train", pairs, "--output", tmp_path, "--quiet").out == ""
    assert vars(asked)


@pytest.mark.parametrize("quiet", [[], ["--quiet"]], ids=str)
def test_the_report_as_json(asked: SimpleNamespace, pairs: Path, tmp_path: Path, quiet: list[str]) -> None:
    """--json writes one object with these keys, in this order, and nothing else, also with --quiet."""
    done = call("train", pairs, "--output", tmp_path, "--json", *quiet)
    assert list(done.json) == KEYS
    assert done.json == {
        "output": str(tmp_path),
        "pairs": 3,
        "held_out": 1,
        "steps": 4,
        "seconds": 5.25,
        "losses": [0.5, 0.25],
        "before": {"held-out_cosine_ndcg@10": 0.25},
        "after": {"held-out_cosine_ndcg@10": 0.75},
    }
    assert vars(asked)


@pytest.mark.parametrize(
    "options",
    [
        ["--batch-size", "1"],
        ["--epochs", "0"],
        ["--learning-rate", "-1"],
        ["--learning-rate", "nan"],
        ["--learning-rate", "inf"],
        ["--scale", "0"],
        ["--scale", "nan"],
        ["--warmup", "1"],
        ["--warmup", "nan"],
        ["--lora-rank", "-1"],
        ["--max-tokens", "1"],
        ["--seed", "-1"],
        ["--held-out", "1"],
        ["--held-out", "nan"],
        ["--input-format", "txt"],
    ],
    ids=str,
)
def test_wrong_usage(asked: SimpleNamespace, pairs: Path, tmp_path: Path, options: list[str]) -> None:
    """A number that no recipe could have is wrong usage, before anything is trained."""
    done = call("train", pairs, "--output", tmp_path, *options)
    assert (done.code, done.out) == (2, ""), done
    assert done.err
    assert not vars(asked)


def test_what_has_to_be_said(pairs: Path) -> None:
    """PAIRS and --output have to be there."""
    assert call("train", pairs).code == 2
    assert call("train", "--output", "model").code == 2


def test_errors_have_their_exit_codes(tmp_path: Path, pairs: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad row is 3, at path:line; a model that is not there 5, a library too; an output that holds something 2."""
    output = tmp_path / "model"
    bad = write_records(tmp_path / "bad.jsonl", [{"query": "a", "quote": "A."}, {"query": "b", "quote": ""}])
    done = call("train", bad, "--output", output, "--model", tiny)
    assert (done.code, done.out, done.err) == (3, "", f"quotefind: {bad}:2: expected a text in 'quote'.\n")
    done = call("train", pairs, "--output", output, "--model", "./none")
    assert (done.code, done.out) == (5, "")
    assert "There is no model in ./none" in done.err
    done = call("train", pairs, "--output", tmp_path, "--model", tiny)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"quotefind: {tmp_path} holds files; choose another directory with --output.\n"
    done = call("train", pairs, "--output", bad / "model", "--model", tiny)
    assert (done.code, done.out, done.err) == (2, "", f"quotefind: {bad / 'model'}: Not a directory\n")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *of: None if name == "peft" else find(name, *of))
    done = call("train", pairs, "--output", output, "--model", tiny, "--lora-rank", "2")
    assert (done.code, done.out) == (5, "")
    assert done.err == "quotefind: Training needs peft. To install it: pip install 'quotefind[train]'\n"
    assert not output.exists()


def test_a_training(adapted: tuple[Path, Run]) -> None:
    """A training writes the report alone: JSON with all losses and metrics; the model and its adapter are there."""
    directory, done = adapted
    assert (done.code, done.err) == (0, ""), done
    report = done.json
    assert list(report) == KEYS
    assert (report["output"], report["pairs"], report["held_out"], report["steps"]) == (str(directory), 40, 8, 10)
    assert len(report["losses"]) == 10
    assert report["before"].keys() == report["after"].keys() > {"held-out_cosine_ndcg@10", "held-out_cosine_mrr@10"}
    assert (directory / "model.safetensors").is_file()
    assert (directory / "adapter" / "adapter_model.safetensors").is_file()


def test_an_index_with_the_trained_model(adapted: tuple[Path, Run], tmp_path: Path, home: Path) -> None:
    """`index --model` prepares the trained model for ONNX, and `find` answers with it; its adapter changes nothing."""
    directory, _ = adapted
    source = write_records(
        tmp_path / "quotes.jsonl", [{"text": f"{word} and dust."} for word in ("hope", "sea", "road")]
    )
    done = call("index", source, "--model", directory)
    assert (done.code, done.err) == (0, ""), done
    ready = find_prepared(fingerprint_of(resolve(str(directory))))
    assert ready is not None
    assert (ready.backend, ready.name) == ("onnx", str(directory))
    alone = Path(shutil.copytree(directory, tmp_path / "alone", ignore=shutil.ignore_patterns("adapter")))
    assert fingerprint_of(resolve(str(alone))) == ready.fingerprint
    assert call("info", "--json").json["model"] == str(directory)
    assert call("find", "the", "sea", "-k", "1", "--format", "plain").out == "sea and dust.\n"
    assert home.is_dir()


def test_the_card_is_shown(adapted: tuple[Path, Run], tiny: Path, tmp_path: Path) -> None:
    """`model show DIR` writes the card of the model, unchanged, into a pipe."""
    directory, _ = adapted
    done = call("model", "show", directory)
    assert (done.code, done.err) == (0, "")
    assert done.out == (directory / "README.md").read_text(encoding="utf-8").rstrip("\n") + "\n"
    assert "MultipleNegativesRankingLoss" in done.out
    bare = Path(shutil.copytree(tiny, tmp_path / "bare", ignore=shutil.ignore_patterns("README.md")))
    done = call("model", "show", bare)
    assert (done.code, done.out) == (5, "")
    assert done.err == f"quotefind: The model {bare} has no card: {bare / 'README.md'} cannot be read.\n"
    assert call("model", "show", "./none").code == 5


@pytest.mark.skipif(os.name == "nt", reason="terminals of POSIX")
@pytest.mark.parametrize(
    ("card", "shown"),
    [
        ("---\ntags: [hidden]\n---\n# A \x1b[31mcard\n\nText.\n", "A ␛[31mcard"),
        ("# A card\n\n---\n\nText.\n", "A card"),
        ("---\n# A card\n\nText.\n", "A card"),
    ],
)
def test_a_card_on_a_terminal(tmp_path: Path, home: Path, card: str, shown: str) -> None:
    """On a terminal the card is set in type, without the metadata for programs, and nothing of it is obeyed."""
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    code, written = run_on_terminal(PROGRAM, "model", "show", tmp_path, home=home, NO_COLOR="1", TERM="dumb")
    assert code == 0
    assert shown in written
    assert "Text." in written
    assert "hidden" not in written
    assert "\x1b[31m" not in written


def test_training_is_silent_and_opens_no_socket(tiny: Path, pairs: Path, tmp_path: Path, home: Path) -> None:
    """In a pipe, `train` writes its report to stdout and nothing to stderr, and opens no connection."""
    output = tmp_path / "model"
    done = run(program(), "train", pairs, "--output", output, "--model", tiny, *STEPS, "--json", home=home, **QUICK)
    assert done.code == 0, done
    assert {"torch", "datasets"} <= modules(done)  # nothing else was said on stderr
    assert len(done.json["losses"]) == 10
    assert (output / "README.md").is_file()
    assert not home.exists()


def test_a_run_killed_from_outside_goes_on(tiny: Path, pairs: Path, tmp_path: Path, home: Path) -> None:
    """After SIGKILL `--resume` goes on from the last checkpoint, to the weights of a run that was not killed."""
    output = tmp_path / "model"
    options = ["train", pairs, "--model", tiny, *STEPS, "--lora-rank", "2", "--json", "--output"]
    killed = (sys.executable, "-c", OFTEN + SIGNAL.format("SIGKILL") + ENTRY)
    done = run(killed, *options, output, home=home, **QUICK)
    assert (done.code, done.out, done.err) == (-9, "", "")
    assert {path.name for path in output.iterdir()} == {"checkpoints"}
    refused = call(*options, output)
    assert (refused.code, refused.out) == (2, "")
    assert "holds an unfinished run; continue it with --resume" in refused.err
    other = call(*options, output, "--seed", "1", "--resume")
    assert other.code == 2
    assert "another recipe" in other.err
    resumed, whole = call(*options, output, "--resume"), call(*options, tmp_path / "whole")
    assert (resumed.code, resumed.err, whole.code) == (0, "", 0)
    assert resumed.json["losses"] == whole.json["losses"][4:]
    assert resumed.json["after"] == whole.json["after"]
    assert difference(weights(output), weights(tmp_path / "whole")) == 0
    assert difference(weights(output / "adapter"), weights(tmp_path / "whole" / "adapter")) == 0


def test_an_interrupted_training(tiny: Path, pairs: Path, tmp_path: Path, home: Path) -> None:
    """Ctrl-C ends with 130 and says how to go on; what was done is kept for --resume."""
    interrupted = (sys.executable, "-c", OFTEN + SIGNAL.format("SIGINT") + ENTRY)
    done = run(interrupted, "train", pairs, "--output", tmp_path, "--model", tiny, *STEPS, home=home, **QUICK)
    hint = "add --resume to continue from the last checkpoint, if there is one"
    assert (done.code, done.out, done.err) == (130, "", f"quotefind: interrupted; {hint}\n")
    assert (tmp_path / "checkpoints" / "checkpoint-4" / "trainer_state.json").is_file()


@pytest.mark.skipif(os.name == "nt", reason="terminals of POSIX")
def test_the_progress_on_a_terminal(tiny: Path, pairs: Path, tmp_path: Path, home: Path) -> None:
    """On a terminal a bar shows step, loss, rate and time left, and no bar of another library is in its way."""
    arguments = ["train", pairs, "--output", tmp_path / "model", "--model", tiny, *STEPS, "--epochs", "20"]
    code, written = run_on_terminal(PROGRAM, *arguments, home=home, stream="stderr", columns=120, NO_COLOR="1", **QUICK)
    assert code == 0
    assert re.search(r"training, loss \d\.\d\d .* \d+/100 +[\d.]+/s 0:00:\d\d", written)
    for noise in ("it/s]", "shards", "examples", "Warning"):
        assert noise not in written


def test_help_and_errors_need_no_torch(tmp_path: Path, home: Path) -> None:
    """Help loads no library, and what is wrong with the pairs is said before torch is loaded."""
    done = run(program(), "train", "--help", home=home)
    assert done.code == 0
    assert "torch" not in modules(done)
    (tmp_path / "pairs.jsonl").write_text(json.dumps({"query": "hope"}))
    done = run(program(), "train", tmp_path / "pairs.jsonl", "--output", tmp_path / "model", home=home)
    assert done.code == 3
    assert "MODULES" in done.err
    assert not {"torch", "transformers", "datasets"} & set(done.err.partition("MODULES ")[2].split())
