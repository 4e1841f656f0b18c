"""Whether `scanwise train` and `scanwise eval` take clips as long as they are, or windows of one size."""

from __future__ import annotations

from dataclasses import replace

from scanwise import models
from scanwise.data import Dataset
from scanwise.data.clips import ClipMode, Clips, Surveyed
from scanwise.errors import ScanwiseError
from scanwise.layers import Sequential
from scanwise.model import Model
from scanwise.presence.parts import smallest_extent, split, takes_any_extent
from scanwise.shapes import has_padding

__all__ = ["ClipChoice", "padded_for", "trained_whole"]


class ClipChoice:
    """Decides when the files' lengths are known, for training data; validation data follow.

    Args:
        asked: what the user wants, or "auto".
        network: of the training, by name or described.
    """

    def __init__(self, asked: str, network: str | Sequential) -> None:
        self._asked, self._network = asked, network
        self.made: ClipMode = "windows"

    def __call__(self, surveyed: Surveyed) -> ClipMode:
        """The mode for these files.

        Raises:
            ArgumentError: clips are to stay whole, and the network takes one size.
        """
        self.made = self._mode(surveyed)
        return self.made

    def _mode(self, surveyed: Surveyed) -> ClipMode:
        if self._asked == "windows":
            return "windows"
        network = self._built(surveyed)
        if self._asked == "auto":
            tiled = network is not None and _takes_tiles(network, surveyed)
            if not tiled or not (surveyed.located or surveyed.better_whole):
                return "windows"
            return "mixed" if surveyed.located else "whole"
        if network is not None:
            split(network, surveyed.input_shape, "reference")  # says why not
        return "whole" if self._asked == "whole" else "mixed"

    def _built(self, surveyed: Surveyed) -> Sequential | None:
        """The network for these windows; None if there is none, as is said where the model is made."""
        if isinstance(self._network, Sequential):
            return self._network
        try:
            # Their number of labels does not matter here.
            return models.get(self._network, surveyed.input_shape, 2, sample_rate=surveyed.sample_rate)
        except ScanwiseError:
            return None


def padded_for(network: Sequential, data: Dataset) -> Dataset:
    """The data, clips that are too small for a network padded with zeros, about their centre.

    Raises:
        ArgumentError: the network takes one size, and the clips have several.
    """
    if not isinstance(data.x, Clips):
        return data
    return replace(data, x=data.x.at_least(smallest_extent(network, data.input_shape)))


def trained_whole(model: Model) -> bool:
    """Whether a model has been trained on signals as long as they are, so that it is tested on such, too."""
    samples = (model.training or {}).get("samples", {})
    return "shape" in samples and samples["shape"] is None


def _takes_tiles(network: Sequential, surveyed: Surveyed) -> bool:
    """Whether signals go through a network tile by tile. Where a layer pads, each size would be compiled."""
    try:
        return takes_any_extent(network, surveyed.input_shape) and (
            has_padding(split(network, surveyed.input_shape, "reference")[0].network, surveyed.input_shape)
            is None
        )
    except ScanwiseError:  # it does not fit the window, as is said where the model is made
        return False
