"""The network that an estimator trains: as the user names or gives it, for the samples that there are."""

from __future__ import annotations

from scanwise import models
from scanwise.errors import ArgumentTypeError, ScanwiseError, ShapeError
from scanwise.layers import Linear, ReLU, Sequential, Shape
from scanwise.shapes import walk

__all__ = ["network_for"]

_HIDDEN = 64  # of the network for tables, which are small where people keep to scikit-learn


def network_for(
    network: object, extent: Shape, classes: int, sample_rate: float | None
) -> tuple[Sequential, Shape]:
    """The network, and the shape of one sample that it takes.

    Rows of a table `(D,)` are samples of that shape. They are signals of one channel `(1, D)` if they have a sample
    rate, or if the network takes nothing else.

    Args:
        network: a name in `scanwise.models`, a `Sequential`, or None, which picks one.
        extent: shape of one sample.
        classes: number of outputs.
        sample_rate: in Hz, or None.

    Raises:
        ArgumentTypeError: `network` is of another type.
        ScanwiseError: no network is called that, or it does not fit the samples or the classes.
    """
    if not (network is None or isinstance(network, str | Sequential)):
        raise ArgumentTypeError(f"network must be a name, a Sequential, or None. Got {network!r}.")
    signal = (1, *extent)
    kinds = [extent] if len(extent) > 1 else [signal] if sample_rate is not None else [extent, signal]
    for shape in kinds[:-1]:
        try:
            return _fitting(network, shape, classes, sample_rate), shape
        except ScanwiseError:
            continue
    return _fitting(network, kinds[-1], classes, sample_rate), kinds[-1]


def _fitting(
    network: str | Sequential | None, shape: Shape, classes: int, sample_rate: float | None
) -> Sequential:
    if isinstance(network, Sequential):
        found = walk(network, shape)[-1].output_shape
        if found != (classes,):
            raise ShapeError(
                f"network must have one output for each of the {classes} classes, shape ({classes},). Got {found}."
            )
        return network
    if network is None and len(shape) == 1:
        return Sequential(Linear(_HIDDEN), ReLU(), Linear(classes))
    return models.get(network or "auto", shape, classes, sample_rate=sample_rate)  # type: ignore[arg-type]  # it checks
