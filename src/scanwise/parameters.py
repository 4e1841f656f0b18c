"""The parameters of a model: a mapping from names to arrays that notices every change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ShapeError
from scanwise.inputs import check_finite, number_array
from scanwise.layers import Shape


class Parameters(Mapping[str, NDArray[np.float32]]):
    """Name -> float32 array, in PyTorch's names and layout.

    The arrays handed out are read-only: an engine keeps its own, rearranged copy, so that a change in place would go
    unseen. Change a parameter by assigning it, which copies the values in and checks shape, dtype and finiteness; an
    array handed out earlier keeps the old values.

    >>> import numpy as np, scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Linear(2)), input_shape=(3,), backend="reference")
    >>> model.parameters["0.weight"] = np.ones((2, 3))
    >>> model(np.ones((1, 3))).tolist()
    [[3.0, 3.0]]
    """

    def __init__(self, values: dict[str, NDArray[np.float32]]) -> None:
        self._arrays = {name: _frozen(value) for name, value in values.items()}
        self.version = 0  # counts the changes, so that an executor knows when its copy is old

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self._arrays[name]

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        self._arrays[name] = self._checked(name, value)
        self.version += 1

    def update(self, values: Mapping[str, Any]) -> None:
        """Assign several parameters; either all of them are taken, or none.

        PyTorch's count of batches beside running statistics (`"1.num_batches_tracked"`) is passed over: with a fixed
        momentum nothing reads it.

        Raises:
            ArgumentError: a name is unknown, a value is not finite, or a variance is negative.
            ArgumentTypeError: a value is not an array of real numbers.
            ShapeError: a value has another shape than the parameter.
        """
        checked = {n: self._checked(n, value) for n, value in values.items() if not self._is_count(n)}
        self._arrays.update(checked)
        self.version += 1

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name!r}: float32 {array.shape}" for name, array in self._arrays.items())
        return f"Parameters({{{shapes}}})"

    def __getstate__(self) -> dict[str, NDArray[np.float32]]:
        return self._arrays

    def __setstate__(self, arrays: dict[str, NDArray[np.float32]]) -> None:
        self.__init__(arrays)  # type: ignore[misc]  # a copied array is writable: freeze it again

    @property
    def shapes(self) -> dict[str, Shape]:
        """Name -> shape."""
        return {name: array.shape for name, array in self._arrays.items()}

    def _is_count(self, name: str) -> bool:
        place, _, own = name.rpartition(".")
        return own == "num_batches_tracked" and f"{place}.running_mean" in self._arrays

    def _checked(self, name: str, value: ArrayLike) -> NDArray[np.float32]:
        if name not in self._arrays:
            known = ", ".join(self._arrays) or "(none)"
            raise ArgumentError(f"parameter name must be one of {known}. Got {name!r}.")
        array = number_array(value, f"parameter {name!r}")
        expected = self._arrays[name].shape
        if array.shape != expected:
            raise ShapeError(f"parameter {name!r} must have shape {expected}. Got {array.shape}.")
        with np.errstate(over="ignore"):
            copy = np.array(array, np.float32, order="C")
        check_finite(copy, f"parameter {name!r}")
        if name.rpartition(".")[2] == "running_var" and copy.min(initial=0.0) < 0.0:
            raise ArgumentError(f"parameter {name!r} must be at least 0: a variance. Got {copy.min()}.")
        return _frozen(copy)


def _frozen(array: NDArray[np.float32]) -> NDArray[np.float32]:
    if not array.flags.owndata:
        array = array.copy()
    array.flags.writeable = False
    return array.view()  # a view of a read-only array that owns its data cannot be made writable again
