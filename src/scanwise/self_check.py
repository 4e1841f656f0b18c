"""The self-check of saved models: inputs drawn from a seed, and the outputs that the saving machine had for them.

Outputs have the same bits on every machine, so that one comparison tells whether this machine, this version and this
file together do what was trained.
"""

from __future__ import annotations

import base64
import binascii
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import EngineError, ScanwiseError, SelfCheckWarning
from scanwise.initialization import raw_words

if TYPE_CHECKING:
    from scanwise.executor import Executor
    from scanwise.model import Model

__all__ = ["Golden", "check_if_compiled", "golden_of"]

SAMPLES = 2
_STREAM = (
    1 << 34
)  # words of the seed's counter; other streams are those of first parameters and shuffled samples
_VALUES = 4096  # of an output that are kept: 32 KB of two
_DEFAULT_RANGE = (-1.0, 1.0)
# Largest relative difference that other rounding may explain, of a version whose kernels add up in another order.
_ROUNDING = 1e-4
# Operations that take some tens of milliseconds: what takes longer waits until the model is used.
_QUICK = 2_000_000_000


@dataclass(frozen=True)
class Golden:
    """What a model gave for two inputs.

    Attributes:
        limits: smallest and largest value of the inputs.
        outputs: `(2, n)` float32, the first values of each output.
        version: of Scanwise, that computed them.
    """

    limits: tuple[float, float]
    outputs: NDArray[np.float32]
    version: str

    def to_json(self) -> dict[str, Any]:
        """As JSON data; outputs are their bytes, little-endian, in base64."""
        text = base64.b64encode(self.outputs.astype("<f4").tobytes()).decode()
        return {"limits": list(self.limits), "outputs": text, "version": self.version}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Golden:
        """What `to_json` described, or ValueError, KeyError, TypeError."""
        low, high = map(float, data["limits"])
        try:
            content = base64.b64decode(data["outputs"], validate=True)
        except binascii.Error as error:
            raise ValueError(f"golden outputs must be base64: {error}") from None
        outputs = np.frombuffer(content, "<f4").astype(np.float32).reshape(SAMPLES, -1)
        return Golden((low, high), outputs, str(data["version"]))

    def verify(self, executor: Executor, input_shape: tuple[int, ...]) -> None:
        """Compare with what an executor gives now.

        Raises:
            EngineError: it is something else.

        Warns:
            SelfCheckWarning: it differs as rounding does.
        """
        found = _first_values(executor.forward(_inputs(self.limits, input_shape)))
        if found.tobytes() == self.outputs.tobytes():
            return
        from scanwise import __version__

        told = f"Saved by Scanwise {self.version}, loaded by {__version__}"
        if found.shape != self.outputs.shape:
            raise EngineError(
                f"the model must give {self.outputs.shape[1]} golden values. Got {found.shape[1]}. {told}."
            )
        with np.errstate(invalid="ignore"):
            largest = float(np.abs(self.outputs).max(initial=0.0))
            difference = float(np.abs(found.astype(np.float64) - self.outputs).max(initial=0.0))
        message = f"Got a difference of {difference:.3g}, where the largest value is {largest:.3g}. {told}."
        if not difference <= _ROUNDING * largest:
            raise EngineError(
                "the model must give the outputs on this machine that it gave when it was saved. "
                f"{message} backend='reference' does without compiled code."
            )
        warnings.warn(
            f"the model gives other last digits than when it was saved. {message}",
            SelfCheckWarning,
            stacklevel=4,
        )


def golden_of(model: Model) -> Golden | None:
    """Golden outputs of a model's compiled code; None of one on the reference, or that has none that are finite."""
    from scanwise import __version__

    if model.backend != "native":
        return None
    limits = model.input_range or _DEFAULT_RANGE
    try:
        outputs = _first_values(model.executor.forward(_inputs(limits, model.input_shape)))
    except ScanwiseError:  # a model that cannot run here can be saved all the same
        return None
    return Golden(limits, outputs, __version__) if np.isfinite(outputs).all() else None


def check_if_compiled(model: Model) -> None:
    """Do a loaded model's self-check if that takes no time to speak of; else it is left to the model's first use."""
    from scanwise.codegen.jit import NotKeptError, kept_only

    if SAMPLES * model.network.operations(model.input_shape) > _QUICK:
        return
    try:
        with kept_only():
            _ = model.executor
    except NotKeptError:
        return


def _inputs(limits: tuple[float, float], input_shape: tuple[int, ...]) -> NDArray[np.float32]:
    low, high = limits
    shape = (SAMPLES, *input_shape)
    words = raw_words(0, _STREAM, int(np.prod(shape)))
    unit = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (low + (high - low) * unit).astype(np.float32).reshape(shape)


def _first_values(y: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(y.reshape(SAMPLES, -1)[:, :_VALUES])
