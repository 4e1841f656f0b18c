"""From layers to kernels: the file that is called as the layer's has its rule."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import scanwise as sw
from scanwise import layers
from scanwise.kernels import lower

# What a network is made of, rather than computed by: the plan takes these apart before anything is lowered.
STRUCTURE = (layers.Sequential, layers.Residual, layers.Flatten, layers.Scan1d, layers.Scan2d)

LAYERS = [
    kind
    for kind in (getattr(layers, name) for name in layers.__all__)
    if inspect.isclass(kind) and issubclass(kind, layers.Layer) and kind not in (layers.Layer, *STRUCTURE)
]


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_the_rule_stands_in_the_file_of_the_layers_name(kind: type[layers.Layer]) -> None:
    place = kind.__module__.replace("scanwise.layers.", "scanwise.kernels.")
    __import__(place)
    assert lower.dispatch(kind).__module__ == place


def test_a_layer_without_a_rule_is_named() -> None:
    class Unknown(layers.Layer):
        pass

    with pytest.raises(sw.EngineError, match=r"must know layer .*Got no rule for Unknown"):
        lower(Unknown(), (3,), (3, 1, 1))


class Smallest(sw.MaxPool1d):
    """A user's own kind of a known layer."""


def test_a_kind_of_a_known_layer_is_lowered_like_it() -> None:
    assert lower(Smallest(2), (3, 6), (3, 1, 6)) == lower(sw.MaxPool1d(2), (3, 6), (3, 1, 6))


def test_only_what_a_network_needs_is_imported() -> None:
    code = (
        "import sys, numpy as np, scanwise as sw\n"
        "model = sw.Model(sw.Sequential(sw.Linear(2), sw.ReLU()), (3,))\n"
        "model(np.ones((1, 3), np.float32))\n"
        "print('scanwise.kernels.linear' in sys.modules, 'scanwise.kernels.logmel' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"]
