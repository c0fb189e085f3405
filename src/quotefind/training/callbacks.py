"""Report the progress of a training."""

from __future__ import annotations

from math import isfinite
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from quotefind.errors import UsageError
from quotefind.progress import Progress


class ProgressCallback(TrainerCallback):
    """Appends each loss to a list, and reports each step to a `Progress`."""

    def __init__(self, losses: list[float], progress: Progress) -> None:
        """Append to `losses`, and call `progress`."""
        self._losses = losses
        self._progress = progress

    def on_log(  # the trainer passes more than is needed
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, float] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Record the loss.

        Raises:
            UsageError: it is no longer a finite number, so the training cannot recover.
        """
        if logs and "loss" in logs:
            if not isfinite(logs["loss"]):
                raise UsageError(
                    f"The training diverged: the loss of step {state.global_step} is {logs['loss']}. "
                    "Lower --learning-rate, and choose another directory with --output."
                )
            self._losses.append(logs["loss"])
            self._progress(f"training, loss {logs['loss']:.2f}", state.global_step, state.max_steps)
