"""Fine-tune a model with the trainer of sentence-transformers."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import logging
import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quotefind.encoders.adapter import merge_adapter
from quotefind.encoders.resolve import BASE_MODEL, BASE_REPOSITORY, BASE_REVISION, ModelSource, fingerprint_of, resolve
from quotefind.encoders.sbert import load
from quotefind.encoders.scratch import private_scratch
from quotefind.errors import ModelError, QuotefindError, UsageError
from quotefind.extras import require
from quotefind.limits import shortage
from quotefind.paths import make_private
from quotefind.progress import Progress, silent
from quotefind.training.pairs_file import TrainingPair
from quotefind.training.recipe import LOSSES, Recipe

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

ADAPTER = "adapter"
_CHECKPOINTS = "checkpoints"
_PLAN = "plan.json"
# A killed run loses at most this many steps.
_STEPS_BETWEEN_CHECKPOINTS = 50
# The layers that an adapter is trained on: all linear layers of a BERT.
_ADAPTED = ["query", "key", "value", "dense"]
# If a smaller fraction of the pairs fits into an epoch, keeping them apart costs more than it gains.
_FEWEST_PLACED = 0.5
# How the system, safetensors and torch report that the disk is full or fails.
_DISK_ERRORS = (errno.ENOSPC, errno.EIO, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
_DISK_MESSAGES = ("No space left", "Input/output error", "inline_container")


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """The result of a training.

    Attributes:
        output: the directory of the model.
        pairs: the number of pairs trained on.
        held_out: the number of held-out pairs.
        steps: the number of batches.
        seconds: the duration of this run, without earlier runs that it resumed.
        losses: the loss of each step of this run.
        before: the metrics on the held-out pairs before the training; empty if there are none.
        after: the metrics after the training.
    """

    output: Path
    pairs: int
    held_out: int
    steps: int
    seconds: float
    losses: tuple[float, ...] = field(repr=False)
    before: dict[str, float]
    after: dict[str, float]


@private_scratch()
def train(
    pairs: Sequence[TrainingPair],
    output: Path,
    recipe: Recipe,
    *,
    base: ModelSource | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> TrainingReport:
    """Fine-tune the model `base` on `pairs`, and save it in the directory `output`.

    The directory then holds a model for sentence-transformers, with its card. An adapter is merged into the model, and
    also saved by itself in the subdirectory `adapter`.

    Args:
        pairs: the pairs to train on, and the held-out pairs to evaluate with.
        output: the directory of the model; it must be empty unless `resume` is true.
        recipe: how to train.
        base: the model to start from; None for all-MiniLM-L6-v2.
        resume: continue from the last checkpoint of a killed run.
        progress: called after each step.

    Raises:
        UsageError: `output` is not empty, there is nothing to resume, the pairs cannot be kept apart, or the training
            diverges.
        ModelError: the model cannot be opened, or a library that training needs is not installed.
    """
    require("Training", "train", "datasets", "accelerate", *(["peft"] if recipe.lora_rank else []))
    base = base or resolve(BASE_MODEL)
    trained = [pair for pair in pairs if not pair.held_out]
    if not trained:
        raise UsageError("There are no pairs to train with.")
    plan = _plan(pairs, recipe, base)
    checkpoint = _checkpoint_in(output, plan, resume=resume)
    started = time.monotonic()
    progress("loading the model")
    with _only_errors(), _failures_reported(output):
        if recipe.keep_apart:
            _check_apart(trained, recipe)
        checkpoints = _begin(output, plan)
        import transformers

        transformers.set_seed(recipe.seed)
        model = load(base, "cpu")
        if base.name == BASE_MODEL:
            model.model_card_data.base_model = BASE_REPOSITORY
            model.model_card_data.base_model_revision = BASE_REVISION
        progress("measuring the held-out pairs")
        before = _measured(model, pairs, "before")
        length = model.max_seq_length
        if recipe.max_tokens:  # what is beyond its length the model cannot read
            model.max_seq_length = min(recipe.max_tokens, length or recipe.max_tokens)
        if recipe.lora_rank:
            _add_adapter(model, base, recipe.lora_rank)
        losses: list[float] = []
        trainer = _trainer(model, trained, recipe, base, checkpoints, losses, progress)
        state = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        model.max_seq_length = length
        if recipe.lora_rank:
            model = _merged(model, base, checkpoints / ADAPTER, recipe.strength)
        elif recipe.strength < 1:
            _interpolate(model, base, recipe.strength)
        progress("measuring the held-out pairs")
        after = _measured(model, pairs, "after")
        model.save_pretrained(str(output))
        if recipe.lora_rank:
            shutil.copytree(checkpoints / ADAPTER, output / ADAPTER, dirs_exist_ok=True)
        shutil.rmtree(checkpoints, ignore_errors=True)
    return TrainingReport(
        output,
        len(trained),
        len(pairs) - len(trained),
        state.global_step,
        time.monotonic() - started,
        tuple(losses),
        before,
        after,
    )


def _checkpoint_in(output: Path, plan: dict[str, Any], *, resume: bool) -> Path | None:
    """Return the last checkpoint in `output`, or None; check that a run may write there."""
    checkpoints = output / _CHECKPOINTS
    unfinished = _json_in(checkpoints / _PLAN)
    if not (unfinished and resume) and output.exists() and (not output.is_dir() or any(output.iterdir())):
        what = "an unfinished run; continue it with --resume, or choose" if unfinished else "files; choose"
        raise UsageError(f"{output} holds {what} another directory with --output.")
    if resume and not unfinished:
        raise UsageError(f"There is no unfinished run in {output}; train without --resume.")
    if resume and unfinished != plan:
        raise UsageError(
            f"The unfinished run in {output} has other pairs, another model or another recipe. Use the same options to "
            "resume it, or choose another directory with --output."
        )
    # The state is written last: a checkpoint without it is incomplete.
    found = [path.parent for path in checkpoints.glob("checkpoint-*/trainer_state.json") if _json_in(path)]
    return max(found, key=lambda path: int(path.name.partition("-")[2]), default=None)


def _begin(output: Path, plan: dict[str, Any]) -> Path:
    """Make `output` with the usual permissions, and in it a directory of checkpoints for this user alone."""
    output.mkdir(parents=True, exist_ok=True)
    checkpoints = make_private(output / _CHECKPOINTS)
    (checkpoints / _PLAN).write_text(json.dumps(plan), encoding="utf-8")
    return checkpoints


def _json_in(path: Path) -> Any:
    """Return the content of the JSON file at `path`, or None if it is missing or incomplete."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _check_apart(pairs: Sequence[TrainingPair], recipe: Recipe) -> None:
    from quotefind.training.sampler import ApartBatchSampler

    placed = sum(map(len, ApartBatchSampler(pairs, pairs, recipe.batch_size, False, seed=recipe.seed)))
    if placed < _FEWEST_PLACED * len(pairs):
        raise UsageError(
            f"Only {placed} of {len(pairs)} pairs fit into batches of {recipe.batch_size} without false negatives: too "
            "many share a query, a quote or a tag. Lower --batch-size, or allow false negatives with --mixed."
        )


def _plan(pairs: Sequence[TrainingPair], recipe: Recipe, base: ModelSource) -> dict[str, Any]:
    """Return everything that must be equal for a run to be resumed, as JSON values."""
    seen = hashlib.sha256()
    for pair in pairs:
        seen.update(repr((pair.query, pair.quote, pair.negatives, pair.tag, sorted(pair.tags), pair.held_out)).encode())
    return {"recipe": asdict(recipe), "pairs": seen.hexdigest(), "base": fingerprint_of(base)}


def _trainer(
    model: SentenceTransformer,
    trained: Sequence[TrainingPair],
    recipe: Recipe,
    base: ModelSource,
    checkpoints: Path,
    losses: list[float],
    progress: Progress,
) -> SentenceTransformerTrainer:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers, MultiDatasetBatchSamplers
    from transformers import PrinterCallback

    from quotefind.training.callbacks import ProgressCallback
    from quotefind.training.sampler import ApartBatchSampler

    columns = {"sentence_0": [pair.query for pair in trained], "sentence_1": [pair.quote for pair in trained]}
    for number in range(len(trained[0].negatives)):
        columns[f"negative_{number + 1}"] = [pair.negatives[number] for pair in trained]
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup,
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        seed=recipe.seed,
        batch_sampler=partial(ApartBatchSampler, trained) if recipe.keep_apart else BatchSamplers.BATCH_SAMPLER,
        multi_dataset_batch_sampler=MultiDatasetBatchSamplers.ROUND_ROBIN,
        save_steps=_STEPS_BETWEEN_CHECKPOINTS,
        save_total_limit=2,
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        dataloader_pin_memory=False,
    )
    loss = _loss(model, recipe, base)
    with redirect_stderr(io.StringIO()):  # one progress bar cannot be switched off
        trainer = SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict(columns),
            loss=loss,
            callbacks=[ProgressCallback(losses, progress)],
        )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _loss(model: SentenceTransformer, recipe: Recipe, base: ModelSource) -> torch.nn.Module:
    from sentence_transformers.sentence_transformer import losses

    kind = getattr(losses, LOSSES[recipe.loss])
    if recipe.loss == "gist":
        loss = kind(model, guide=load(base, "cpu"), temperature=1 / recipe.scale)
    else:
        loss = kind(model, scale=recipe.scale)
    return loss  # type: ignore[no-any-return]


def _add_adapter(model: SentenceTransformer, base: ModelSource, rank: int) -> None:
    from peft import LoraConfig, TaskType

    try:
        model.add_adapter(
            LoraConfig(
                task_type=TaskType.FEATURE_EXTRACTION,
                r=rank,
                lora_alpha=2 * rank,
                lora_dropout=0.0,
                target_modules=_ADAPTED,
            )
        )
    except ValueError as error:
        raise ModelError(
            f"{base.name} has no layers called {', '.join(_ADAPTED)}, so an adapter cannot be trained. Train all "
            "weights: leave out --lora-rank."
        ) from error


def _interpolate(model: SentenceTransformer, base: ModelSource, strength: float) -> None:
    """Interpolate the weights of `model` with those of `base`, whose share becomes 1 - `strength`."""
    import torch

    before = load(base, "cpu").state_dict()
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            if weight.is_floating_point():
                weight.lerp_(before[name].to(weight), 1 - strength)


def _merged(model: SentenceTransformer, base: ModelSource, adapter: Path, strength: float) -> SentenceTransformer:
    """Save the adapter of `model`, and return `base` with the adapter merged by the code that prepares models."""
    transformer: Any = model[0].auto_model
    transformer.save_pretrained(str(adapter))
    for config in transformer.peft_config.values():
        # Only now: PEFT looks it up on the hub if it is not a directory.
        config.base_model_name_or_path = BASE_REPOSITORY if base.name == BASE_MODEL else base.name
        config.lora_alpha *= strength
        config.target_modules = _ADAPTED  # PEFT makes it a set, whose order changes
        config.save_pretrained(str(adapter))
    merged = load(base, "cpu")
    merge_adapter(merged, adapter)
    merged.model_card_data = model.model_card_data
    merged.model_card_data.register_model(merged)
    return merged


def _measured(model: SentenceTransformer, pairs: Sequence[TrainingPair], when: str) -> dict[str, float]:
    """Return the metrics of `model` on the held-out pairs: each query against all held-out quotes.

    They also go into its card, under a name that contains `when`.
    """
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
    from sentence_transformers.util import cos_sim

    held_out = [pair for pair in pairs if pair.held_out]
    if not held_out:
        return {}
    number = {quote: str(place) for place, quote in enumerate(dict.fromkeys(pair.quote for pair in held_out))}
    answers: dict[str, set[str]] = {}
    for pair in held_out:
        answers.setdefault(pair.query, set()).add(number[pair.quote])
    queries: dict[str, Any] = {str(place): query for place, query in enumerate(answers)}
    corpus: dict[str, Any] = {place: quote for quote, place in number.items()}
    evaluator = InformationRetrievalEvaluator(
        queries=queries,
        corpus=corpus,
        relevant_docs={place: answers[query] for place, query in queries.items()},
        accuracy_at_k=[1, 10],
        precision_recall_at_k=[10],
        name=f"held-out-{when}",
        score_functions={"cosine": cos_sim},  # the score that quotefind ranks by
        show_progress_bar=False,
        write_csv=False,
    )
    return {key.replace(f"{evaluator.name}_", "held-out_"): value for key, value in evaluator(model).items()}


@contextmanager
def _only_errors() -> Iterator[None]:
    """Hide the logs and warnings of the libraries; errors are raised."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import transformers

            bars: Any = transformers.utils.logging
            shown = bars.is_progress_bar_enabled()
            bars.disable_progress_bar()
            try:
                yield
            finally:
                if shown:
                    bars.enable_progress_bar()
    finally:
        logging.disable(previous)


@contextmanager
def _failures_reported(output: Path) -> Iterator[None]:
    """Turn the exceptions for a lack of memory or disk space into errors that name the fix."""
    try:
        yield
    except QuotefindError:
        raise
    except Exception as error:
        lacking = shortage(error)
        if lacking is not None:
            raise ModelError(
                f"{lacking} A smaller --batch-size or --max-tokens, or --loss cached-mnrl, needs less memory."
            ) from error
        if getattr(error, "errno", None) in _DISK_ERRORS or any(words in str(error) for words in _DISK_MESSAGES):
            raise UsageError(
                f"{output} cannot be written: the disk is full or fails. Free some space, then continue with --resume."
            ) from error
        raise
