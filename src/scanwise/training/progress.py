"""The progress bar of `fit`: epoch, loss, samples per second, remaining time."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ProgressBar:
    """A bar on standard error if that is a terminal, else nothing."""

    def __init__(self, *, wanted: bool, epochs: int, samples: int) -> None:
        self._epochs = epochs
        self._samples = samples
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if wanted:
            self._make()

    def _make(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        console = Console(stderr=True)
        if not console.is_terminal:
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("compiling", total=self._epochs * self._samples, rate="")

    def __enter__(self) -> ProgressBar:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, epoch: int, samples: int, loss: float, rate: float) -> None:
        """Show that `samples` samples of epoch `epoch` (from 0) are done, at `rate` samples per second."""
        if self._bar is None or self._task is None:
            return
        self._bar.update(
            self._task,
            completed=epoch * self._samples + samples,
            description=f"epoch {epoch + 1}/{self._epochs}  loss {loss:.4f}",
            rate=f"{rate:,.0f} samples/s",
        )
