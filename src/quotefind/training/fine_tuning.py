"""Fine-tuning by sentence-transformers' own trainer."""

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
# A killed run loses at most so many steps.
_STEPS_BETWEEN_CHECKPOINTS = 50
# The layers that an adapter is trained on: all that multiply, in a BERT.
_ADAPTED = ["query", "key", "value", "dense"]
# Where fewer of the pairs find a place in an epoch, keeping them apart costs more than it is worth.
_FEWEST_PLACED = 0.5
# How the system, safetensors and torch say that the disk is full or fails.
_DISK_ERRORS = (errno.ENOSPC, errno.EIO, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
_SAID_OF_DISK = ("No space left", "Input/output error", "inline_container")


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a training did.

    Attributes:
        output: the directory of the model.
        pairs: how many pairs it was trained with.
        held_out: how many were held out.
        steps: how many batches it saw.
        seconds: how long this run took, without what a run before it had done.
        losses: the loss of each step of this run.
        before: the metrics on the held-out pairs before; empty where none were held out.
        after: the same after.
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
    """Fine-tune the model `base` with `pairs` by `recipe`, into the directory `output`.

    The directory then holds a model that sentence-transformers opens, with its card; where an adapter was trained, it
    is merged into the model, and also kept by itself in `adapter`.

    Args:
        pairs: what to train with, and what to measure with (`held_out`).
        output: where the model goes; it must be empty unless `resume`.
        recipe: how to train.
        base: the model to begin with; None for all-MiniLM-L6-v2.
        resume: go on from the last checkpoint of a run that was killed.
        progress: told the steps.

    Raises:
        UsageError: `output` holds something, there is nothing to resume, the pairs cannot be kept apart, or the
            training diverges.
        ModelError: the model cannot be opened, or a library that training needs is not installed.
    """
    require("Training", "train", "datasets", "accelerate", *(["peft"] if recipe.lora_rank else []))
    base = base or resolve(BASE_MODEL)
    trained = [pair for pair in pairs if not pair.held_out]
    if not trained:
        raise UsageError("There are no pairs to train with.")
    plan = _plan(pairs, recipe, base)
    checkpoint = _begun(output, plan, resume=resume)
    started = time.monotonic()
    progress("loading the model")
    with _only_errors(), _failures_told(output):
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
            _bring_nearer(model, base, recipe.strength)
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


def _begun(output: Path, plan: dict[str, Any], *, resume: bool) -> Path | None:
    """Return the last checkpoint in `output` to go on from, or None; check that a run may go there."""
    checkpoints = output / _CHECKPOINTS
    begun = _json_in(checkpoints / _PLAN)
    if not (begun and resume) and output.exists() and (not output.is_dir() or any(output.iterdir())):
        what = "a run that was not finished; go on with --resume, or name" if begun else "files already; name"
        raise UsageError(f"{output} holds {what} another directory with --output.")
    if resume and not begun:
        raise UsageError(f"There is no unfinished run in {output} to resume; train without --resume.")
    if resume and begun != plan:
        raise UsageError(
            f"The unfinished run in {output} has other pairs, another model or another recipe; say the same to resume "
            "it, or name another directory with --output."
        )
    # The state is written last, so that a checkpoint without it is not whole.
    found = [path.parent for path in checkpoints.glob("checkpoint-*/trainer_state.json") if _json_in(path)]
    return max(found, key=lambda path: int(path.name.partition("-")[2]), default=None)


def _begin(output: Path, plan: dict[str, Any]) -> Path:
    """Make the directory of checkpoints, for this user alone, in `output`, which is as the user's files are."""
    output.mkdir(parents=True, exist_ok=True)
    checkpoints = make_private(output / _CHECKPOINTS)
    (checkpoints / _PLAN).write_text(json.dumps(plan), encoding="utf-8")
    return checkpoints


def _json_in(path: Path) -> Any:
    """Return what the file at `path` holds, or None where it is not there or was not written to its end."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _check_apart(pairs: Sequence[TrainingPair], recipe: Recipe) -> None:
    from quotefind.training.sampler import ApartBatchSampler

    placed = sum(map(len, ApartBatchSampler(pairs, pairs, recipe.batch_size, False, seed=recipe.seed)))
    if placed < _FEWEST_PLACED * len(pairs):
        raise UsageError(
            f"Only {placed} of {len(pairs)} pairs find a place in batches of {recipe.batch_size} without false "
            "negatives: too many share a request, a quote or a theme. Take a smaller --batch-size, or --mixed to let "
            "false negatives in."
        )


def _plan(pairs: Sequence[TrainingPair], recipe: Recipe, base: ModelSource) -> dict[str, Any]:
    """Return what must be the same for a run to be the same, as JSON holds it."""
    seen = hashlib.sha256()
    for pair in pairs:
        seen.update(
            repr((pair.query, pair.quote, pair.negatives, pair.theme, sorted(pair.tags), pair.held_out)).encode()
        )
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

    from quotefind.training.callbacks import TellingCallback
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
    with redirect_stderr(io.StringIO()):  # a bar over examples for the card has no switch
        trainer = SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict(columns),
            loss=loss,
            callbacks=[TellingCallback(losses, progress)],
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
            f"No adapter can be trained on {base.name}: it has no layers called {', '.join(_ADAPTED)}. Train all "
            "weights, without --lora-rank."
        ) from error


def _bring_nearer(model: SentenceTransformer, base: ModelSource, strength: float) -> None:
    """Move all weights of `model` back towards those of `base`, of which the rest of 1 is then left."""
    import torch

    before = load(base, "cpu").state_dict()
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            if weight.is_floating_point():
                weight.lerp_(before[name].to(weight), 1 - strength)


def _merged(model: SentenceTransformer, base: ModelSource, adapter: Path, strength: float) -> SentenceTransformer:
    """Save the adapter of `model`, and return `base` with it merged: by the code that also prepares a model."""
    transformer: Any = model[0].auto_model
    transformer.save_pretrained(str(adapter))
    for config in transformer.peft_config.values():
        # Not before: where this is no directory, PEFT asks the hub for it.
        config.base_model_name_or_path = BASE_REPOSITORY if base.name == BASE_MODEL else base.name
        config.lora_alpha *= strength
        config.target_modules = _ADAPTED  # PEFT makes it a set, which is written in another order each time
        config.save_pretrained(str(adapter))
    merged = load(base, "cpu")
    merge_adapter(merged, adapter)
    merged.model_card_data = model.model_card_data
    merged.model_card_data.register_model(merged)
    return merged


def _measured(model: SentenceTransformer, pairs: Sequence[TrainingPair], when: str) -> dict[str, float]:
    """Return the metrics of `model` on the held-out pairs: each request against all held-out quotes.

    They also go into its card, under a name that says `when`.
    """
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
    from sentence_transformers.util import cos_sim

    held_out = [pair for pair in pairs if pair.held_out]
    if not held_out:
        return {}
    number = {quote: str(place) for place, quote in enumerate(dict.fromkeys(pair.quote for pair in held_out))}
    requests: dict[str, set[str]] = {}
    for pair in held_out:
        requests.setdefault(pair.query, set()).add(number[pair.quote])
    queries: dict[str, Any] = {str(place): query for place, query in enumerate(requests)}
    corpus: dict[str, Any] = {place: quote for quote, place in number.items()}
    evaluator = InformationRetrievalEvaluator(
        queries=queries,
        corpus=corpus,
        relevant_docs={place: requests[query] for place, query in queries.items()},
        accuracy_at_k=[1, 10],
        precision_recall_at_k=[10],
        name=f"held-out-{when}",
        score_functions={"cosine": cos_sim},  # by which we rank, whatever the model was made for
        show_progress_bar=False,
        write_csv=False,
    )
    return {key.replace(f"{evaluator.name}_", "held-out_"): value for key, value in evaluator(model).items()}


@contextmanager
def _only_errors() -> Iterator[None]:
    """Keep what the libraries tell about themselves from the user; errors come as exceptions."""
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
def _failures_told(output: Path) -> Iterator[None]:
    """Turn what libraries raise where memory or disk is short into an error that says what to do."""
    try:
        yield
    except QuotefindError:
        raise
    except Exception as error:
        lacking = shortage(error)
        if lacking is not None:
            raise ModelError(
                f"{lacking} A smaller --batch-size or --max-tokens, or --loss cached-mnrl, needs less."
            ) from error
        if getattr(error, "errno", None) in _DISK_ERRORS or any(words in str(error) for words in _SAID_OF_DISK):
            raise UsageError(
                f"{output} cannot be written: the disk is full or fails. Make room, then go on with --resume."
            ) from error
        raise
