"""`quotefind train`."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from quotefind import interrupts
from quotefind.cli import output, session
from quotefind.cli.options import JsonOption, PairsFormatOption, QuietOption
from quotefind.errors import UsageError

# The order in which metrics are shown, by the names that sentence-transformers gives them.
_SHOWN = {
    "nDCG@10": "held-out_cosine_ndcg@10",
    "MRR@10": "held-out_cosine_mrr@10",
    "recall@10": "held-out_cosine_recall@10",
    "accuracy@1": "held-out_cosine_accuracy@1",
}


class Loss(StrEnum):
    """A loss; see `quotefind.training.recipe`."""

    mnrl = "mnrl"
    cached_mnrl = "cached-mnrl"
    gist = "gist"


PairsArgument = Annotated[
    Path,
    typer.Argument(metavar="PAIRS", help="JSON Lines, CSV or TSV with pairs of a query and a quote that answers it."),
]
OutputOption = Annotated[Path, typer.Option("--output", metavar="DIR", help="Directory for the trained model.")]
BaseModelOption = Annotated[str, typer.Option("--model", metavar="DIR|NAME", help="Model to start from.")]
LossOption = Annotated[
    Loss,
    typer.Option(
        "--loss", help="Loss function. cached-mnrl is mnrl for large batches; gist is guided by the untrained model."
    ),
]
ScaleOption = Annotated[
    float, typer.Option("--scale", min=0.1, metavar="S", help="Scale factor of the similarities in the loss.")
]
BatchSizeOption = Annotated[int, typer.Option("--batch-size", min=2, metavar="N", help="Pairs per batch.")]
EpochsOption = Annotated[int, typer.Option("--epochs", min=1, metavar="N", help="Number of passes over the pairs.")]
LearningRateOption = Annotated[
    float,
    typer.Option("--learning-rate", min=0, metavar="R", help="Initial learning rate. It decreases linearly to 0."),
]
WarmupOption = Annotated[
    float,
    typer.Option(
        "--warmup", min=0, max=0.99, metavar="FRACTION", help="Fraction of steps used for learning-rate warm-up."
    ),
]
LoraRankOption = Annotated[
    int,
    typer.Option(
        "--lora-rank", min=0, max=384, metavar="R", help="Train a LoRA adapter of rank R instead of all weights."
    ),
]
StrengthOption = Annotated[
    float,
    typer.Option("--strength", min=0.01, max=1, metavar="S", help="Fraction of the learned change to keep."),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option("--max-tokens", min=8, metavar="N", help="Truncate longer texts to N tokens during training."),
]
MixedOption = Annotated[bool, typer.Option("--mixed", help="Let pairs that may be false negatives share a batch.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Random seed.")]
HeldOutOption = Annotated[
    float,
    typer.Option(
        "--held-out",
        min=0,
        max=0.9,
        metavar="FRACTION",
        help="Fraction of the quotes to hold out for the report, if PAIRS has no split column.",
    ),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run from its last checkpoint.")]


def train(
    pairs: PairsArgument,
    directory: OutputOption,
    model: BaseModelOption = "all-MiniLM-L6-v2",
    loss: LossOption = Loss.mnrl,
    scale: ScaleOption = 20.0,
    batch_size: BatchSizeOption = 32,
    epochs: EpochsOption = 4,
    learning_rate: LearningRateOption = 5e-5,
    warmup: WarmupOption = 0.0,
    lora_rank: LoraRankOption = 0,
    strength: StrengthOption = 1.0,
    max_tokens: MaxTokensOption = None,
    mixed: MixedOption = False,
    seed: SeedOption = 42,
    held_out: HeldOutOption = 0.1,
    resume: ResumeOption = False,
    input_format: PairsFormatOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fine-tune a model on your own pairs.

    The defaults fine-tune all-MiniLM-L6-v2 with MultipleNegativesRankingLoss.

    \b
        quotefind train pairs.jsonl --output my-model
        quotefind train pairs.jsonl --output my-model --lora-rank 16 --learning-rate 3e-4 --epochs 2
        quotefind index --rebuild --model ./my-model
    """
    if not all(map(isfinite, (scale, learning_rate, warmup, strength, held_out))):
        raise UsageError("--scale, --learning-rate, --warmup, --strength and --held-out need finite numbers.")
    from quotefind.encoders.resolve import resolve
    from quotefind.training.pairs_file import read_pairs
    from quotefind.training.recipe import Recipe

    recipe = Recipe(
        loss=loss.value,
        scale=scale,
        batch_size=batch_size,
        epochs=epochs,
        learning_rate=learning_rate,
        warmup=warmup,
        lora_rank=lora_rank,
        strength=strength,
        max_tokens=max_tokens,
        keep_apart=not mixed,
        seed=seed,
    )
    read = read_pairs(pairs, input_format=input_format, held_out=held_out)
    base = resolve(model)
    from quotefind.training.fine_tuning import train as fine_tune

    resumable = interrupts.hint("add --resume to continue from the last checkpoint, if there is one")
    with session.progress_bar(quiet=quiet) as progress, resumable:
        report = fine_tune(read, directory, recipe, base=base, resume=resume, progress=progress)
    if json:
        print(output.to_json(asdict(report) | {"output": str(report.output)}))  # noqa: T201
    elif not quiet:
        lines = [
            ("model", str(report.output)),
            ("pairs", str(report.pairs)),
            ("held out", str(report.held_out)),
            ("steps", str(report.steps)),
            ("seconds", f"{report.seconds:.0f}"),
        ]
        lines += [
            (name, f"{report.before[key]:.3f} before, {report.after[key]:.3f} after")
            for name, key in _SHOWN.items()
            if key in report.after
        ]
        output.show_facts(lines)
