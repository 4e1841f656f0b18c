"""The Neocognitron: each rule by which it learns, worked by hand, and what users of the whole see."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise import models
from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import Aggregate, Conv2d, CPlane, MaxByLabel, ReLU, Sequential, SPlane
from scanwise.neocognitron import Contrast, Edges, Labelled, Neocognitron, SelfOrganized, labelled
from scanwise.neocognitron.edges import contrast_weights, edge_planes
from scanwise.neocognitron.labelled import LabelledLearning
from scanwise.neocognitron.planes import AMPLIFICATION, Planes
from scanwise.neocognitron.self_organization import SelfOrganization, seed_cells, v_cells
from scanwise.neocognitron.stages import selectivity

Float32 = NDArray[np.float32]

STAGE = SelfOrganized(8, 3, learning_threshold=0.8, recognition_threshold=0.6, cells=CPlane(3), competition=1)


def small(**changes: Any) -> Neocognitron:
    """For pictures of 12 x 12 pixels and two labels."""
    parts: dict[str, Any] = {
        "contrast": Contrast(3, 0.7, 1.4),
        "edges": Edges(4, 3, threshold=0.6, cells=CPlane(3, 2, 1, alpha=0.1)),
        "stages": (dataclasses.replace(STAGE, planes=40, cells=CPlane(3, 2, 1, alpha=0.1)),),
        "labelled": Labelled(0.7),
    }
    return Neocognitron((1, 12, 12), 2, **parts | changes)


def bars(count: int = 12) -> tuple[Float32, NDArray[np.int64]]:
    """Upright bars (label 0) and level ones (label 1), in turns, at several places."""
    x = np.zeros((count, 1, 12, 12), np.float32)
    for n in range(count):
        at = 4 + n // 2 % 3
        x[(n, 0, slice(2, 10), at) if n % 2 == 0 else (n, 0, at, slice(2, 10))] = 1
    return x, np.arange(count) % 2


def answers(planes: Planes, layer: SPlane, u: Float32) -> Float32:
    """Of the S-cells of these planes, to one pattern `(C, H, W)`."""
    layer = dataclasses.replace(layer, planes=planes.count)
    model = sw.Model(Sequential(layer), u.shape, backend="reference")
    model.parameters = {"0.weight": planes.weight, "0.inhibition": planes.inhibition}
    return np.asarray(model(u[None])[0], np.float32)


def field(values: Any) -> Float32:
    return np.asarray(values, np.float32)


# -- planes ------------------------------------------------------------------------------------------------------------


def test_reinforcement_of_1980() -> None:
    """delta a = q w u and delta b = q/2 v, for w = 1/4 everywhere."""
    planes = Planes(np.full((1, 2), 0.25), channels=2, capacity=1)
    first, second = field([[[4, 0]], [[2, 4]]]), field([[[2, 2]], [[2, 2]]])
    assert planes.add(first) == 0
    np.testing.assert_array_equal(planes.weight, AMPLIFICATION * first[None] / 4)
    assert planes.inhibition.tolist() == [AMPLIFICATION / 2 * 3]  # v = sqrt((16 + 4 + 16) / 4) = 3
    planes.reinforce(0, second)
    np.testing.assert_array_equal(planes.weight, AMPLIFICATION * (first + second)[None] / 4)
    assert planes.inhibition.tolist() == [AMPLIFICATION / 2 * (3 + 2)]
    assert planes.add(second) == 1  # more planes than there was room for
    assert planes.inhibition.tolist() == [AMPLIFICATION / 2 * 5, AMPLIFICATION / 2 * 2]


def test_inhibition_of_2003() -> None:
    """b = 1/2 sqrt(sum a^2 / w): the same after one reinforcement, less after two different ones."""
    planes = Planes(np.full((1, 2), 0.5), channels=1)
    planes.add(field([[[1, 1]]]))
    once = planes.inhibition.copy()
    planes.balance(0)
    np.testing.assert_allclose(planes.inhibition, once, rtol=1e-6)
    planes.reinforce(0, field([[[1, 0]]]))
    planes.balance(0)  # a = q/2 (2, 1)
    np.testing.assert_allclose(planes.inhibition, [AMPLIFICATION / 2 * np.sqrt(5 / 2)], rtol=1e-6)


@pytest.mark.parametrize("strength", [0.01, 1.0, 30.0])
def test_a_cell_answers_1_to_what_it_learnt_however_strong(strength: float) -> None:
    layer = SPlane(1, 3, r=4.0)
    planes = Planes(layer.falloff(2), channels=2)
    u = np.random.default_rng(0).uniform(size=(2, 3, 3)).astype(np.float32)
    planes.add(u)
    np.testing.assert_allclose(answers(planes, layer, strength * u), [[[1.0]]], rtol=2e-2)


def test_v_cells_are_those_of_the_layer() -> None:
    """A cell with weights of 1 answers (1 + e) / (1 + 2r/(1+r) b v) - 1 times r: with r = b = 1 that tells v."""
    layer = SPlane(1, 3, r=1.0, gamma=0.8)
    model = sw.Model(sw.Sequential(layer), (2, 5, 6))
    model.parameters = {"0.weight": np.ones((1, 2, 3, 3)), "0.inhibition": [1.0]}
    u = np.random.default_rng(1).uniform(size=(2, 5, 6)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(u, (3, 3), axis=(1, 2))
    v = v_cells(u, layer.falloff(2).astype(np.float32))
    np.testing.assert_allclose(
        model(u[None])[0, 0], (1 + windows.sum(axis=(0, 3, 4))) / (1 + v) - 1, rtol=1e-5
    )


# -- learning without labels -------------------------------------------------------------------------------------------


def test_winners_are_seed_cells() -> None:
    responses = np.zeros((3, 1, 6), np.float32)
    responses[0, 0] = [0, 0.9, 0.7, 0, 0, 0.8]  # plane 0: only its largest, at column 1
    responses[1, 0] = [0, 0.0, 0.85, 0.4, 0, 0.2]  # plane 1: column 2 competes with column 1 and is out
    responses[2, 0] = [
        0,
        0.0,
        0.0,
        0.3,
        0,
        0,
    ]  # plane 2: column 3 loses to plane 1, if cells of all planes compete
    assert seed_cells(responses, competition=1) == [(0, 0, 1), (1, 0, 3)]
    assert seed_cells(responses, competition=0) == [(0, 0, 1), (1, 0, 2), (2, 0, 3)]
    assert seed_cells(np.zeros((2, 3, 3), np.float32), competition=1) == []


def test_silent_places_get_planes_and_known_features_none() -> None:
    """A level and an upright stroke: planes until no place with input is silent; the same again adds nothing."""
    u = np.zeros((1, 9, 9), np.float32)
    u[0, 1, 1:4] = u[0, 5:8, 7] = 1
    learning = SelfOrganization(dataclasses.replace(STAGE, planes=40), u.shape)
    learning.show(np.zeros_like(u))
    assert learning.planes.count == 0
    learning.show(u)
    made = learning.planes.count
    assert made >= 2
    v = v_cells(np.pad(u, ((0, 0), (1, 1), (1, 1))), learning.planes.falloff)
    loud = v > 0.2 * v.max()
    layer = STAGE.layer(made, learning=True)
    assert np.all(answers(learning.planes, layer, u).max(axis=0)[loud] > 0)
    learning.show(u)
    assert learning.planes.count == made


def test_the_seed_cells_plane_is_reinforced() -> None:
    """A plane that has learnt a stroke learns a similar one at another place: a = q w (u1 + u2), b = q/2 (v1 + v2)."""
    first, second = np.zeros((2, 1, 9, 9), np.float32)
    first[0, 2:5, 2] = 1
    second[0, 4:7, 6] = [0.8, 1, 0.8]
    stage = dataclasses.replace(STAGE, planes=1)  # the strongest place: the middle of the stroke
    learning = SelfOrganization(stage, first.shape)
    learning.show(first)
    learning.show(second)
    expected = Planes(stage.layer(1).falloff(1), channels=1)
    expected.add(first[:, 2:5, 1:4])
    expected.reinforce(0, second[:, 4:7, 5:8])
    np.testing.assert_array_equal(learning.planes.weight, expected.weight)
    np.testing.assert_array_equal(learning.planes.inhibition, expected.inhibition)


def test_all_cells_of_a_plane_learn() -> None:
    """What was learnt at one place is recognized at every other: the answers move with the pattern."""
    u = np.zeros((1, 12, 12), np.float32)
    u[0, 3:6, 4] = u[0, 3, 4:7] = 1
    planes = SelfOrganization(STAGE, u.shape).learn(u[None])
    layer = STAGE.layer(1)
    here, moved = answers(planes, layer, u), answers(planes, layer, np.roll(u, (2, 3), axis=(1, 2)))
    assert here.max() > 0.9
    np.testing.assert_array_equal(np.roll(here, (2, 3), axis=(1, 2)), moved)


def test_no_more_planes_than_allowed() -> None:
    u = np.random.default_rng(2).uniform(size=(3, 2, 8, 8)).astype(np.float32)
    done: list[int] = []
    planes = SelfOrganization(
        dataclasses.replace(STAGE, planes=5, learning_threshold=0.99), u.shape[1:]
    ).learn(u, done.append)
    assert planes.count == 5
    assert done == [1, 2, 3]


# -- learning with labels ----------------------------------------------------------------------------------------------


def one_by_one(
    stage: Labelled, inputs: Float32, labels: NDArray[np.int64], epochs: int
) -> tuple[Planes, list[int]]:
    """The rule of 2003 as it stands, each answer from the layer's definition."""
    layer = SPlane(1, inputs.shape[2:], selectivity(stage.learning_threshold), gamma=stage.gamma)
    planes, of = Planes(layer.falloff(inputs.shape[1]), inputs.shape[1]), list[int]()
    for _ in range(epochs):
        for u, label in zip(inputs, labels, strict=True):
            answer = answers(planes, layer, u).ravel() if planes.count else np.zeros(1)
            k = int(answer.argmax())
            if answer[k] > 0 and of[k] == label:
                planes.reinforce(k, u)
            else:
                k = planes.add(u)
                of.append(int(label))
            planes.balance(k)
    return planes, of


def test_the_labelled_stage_reinforces_or_makes_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks of 7 patterns, as pattern by pattern."""
    monkeypatch.setattr(labelled, "_BLOCK", 7)
    rng = np.random.default_rng(3)
    kinds = rng.uniform(size=(4, 3, 2, 2))
    kind = rng.integers(4, size=40)
    inputs = field(kinds[kind] + rng.uniform(0, 0.6, (40, 3, 2, 2)))
    stage = Labelled(0.98, padding=0)
    learning = LabelledLearning(stage, inputs.shape[1:])
    new = [learning.learn(inputs, kind % 2) for _ in range(2)]
    planes, of = one_by_one(stage, inputs, kind % 2, epochs=2)
    assert learning.labels == of
    assert sum(new) == planes.count > 7
    assert new[1] < new[0]
    np.testing.assert_array_equal(learning.planes.weight, planes.weight)
    np.testing.assert_array_equal(learning.planes.inhibition, planes.inhibition)


def test_a_wrong_winner_stays_as_it_is() -> None:
    """Two equal patterns with different labels: the second makes a plane of its own."""
    u = np.ones((2, 1, 2, 2), np.float32)
    learning = LabelledLearning(Labelled(0.5), u.shape[1:])
    assert learning.learn(u, np.array([1, 0])) == 2
    assert learning.labels == [1, 0]
    np.testing.assert_array_equal(learning.planes.weight[0], learning.planes.weight[1])


# -- preset stages -----------------------------------------------------------------------------------------------------


def test_contrast() -> None:
    weights = contrast_weights(Contrast(5, 0.7, 1.4))
    assert weights.shape == (2, 1, 5, 5)
    np.testing.assert_allclose(weights.sum(axis=(1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_array_equal(weights[0], -weights[1])
    np.testing.assert_allclose(np.abs(weights[0]).sum(), 2, rtol=1e-6)
    assert weights[0, 0, 2, 2] == weights[0].max()


def test_edges_of_all_orientations() -> None:
    """Each plane answers most to its own orientation."""
    edges, contrast = Edges(8, 3, threshold=0.5, cells=CPlane(3)), Contrast(5, 0.7, 1.4)
    planes = edge_planes(edges, contrast)
    front = sw.Model(Sequential(contrast.layer(), ReLU(), edges.layer()), (1, 15, 15), backend="reference")
    front.parameters = {
        "0.weight": contrast_weights(contrast),
        "2.weight": planes.weight,
        "2.inhibition": planes.inhibition,
    }
    row, column = np.mgrid[-7:8, -7:8]
    for k in range(8):
        angle = 2 * np.pi * k / 8
        picture = 1 / (1 + np.exp(-4 * (np.cos(angle) * row + np.sin(angle) * column)))
        response = front(picture[None, None])[0, :, 7, 7]
        assert response.argmax() == k
        assert response[k] == pytest.approx(1, abs=0.02)


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_it_learns_and_recognizes_elsewhere() -> None:
    x, y = bars()
    done: list[tuple[str, int, int]] = []
    network = small()
    assert network.fit(x, y, epochs=2, progress=lambda *step: done.append(step)) is network
    assert network.predict(x).tolist() == y.tolist()
    assert network.predict(np.roll(x, (1, 1), axis=(2, 3))).tolist() == y.tolist()
    scores = network(x)
    assert scores.shape == (12, 2)
    np.testing.assert_array_equal(scores, network.model(x))
    assert done[0] == ("S2", 1, 12)
    assert done[11] == ("S2", 12, 12)
    assert done[-1][0] == "S3"
    assert done[-1][2] == 24


def test_the_model_is_made_of_layers(tmp_path: Path) -> None:
    x, y = bars()
    model = small().fit((x * 255).astype(np.uint8), y).model
    kinds = [type(layer) for layer in model.network]
    assert kinds == [Conv2d, ReLU, SPlane, CPlane, SPlane, CPlane, SPlane, Aggregate, MaxByLabel]
    oracle = sw.Model(model.network, model.input_shape, backend="reference")
    oracle.parameters = model.parameters
    np.testing.assert_allclose(model(x), oracle(x), rtol=1e-3, atol=1e-4)
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(sw.load(tmp_path / "model.safetensors")(x), model(x))


def test_thresholds_differ_while_learning() -> None:
    model = small().fit(*bars()).model
    learnt, top = model.network[4], model.network[6]
    assert isinstance(learnt, SPlane)
    assert isinstance(top, SPlane)
    assert STAGE.layer(1, learning=True).r == pytest.approx(4)
    assert learnt.r == pytest.approx(1.5)
    assert top.padding == 1


def test_same_seed_same_bits_for_every_number_of_threads() -> None:
    x, y = bars()
    x = x + np.random.default_rng(4).uniform(0, 0.3, x.shape).astype(np.float32)
    threads = sw.get_threads()
    try:
        sw.set_threads(1)
        first = small().fit(x, y, seed=5).model
        sw.set_threads(2)
        second = small().fit(x, y, seed=5).model
    finally:
        sw.set_threads(threads)
    assert first.network == second.network
    for name, value in first.parameters.items():
        np.testing.assert_array_equal(value, second.parameters[name])
    other = small().fit(x, y, seed=6).model
    assert other.network != first.network or any(
        not np.array_equal(value, other.parameters[name]) for name, value in first.parameters.items()
    )


def test_fit_begins_anew() -> None:
    x, y = bars()
    network = small().fit(x, 1 - y)
    again, fresh = network.fit(x, y).model, small().fit(x, y).model
    assert again.network == fresh.network
    np.testing.assert_array_equal(again(x), fresh(x))


def test_for_handwritten_digits() -> None:
    network = models.neocognitron()
    assert (network.input_shape, network.classes, len(network.stages)) == ((1, 28, 28), 10, 2)
    assert repr(network).startswith("Neocognitron((1, 28, 28), 10, contrast=Contrast(")


# -- errors ------------------------------------------------------------------------------------------------------------


def test_not_fitted() -> None:
    with pytest.raises(ArgumentError, match=r"fit must come first"):
        _ = small().model
    with pytest.raises(ArgumentError, match=r"fit must come first"):
        small()(bars()[0])


def test_wrong_samples() -> None:
    x, y = bars()
    with pytest.raises(ShapeError, match=r"x must have shape \(N, 1, 12, 12\)\. Got \(12, 1, 12, 11\)"):
        small().fit(x[..., :-1], y)
    spoilt = x.copy()
    spoilt[3, 0, 0, 0] = np.nan
    with pytest.raises(ArgumentError, match="x must be finite"):
        small().fit(spoilt, y)
    with pytest.raises(ArgumentError, match=r"y must be label numbers from 0 to 1\. Got 2 at index 11"):
        small().fit(x, [*y[:-1], 2])
    with pytest.raises(ArgumentError, match=r"y must hold every label from 0 to 1\. Got none of 1"):
        small().fit(x[::2], y[::2])
    with pytest.raises(ArgumentError, match=r"y must hold every label"):
        small().fit(x[:0], y[:0])
    with pytest.raises(ShapeError, match="y must have one entry for each of the 12 samples"):
        small().fit(x, y[:-1])
    with pytest.raises(ArgumentTypeError, match="y must be whole label numbers"):
        small().fit(x, y.astype(float))


def test_nothing_to_learn_from() -> None:
    x, y = bars()
    with pytest.raises(ArgumentError, match="x must hold patterns that the stages below S2 answer to"):
        small().fit(np.zeros_like(x), y)
    x[y == 1] = 0
    with pytest.raises(
        ArgumentError, match=r"x must hold patterns of every label .* below S3 .* Got none of 1"
    ):
        small().fit(x, y)


def test_wrong_options() -> None:
    x, y = bars()
    with pytest.raises(ArgumentError, match="epochs must be a positive integer"):
        small().fit(x, y, epochs=0)
    with pytest.raises(ArgumentError, match="seed must be"):
        small().fit(x, y, seed=-1)
    with pytest.raises(ArgumentTypeError, match="progress must be a function"):
        small().fit(x, y, progress=3)  # type: ignore[arg-type]


def test_wrong_stages() -> None:
    with pytest.raises(ShapeError, match=r"input_shape must be \(1, H, W\)\. Got \(3, 12, 12\)"):
        models.neocognitron((3, 12, 12))
    with pytest.raises(ArgumentError, match="classes must be an integer of at least 2"):
        models.neocognitron(classes=1)
    with pytest.raises(ArgumentTypeError, match="stages must be SelfOrganized"):
        small(stages=(Labelled(0.5),))
    with pytest.raises(ArgumentError, match="SelfOrganized: kernel_size must be odd"):
        dataclasses.replace(STAGE, kernel_size=4)
    with pytest.raises(ArgumentError, match="SelfOrganized: learning_threshold must be between 0 and 1"):
        dataclasses.replace(STAGE, learning_threshold=1.0)
    with pytest.raises(ArgumentError, match="Contrast: centre must be more than 0 and less than surround"):
        Contrast(5, 1.4, 0.7)
    with pytest.raises(ShapeError, match=r"large enough for every stage\..*padding must be smaller than"):
        small(labelled=Labelled(0.7, padding=3))
    with pytest.raises(ShapeError, match=r"large enough for every stage\. Got \(1, 3, 3\)"):
        models.neocognitron((1, 3, 3))
    for wrong in (5, ("a", 2, 3)):
        with pytest.raises(ArgumentTypeError, match="Neocognitron: input_shape must be"):
            models.neocognitron(wrong)  # type: ignore[arg-type]
