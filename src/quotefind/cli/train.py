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
    Path, typer.Argument(metavar="PAIRS", help="JSON Lines, CSV or TSV: a request and a quote that answers it.")
]
OutputOption = Annotated[Path, typer.Option("--output", metavar="DIR", help="Where the model goes.")]
BaseModelOption = Annotated[str, typer.Option("--model", metavar="DIR|NAME", help="The model to begin with.")]
LossOption = Annotated[
    Loss, typer.Option("--loss", help="mnrl; cached-mnrl, for large batches; gist, guided by the model itself.")
]
ScaleOption = Annotated[float, typer.Option("--scale", min=0.1, metavar="S", help="Of the similarities.")]
BatchSizeOption = Annotated[int, typer.Option("--batch-size", min=2, metavar="N", help="Pairs in a batch.")]
EpochsOption = Annotated[int, typer.Option("--epochs", min=1, metavar="N", help="How often each pair is seen.")]
LearningRateOption = Annotated[
    float, typer.Option("--learning-rate", min=0, metavar="R", help="At the beginning; it falls linearly to 0.")
]
WarmupOption = Annotated[
    float, typer.Option("--warmup", min=0, max=0.99, metavar="SHARE", help="Of the steps, in which it rises.")
]
LoraRankOption = Annotated[
    int, typer.Option("--lora-rank", min=0, max=384, metavar="R", help="Train an adapter, not all weights.")
]
StrengthOption = Annotated[
    float,
    typer.Option("--strength", min=0.01, max=1, metavar="S", help="How much of what was learned is kept."),
]
MaxTokensOption = Annotated[
    int | None, typer.Option("--max-tokens", min=8, metavar="N", help="Cut longer texts while training.")
]
MixedOption = Annotated[bool, typer.Option("--mixed", help="Do not keep false negatives apart.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="The same seed, the same losses.")]
HeldOutOption = Annotated[
    float,
    typer.Option("--held-out", min=0, max=0.9, metavar="SHARE", help="Of the quotes, where PAIRS has no split."),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with a run that was killed.")]


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
    """Fine-tune a model with your own pairs.

    Without options it follows the recipe of all-MiniLM-L6-v2's model card for quotes.

    \b
    quotefind train pairs.jsonl --output my-model
    quotefind train pairs.jsonl --output my-model --lora-rank 16 --learning-rate 3e-4 --epochs 2
    quotefind index --rebuild --model ./my-model
    """
    if not all(map(isfinite, (scale, learning_rate, warmup, strength, held_out))):
        raise UsageError("--scale, --learning-rate, --warmup, --strength and --held-out take finite numbers.")
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
