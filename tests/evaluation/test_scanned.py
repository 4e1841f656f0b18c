"""In how much of labelled files false alarms are counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from scanwise.data.annotation.collection import AnnotatedFile, Event
from scanwise.evaluation import Scanned


class TestWhatIsKnown:
    @staticmethod
    def scanned(*files: AnnotatedFile) -> Scanned:
        return Scanned(("a", "b"), "audio", files, (), np.zeros((len(files), 2)))

    @staticmethod
    def recording(name: str, events: Sequence[Event] = (), labels: tuple[str, ...] = ()) -> AnnotatedFile:
        return AnnotatedFile(Path(name), labels, tuple(events), "audio", (36_000,), 10)

    def test_time_that_events_cover_is_not_searched(self) -> None:
        events = [
            Event("a", seconds=(0.0, 900.0)),
            Event("a", seconds=(600.0, 1200.0)),
            Event("b", seconds=(1800.0, 9999.0)),
        ]
        scanned = self.scanned(self.recording("1", events), self.recording("2"))
        assert scanned.amounts(["a"]) == pytest.approx({"1": 2 / 3, "2": 1.0})
        assert scanned.amounts(["a", "b"]) == pytest.approx({"1": 1 / 6, "2": 1.0})

    def test_boxes_that_overlap_are_counted_once(self) -> None:
        boxes = [(0.0, 0.0, 10.0, 10.0), (5.0, 5.0, 15.0, 15.0), (90.0, 90.0, 110.0, 110.0)]
        image = AnnotatedFile(Path("1"), (), tuple(Event("a", box=box) for box in boxes), "image", (100, 100))
        scanned = Scanned(("a",), "image", (image,), (), np.zeros((1, 1)))
        assert scanned.amounts(["a"]) == pytest.approx({"1": (10_000 - 175 - 100) / 1e6})

    def test_files_in_which_it_may_be_anywhere_are_left_out(self) -> None:
        whole = [Event("background", seconds=(0.0, 3600.0))]
        part = [Event("background", seconds=(0.0, 60.0))]
        scanned = self.scanned(
            self.recording("said", labels=("a",)),
            self.recording("quiet", whole),
            self.recording("unsure", part),
        )
        assert [str(file.path) for file in scanned.known(["a"])] == ["quiet"]
        assert [str(file.path) for file in scanned.known(["b"])] == ["said", "quiet"]
