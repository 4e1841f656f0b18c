"""`Neocognitron`: Fukushima's network, which learns stage by stage without gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise import shapes
from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.initialization import check_seed, raw_words
from scanwise.inputs import as_samples, as_target
from scanwise.layers import Aggregate, Layer, MaxByLabel, ReLU, Sequential, Shape, SPlane
from scanwise.layers.arguments import integer
from scanwise.model import Model
from scanwise.neocognitron.edges import contrast_weights, edge_planes
from scanwise.neocognitron.labelled import LabelledLearning
from scanwise.neocognitron.planes import Planes
from scanwise.neocognitron.self_organization import SelfOrganization
from scanwise.neocognitron.stages import Contrast, Edges, Labelled, SelfOrganized

Float32 = NDArray[np.float32]
Progress = Callable[[str, int, int], None]

_ORDER_STREAM = 1 << 34  # of the seed's Philox counter: the order of the samples
_PIECE = 256  # samples whose maps are in memory at once, beside those that a stage learns from


class Neocognitron:
    """Fukushima's Neocognitron: it learns features without labels, stage by stage, and labels in its last stage.

    Cells for contrast and for edges are preset. Each S-layer above learns the patterns in the C-layer below it by
    competition; nothing is propagated back. The planes of the last S-layer have labels, and the one that answers most
    decides. `models.neocognitron` makes one for handwritten digits.

    Args:
        input_shape: `(1, H, W)`.
        classes: number of labels, at least 2.
        contrast: the cells for contrast.
        edges: the first S-layer and C-layer.
        stages: those that learn without labels, from below.
        labelled: the last S-layer.

    Raises:
        ShapeError: `input_shape` is not one grey image, or the stages do not fit it.
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    Source: Fukushima, "Neocognitron: a self-organizing neural network model for a mechanism of pattern recognition
    unaffected by shift in position", Biological Cybernetics 36 (1980); "Neocognitron for handwritten digit
    recognition", Neurocomputing 51 (2003). The lecture's part 5.1.

    >>> import numpy as np
    >>> from scanwise import models
    >>> x = np.zeros((4, 1, 28, 28), np.float32)
    >>> x[0::2, :, 4:24, 13:15] = 1  # two strokes down, two strokes across
    >>> x[1::2, :, 13:15, 4:24] = 1
    >>> network = models.neocognitron(classes=2).fit(x, [0, 1, 0, 1], epochs=1)
    >>> network.predict(np.roll(x, 2, axis=3)).tolist()
    [0, 1, 0, 1]
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        *,
        contrast: Contrast,
        edges: Edges,
        stages: Sequence[SelfOrganized],
        labelled: Labelled,
    ) -> None:
        self.classes = integer("Neocognitron", "classes", classes, minimum=2)
        self.contrast, self.edges, self.labelled = contrast, edges, labelled
        self.stages = tuple(stages)
        for name, value, kind in (
            ("contrast", contrast, Contrast), ("edges", edges, Edges), ("labelled", labelled, Labelled),
            *(("stages", stage, SelfOrganized) for stage in self.stages),
        ):  # fmt: skip
            if not isinstance(value, kind):
                raise ArgumentTypeError(f"Neocognitron: {name} must be {kind.__name__}. Got {value!r}.")
        self.input_shape = self._checked(input_shape)
        self._model: Model | None = None

    def _checked(self, input_shape: object) -> Shape:
        """`input_shape` as a tuple, if every stage fits, each with one plane."""
        if not isinstance(input_shape, tuple | list):
            raise ArgumentTypeError(f"Neocognitron: input_shape must be (1, H, W). Got {input_shape!r}.")
        shape = tuple(integer("Neocognitron", "input_shape", extent) for extent in input_shape)
        if len(shape) != 3 or shape[0] != 1:
            raise ShapeError(f"Neocognitron: input_shape must be (1, H, W). Got {shape}.")
        layers = [*self._front()]
        for stage in self.stages:
            layers += [stage.layer(1), stage.cells]
        try:
            rows = shapes.walk(Sequential(*layers), shape)
            self.labelled.layer(1, rows[-1].output_shape[1:])
        except (ArgumentError, ShapeError) as error:
            raise ShapeError(
                f"Neocognitron: input_shape must be large enough for every stage. Got {shape}: {error}"
            ) from None
        return shape

    def _front(self) -> list[Layer]:
        return [self.contrast.layer(), ReLU(), self.edges.layer(), self.edges.cells]

    # -- learning --------------------------------------------------------------------------------------------------

    def fit(
        self, x: ArrayLike, y: ArrayLike, *, epochs: int = 4, seed: int = 0, progress: Progress | None = None
    ) -> Neocognitron:
        """Learn from labelled samples; what was learnt before is forgotten.

        The stages without labels learn first, each from the first samples of the shuffled order; then the labelled one,
        from all. The same samples and seed give the same parameters, bit for bit, for every number of threads. Memory
        holds the highest C-layer's answers to all samples.

        Args:
            x: `(N, 1, H, W)` of any real dtype; uint8 is taken as 0..1, that is divided by 255.
            y: label numbers `(N,)`, from 0 to `classes` - 1, each of which must occur.
            epochs: times that every sample is shown to the labelled stage, at least 1. Learning ends earlier after an
                epoch in which every answer was right.
            seed: of the samples' order.
            progress: is called with (stage, samples done, samples in all) now and then; stages are "S2", "S3", ...

        Returns:
            This object.

        Raises:
            ShapeError: `x` or `y` has another shape.
            ArgumentError, ArgumentTypeError: another argument is not as stated; or no sample of a label, or nothing in
                the samples, answers in the stages below.
        """
        samples = as_samples(x, self.input_shape)
        labels = np.asarray(as_target(y, len(samples), (self.classes,), "cross_entropy"), np.int64)
        missing = np.flatnonzero(np.bincount(labels, minlength=self.classes) == 0)
        if missing.size:
            raise ArgumentError(
                f"y must hold every label from 0 to {self.classes - 1}. Got none of {missing[0]}."
            )
        epochs = integer("Neocognitron", "epochs", epochs)
        if progress is not None and not callable(progress):
            raise ArgumentTypeError(f"progress must be a function. Got {progress!r}.")
        order = np.argsort(raw_words(check_seed(seed), _ORDER_STREAM, len(samples)), kind="stable")
        learning = _Learning(self, samples, labels, order, progress or (lambda *_: None))
        learning.preset()
        for stage in self.stages:
            learning.self_organize(stage)
        self._model = learning.label(epochs)
        return self

    # -- recognition -----------------------------------------------------------------------------------------------

    @property
    def model(self) -> Model:
        """The network with what it learnt: a `Model` like any other, with the classes' scores as its output.

        Raises:
            ArgumentError: there was no `fit` yet.
        """
        if self._model is None:
            raise ArgumentError("Neocognitron: fit must come first. Got no samples to learn from yet.")
        return self._model

    def __call__(self, x: ArrayLike) -> Float32:
        """Scores `(N, classes)` of samples `(N, 1, H, W)`: the largest answer of each label's planes, anywhere.

        Raises:
            ShapeError, ArgumentTypeError, ArgumentError: as for `Model`; or there was no `fit` yet.
        """
        return self.model(x)

    def predict(self, x: ArrayLike) -> NDArray[np.int64]:
        """Label numbers `(N,)` of samples `(N, 1, H, W)`: of the plane that answers most.

        Raises:
            ShapeError, ArgumentTypeError, ArgumentError: as for `Model`; or there was no `fit` yet.
        """
        return np.asarray(self(x).argmax(axis=1), np.int64)

    def __repr__(self) -> str:
        words = (f"{name}={getattr(self, name)!r}" for name in ("contrast", "edges", "stages", "labelled"))
        return f"Neocognitron({self.input_shape}, {self.classes}, {', '.join(words)})"


class _Learning:
    """The stages that have learnt so far, as layers with their parameters."""

    def __init__(
        self,
        network: Neocognitron,
        samples: NDArray[np.float32] | NDArray[np.uint8],
        labels: NDArray[np.int64],
        order: NDArray[np.intp],
        progress: Progress,
    ) -> None:
        self._network, self._progress = network, progress
        self._samples, self._labels, self._order = samples, labels, order
        self._layers: list[Layer] = []
        self._parameters: dict[str, Float32] = {}

    def preset(self) -> None:
        network = self._network
        self._layers = [network.contrast.layer(), ReLU()]
        self._parameters["0.weight"] = contrast_weights(network.contrast)
        self._add(network.edges.layer(), edge_planes(network.edges, network.contrast), network.edges.cells)

    def self_organize(self, stage: SelfOrganized) -> None:
        rows = self._order[: stage.samples]
        name = self._name()
        inputs = self._responses(rows)
        learning = SelfOrganization(stage, inputs.shape[1:])
        planes = learning.learn(inputs, lambda done: self._progress(name, done, len(rows)))
        if not planes.count:
            raise ArgumentError(f"x must hold patterns that the stages below {name} answer to. Got none.")
        self._add(stage.layer(planes.count), planes, stage.cells)

    def label(self, epochs: int) -> Model:
        name, total = self._name(), epochs * len(self._order)
        inputs, labels = self._responses(self._order), self._labels[self._order]
        learning = LabelledLearning(self._network.labelled, inputs.shape[1:])
        for epoch in range(epochs):
            report = partial(self._report, name, epoch * len(inputs), total)
            if not learning.learn(inputs, labels, report):
                break
        missing = set(range(self._network.classes)) - set(learning.labels)
        if missing:
            raise ArgumentError(
                f"x must hold patterns of every label that the stages below {name} answer to. "
                f"Got none of {min(missing)}."
            )
        order = np.argsort(learning.labels, kind="stable")
        learning.planes.arrange(order)
        layer = self._network.labelled.layer(learning.planes.count, inputs.shape[2:])
        self._add(layer, learning.planes, Aggregate("max"), MaxByLabel(tuple(sorted(learning.labels))))
        return self._model()

    def _report(self, name: str, before: int, total: int, done: int) -> None:
        self._progress(name, before + done, total)

    def _name(self) -> str:
        """Of the next S-layer."""
        return f"S{sum(isinstance(layer, SPlane) for layer in self._layers) + 1}"

    def _add(self, layer: SPlane, planes: Planes, *after: Layer) -> None:
        place = len(self._layers)
        self._parameters[f"{place}.weight"] = planes.weight
        self._parameters[f"{place}.inhibition"] = planes.inhibition
        self._layers += [layer, *after]

    def _model(self) -> Model:
        model = Model(Sequential(*self._layers), self._network.input_shape)
        model.parameters = self._parameters
        return model

    def _responses(self, rows: NDArray[np.intp]) -> Float32:
        """What the highest layer so far answers to these samples."""
        model = self._model()
        found = np.empty((len(rows), *model.output_shape), np.float32)
        for start in range(0, len(rows), _PIECE):
            part = slice(start, start + _PIECE)
            found[part] = model(self._samples[rows[part]])
        return found
