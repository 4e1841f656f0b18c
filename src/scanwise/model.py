"""`Model`: a network with parameters."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise import shapes
from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.executor import Executor, make_executor
from scanwise.facts import BACKGROUND_NAMES as BACKGROUND_NAMES
from scanwise.facts import IMAGE_MODES as IMAGE_MODES
from scanwise.facts import Facts
from scanwise.initialization import initial_parameters
from scanwise.inputs import as_gradient, as_samples, as_target, check_loss, check_memory, is_window
from scanwise.layers import Sequential, Shape
from scanwise.parameters import Parameters

if TYPE_CHECKING:
    from scanwise.calibration import Calibration
    from scanwise.presence import AggregatingNetwork, Presence
    from scanwise.self_check import Golden

BACKENDS = ("native", "reference")
PRECISIONS = ("exact", "fast")


class Model(Facts):
    """A network with parameters: it predicts, gives gradients, is trained by `fit`, and is saved to a file.

    Args:
        network: the layers. Its first shape is `input_shape`; the sizes of all others follow.
        input_shape: shape of one sample, channels first: `(C, H, W)`, `(C, T)` or `(D,)`.
        seed: of the first values of the parameters; the same seed gives the same bits on every platform.
        backend: `"native"` (compiled code) or `"reference"` (the plain loops that define every layer; slow).
        labels: names of the K outputs, if they have names.
        sample_rate: samples per second of the signals the model is for, if it is for recordings.
        image_mode: `"L"` (grey) or `"RGB"`, if it is for images.
        background: the label that means "nothing here", which a scan never reports. None: the label called
            `"background"` or `"none"`, if there is one.

    Attributes:
        loss: the name of the loss of the last training, or None.
        history: its epochs, as in the `History` that `fit` gave, or None.
        training: what decided it, as JSON data: optimizer, batch size, seed, checksums of samples, versions; or None.
        input_range: smallest and largest value of its samples, or None.

    Raises:
        ShapeError: the network does not fit `input_shape`; the message shows the layers up to the misfit.
        ArgumentError, ArgumentTypeError: another argument is not as stated, or the network does not fit into memory.

    >>> import numpy as np, scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(10)), input_shape=(1, 8, 8), backend="reference")
    >>> model(np.zeros((5, 1, 8, 8))).shape
    (5, 10)
    """

    def __init__(
        self,
        network: Sequential,
        input_shape: Sequence[int],
        *,
        seed: int = 0,
        backend: str = "native",
        labels: Sequence[str] | None = None,
        sample_rate: float | None = None,
        image_mode: str | None = None,
        background: str | None = None,
    ) -> None:
        if not isinstance(network, Sequential):
            raise ArgumentTypeError(f"network must be a Sequential. Got {network!r}.")
        if backend not in BACKENDS:
            raise ArgumentError(f"backend must be one of {', '.join(map(repr, BACKENDS))}. Got {backend!r}.")
        rows = shapes.walk(network, input_shape)  # type: ignore[arg-type]  # it checks and converts
        self.network = network
        self.input_shape: Shape = rows[0].input_shape
        self.output_shape: Shape = rows[-1].output_shape
        self.backend = backend
        self.labels = labels
        self.sample_rate = sample_rate
        self.image_mode = image_mode
        self.background = background
        self.loss: str | None = None
        self.history: tuple[dict[str, float], ...] | None = None
        self.training: dict[str, Any] | None = None
        self.input_range: tuple[float, float] | None = None
        self._calibration: tuple[Calibration, object] | None = None  # and what it was measured with
        check_memory(rows)
        self._parameters = Parameters(initial_parameters(network, self.input_shape, seed))
        self._executor: Executor | None = None
        self._loaded_version = -1  # of the parameters that the executor holds
        self._aggregating: AggregatingNetwork | None = None
        self._golden: tuple[Golden, int] | None = (
            None  # of a loaded model: to be checked, for which parameters
        )
        self._lock = threading.Lock()  # of the three lines above

    # -- predictions and gradients ---------------------------------------------------------------------------------

    def __call__(self, x: ArrayLike, *, precision: str = "exact") -> NDArray[np.float32]:
        """Outputs for `N` samples.

        Args:
            x: `(N, *input_shape)` of any real dtype. It is converted to float32; uint8 is taken as 0..1, that is
                divided by 255. N may be 0.
            precision: `"exact"`: each sample's output has the same bits whatever the batch, the number of threads
                and the machine. `"fast"`: Winograd's algorithm where it is faster, which rounds otherwise (relative
                error about 1e-6 rather than 1e-7).

        Returns:
            `(N, *output_shape)` float32.

        Raises:
            ShapeError: `x` has another shape.
            ArgumentTypeError: `x` is not an array of real numbers.
            ArgumentError: `x` holds NaN or infinity (the message has the first index), or `precision` is unknown.
        """
        if precision not in PRECISIONS:
            raise ArgumentError(
                f"precision must be one of {', '.join(map(repr, PRECISIONS))}. Got {precision!r}."
            )
        executor, fast = self._executor, precision == "fast"
        if executor is None or self._loaded_version != self._parameters.version:
            executor = self.executor
        if is_window(x, self.input_shape):
            y = executor.forward_if_finite(x, fast=fast)
            if y is not None:
                return y
        samples = as_samples(x, self.input_shape, finite=False)
        if len(samples) == 0:
            return np.empty((0, *self.output_shape), np.float32)
        y = executor.forward_if_finite(samples, fast=fast)
        if y is None:
            samples = as_samples(samples, self.input_shape)  # says which
            y = executor.forward(samples, fast=fast)  # another thread has changed x meanwhile
        return y

    def presence(self, signals: Sequence[ArrayLike] | ArrayLike) -> Presence:
        """Whether patterns occur anywhere in signals of any length, and where: for a network that ends in `Aggregate`.

        A signal has the scores that a model with the same network and parameters, made for inputs of the signal's
        shape, gives for it, bit for bit; so one of shape `input_shape` has those of a call. Memory does not grow with
        the length of a signal, or the height of an image. (An image's width counts: a row of positions is held.)

        Layers may pad: then a signal is padded at its own ends alone, goes through the network whole, which is compiled
        for each size, and must fit into memory. So must every signal on the reference backend.

        Args:
            signals: a list of arrays `(C, T)` or `(C, H, W)`, of any extents that are at least the receptive field of
                the layers before the `Aggregate` and, if it has a grid, give a position for each of its cells; or one
                array `(N, C, ...)`; of any real dtype (uint8 is taken as 0..1). They may be memory maps.

        Returns:
            `Presence`: scores `(N, K)`, and for each the position that decided.

        Raises:
            ArgumentError: the network has no `Aggregate`, or before it a layer that has one size (`UnitBias`,
                `ConvTranspose1d`, `ConvTranspose2d`), or cells of its grid do not become one score for each label;
                there is no signal, or one holds NaN, infinity, or values that become infinite within the network.
            ArgumentTypeError: it is not a list of arrays of real numbers.
            ShapeError: a signal has other axes or channels, is too small, or too large to be evaluated whole.

        Source: lecture 1.2, step 5, and 2.2.

        >>> import numpy as np, scanwise as sw
        >>> model = sw.Model(sw.Sequential(sw.Conv1d(8, 5), sw.ReLU(), sw.Aggregate("max"), sw.Linear(2)), (1, 100))
        >>> noise = np.random.default_rng(0).standard_normal((1, 1000))
        >>> found = model.presence([noise, noise[:, :100], noise[:, 7:50]])
        >>> found.scores.shape, found.positions.shape
        ((3, 2), (3, 2))
        >>> np.array_equal(found.scores[1], model(noise[None, :, :100])[0])
        True
        """
        from scanwise.presence import AggregatingNetwork

        with self._lock:
            if self._aggregating is None:
                self._aggregating = AggregatingNetwork(self.network, self.input_shape, self.backend)
        return self._aggregating(signals, self._parameters, self.labels)

    def gradients(
        self, x: ArrayLike, dy: ArrayLike
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        """Gradients of `sum(model(x) * dy)`: the vector-Jacobian product.

        Args:
            x: `(N, *input_shape)`, as for a call.
            dy: `(N, *output_shape)`.

        Returns:
            `(dx, {name: array})`: by the input (as float32 values; for uint8 by the values in 0..1), and by every
            trained parameter, added up over the N samples. Dropout is the identity, and batch normalisation takes
            its running statistics.

        Raises:
            ShapeError, ArgumentError, ArgumentTypeError: an argument is not as stated.

        >>> import scanwise as sw
        >>> model = sw.Model(sw.Sequential(sw.Linear(1, bias=False)), (2,))
        >>> model.parameters["0.weight"] = [[3.0, 4.0]]
        >>> dx, by_parameter = model.gradients([[1.0, 2.0]], [[1.0]])
        >>> dx.tolist(), by_parameter["0.weight"].tolist()
        ([[3.0, 4.0]], [[1.0, 2.0]])
        """
        samples = as_samples(x, self.input_shape)
        upstream = as_gradient(dy, (len(samples), *self.output_shape))
        if len(samples) == 0:
            return np.empty((0, *self.input_shape), np.float32), self._zeros()
        return self.executor.gradients(samples, upstream)

    def loss_and_gradients(
        self, x: ArrayLike, y: ArrayLike, loss: str = "cross_entropy"
    ) -> tuple[float, dict[str, NDArray[np.float32]]]:
        """The mean loss over N samples, and its gradient by every trained parameter.

        Dropout is the identity, and batch normalisation takes its running statistics.

        Args:
            x: `(N, *input_shape)`, N at least 1.
            y: label numbers `(N,)` for `"cross_entropy"`; values `(N, *output_shape)` for the others.
            loss: `"cross_entropy"` (of the softmax of the outputs; a network that ends in `Softmax` is not
                given a second one), `"binary_cross_entropy"` (of the sigmoid, likewise; mean over all values)
                or `"mse"`.

        Raises:
            ShapeError, ArgumentError, ArgumentTypeError: an argument is not as stated.

        >>> import scanwise as sw
        >>> model = sw.Model(sw.Sequential(sw.Linear(1, bias=False)), (2,))
        >>> model.parameters["0.weight"] = [[3.0, 4.0]]
        >>> loss, gradients = model.loss_and_gradients([[1.0, 1.0]], [[5.0]], loss="mse")
        >>> loss, gradients["0.weight"].tolist()
        (4.0, [[4.0, 4.0]])
        """
        check_loss(loss)
        samples = as_samples(x, self.input_shape)
        target = as_target(y, len(samples), self.output_shape, loss)
        if len(samples) == 0:
            raise ArgumentError("x must hold at least one sample. Got 0.")
        return self.executor.loss_and_gradients(samples, target, loss)

    @property
    def executor(self) -> Executor:
        """What runs the network, made at first use and holding the present parameters."""
        with self._lock:
            if self._executor is None:
                self._loaded_version = -1
                self._executor = make_executor(self.network, self.input_shape, self.backend)
            version = self._parameters.version
            if self._loaded_version != version:
                self._executor.load_parameters(self._parameters)
                self._loaded_version = version
            if self._golden is not None:
                self._verify(self._executor)
            return self._executor

    def _verify(self, executor: Executor) -> None:
        """The self-check of a loaded model, once. One that fails is done again at the next use."""
        golden = self._pending()
        if golden is not None:
            try:
                golden.verify(executor, self.input_shape)
            except BaseException:
                self._executor = None
                raise
        self._golden = None

    def _pending(self) -> Golden | None:
        """Golden outputs that are still to be compared, unless the parameters have changed."""
        if self._golden is None or self._golden[1] != self._parameters.version:
            return None
        return self._golden[0]

    def expect(self, golden: Golden) -> None:
        """Check the first executor against golden outputs, unless the parameters have changed until then."""
        self._golden = golden, self._parameters.version

    def _zeros(self) -> dict[str, NDArray[np.float32]]:
        state = self.network.state_names()
        return {
            n: np.zeros(shape, np.float32) for n, shape in self._parameters.shapes.items() if n not in state
        }

    # -- parameters and facts --------------------------------------------------------------------------------------

    @property
    def parameters(self) -> Parameters:
        """Name -> read-only float32 array (`"0.weight"`, `"0.bias"`, ...), in PyTorch's names and layout.

        Assign to change: `model.parameters["0.weight"] = w` copies `w` in and checks its shape.
        """
        return self._parameters

    @parameters.setter
    def parameters(self, values: Mapping[str, Any]) -> None:
        self._parameters.update(values)

    @property
    def connections(self) -> int:
        """Weighted connections for one sample, biases included: a shared weight counts wherever it is used.

        The papers of the 1980s and 1990s give this count beside the number of parameters.

        >>> import scanwise as sw
        >>> sw.Model(sw.Sequential(sw.Conv2d(6, 5)), input_shape=(1, 32, 32)).connections
        122304
        """
        return self.network.connection_count(self.input_shape)

    def summary(self) -> str:
        """A table of the layers: output shape, parameters, operations, receptive field; totals last.

        >>> import scanwise as sw
        >>> net = sw.Sequential(sw.Conv2d(6, 5), sw.ReLU(), sw.Flatten(), sw.Linear(10))
        >>> print(sw.Model(net, input_shape=(1, 8, 8)).summary())
        place  layer         output shape  parameters  operations  receptive field
               input         1x8x8                                 1x1
        0      Conv2d(6, 5)  6x4x4         156         4,896       5x5
        1      ReLU()        6x4x4         0           96          5x5
        2      Flatten()     96            0           0           8x8
        3      Linear(10)    10            970         1,930       8x8
               total                       1,126       6,922
        """
        return shapes.summary_table(self.network, self.input_shape)

    def __repr__(self) -> str:
        words = [repr(self.network), f"input_shape={self.input_shape}"]
        if self.backend != "native":
            words.append(f"backend={self.backend!r}")
        words += [
            f"{name}={getattr(self, name)!r}"
            for name in ("labels", "sample_rate", "image_mode")
            if getattr(self, name) is not None
        ]
        return f"Model({', '.join(words)})"

    # -- copies and files ------------------------------------------------------------------------------------------

    def copy(self) -> Model:
        """An independent model with the same network, parameters and labels."""
        return copy.deepcopy(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one safetensors file: parameters, and as JSON the network, input shape, labels,
        sample rate, image mode, what its training was and came to, and version.

        The file of a model on the native backend also holds the outputs for two inputs, drawn within `input_range`,
        against which `load` checks the machine. They are computed here, which may compile the network.

        The file is written beside its place, flushed to the disk and renamed, so that there is never half a file.

        Raises:
            FileError: the folder is missing or not writable, or the disk is full.
            ArgumentError: a layer's table (`codes`, `connections`) is too large for the file's header.
        """
        from scanwise.model_file import save

        save(self, path)

    def to_bytes(self) -> bytes:
        """What `save` writes, without a file. The same model gives the same bytes.

        Raises:
            ArgumentError: a layer's table (`codes`, `connections`) is too large for the file's header.

        >>> import scanwise as sw
        >>> model = sw.Model(sw.Sequential(sw.Linear(2)), input_shape=(3,), labels=("no", "yes"))
        >>> sw.Model.from_bytes(model.to_bytes()).labels
        ('no', 'yes')
        """
        from scanwise.model_file import to_bytes

        return to_bytes(self)

    @classmethod
    def from_bytes(cls, content: bytes, *, backend: str = "native") -> Model:
        """The model whose `to_bytes`, or whose file, is `content`. As `load`, it runs no code that is in the bytes.

        Args:
            content: the bytes.
            backend: `"native"` or `"reference"`, as for `Model`.

        Raises:
            ArgumentTypeError: `content` is not bytes.
            ModelFileError: it is not a model, truncated, damaged, or of a newer version.
        """
        from scanwise.model_file import from_bytes

        return from_bytes(content, backend=backend)

    def __getstate__(self) -> dict[str, Any]:
        # An executor holds machine code and is made again at first use.
        pending = self._pending()
        golden = None if pending is None else (pending, 0)  # copied parameters count their changes anew
        without = dict.fromkeys(("_executor", "_aggregating", "_lock"))
        return {**self.__dict__, **without, "_golden": golden, "_calibration": self.calibration}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock(), _calibration=None)
        self.calibration = state.get("_calibration")


def load(path: str | PathLike[str], *, backend: str = "native") -> Model:
    """Read a model that `Model.save` wrote.

    A model on the native backend is checked against the golden outputs in its file, if there are any: now, if its
    kernels are in the cache, else when it is first used. Nothing is compiled here.

    Args:
        path: the file.
        backend: `"native"` or `"reference"`, as for `Model`.

    Raises:
        FileError: the file is missing or cannot be read.
        ModelFileError: it is not a model, truncated, damaged, or of a newer version.
        EngineError: the golden outputs come out otherwise on this machine. Where only last digits differ, as they may
            between versions of Scanwise, there is a `SelfCheckWarning` instead.

    >>> import scanwise as sw, tempfile, pathlib
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name) / "model.safetensors"
    >>> sw.Model(sw.Sequential(sw.Linear(2)), input_shape=(3,), labels=("no", "yes")).save(path)
    >>> sw.load(path).labels
    ('no', 'yes')
    >>> folder.cleanup()
    """
    from scanwise.model_file import load as read

    return read(path, backend=backend)
