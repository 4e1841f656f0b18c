"""What happens at the end of a signal, and to values that are not finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.scanning.grid import Axis
from tests.backends import BACKENDS, PADDED_NETWORK, image_model, random_values, signal_model


def assert_scan_is_its_windows(model: sw.Model, signal: NDArray[Any], result: sw.ScanResult) -> None:
    """Every score against the model run on that window alone, zeros behind the signal's end, bit for bit."""
    padded = np.pad(signal, [(0, 0), *((0, window) for window in model.input_shape[1:])])
    for place in np.ndindex(result.scores.shape[1:]):
        start = np.atleast_1d(result.positions[place])
        window = tuple(slice(s, s + w) for s, w in zip(start, model.input_shape[1:], strict=True))
        expected = model(padded[(None, slice(None), *window)])[0]
        np.testing.assert_array_equal(result.scores[(slice(None), *place)], expected, err_msg=str(place))


@given(extent=st.integers(1, 60), step=st.integers(1, 20), edge=st.sampled_from(["valid", "pad", "extend"]))
def test_windows_at_every_extent(extent: int, step: int, edge: str) -> None:
    axis = Axis(extent, 12, step, 1, edge)
    starts, inside = axis.starts, np.zeros(extent, int)
    whole = np.zeros(extent, bool)
    for start in starts:
        inside[start : start + 12] += 1
        whole[start : start + 12] |= start + 12 <= extent
    assert len(starts) == axis.count
    assert [axis.start(i) for i in range(axis.count)] == starts.tolist()
    assert (np.diff(starts) > 0).all()
    regular = [s for s in range(0, extent, step) if s + 12 <= extent]
    if edge == "pad" and axis.padding:
        assert starts.tolist() == [*regular, len(regular) * step]
        assert axis.padding == starts[-1] + 12 - extent
    elif edge == "extend" and axis.shifted:
        assert starts.tolist() == [*regular, extent - 12]
    else:
        assert starts.tolist() == regular
    if edge != "valid" and axis.count and step <= 12:
        assert inside.all()
    assert axis.count > 0 or (extent < 12 and edge != "pad")
    assert (np.concatenate([[False], inside == 0, [False]]).nonzero()[0] - 1).tolist() == [
        i for start, stop in axis.uncovered() for i in range(start, stop)
    ]
    assert axis.reached == np.count_nonzero(inside)
    assert np.flatnonzero((inside > 0) & ~whole).tolist() == [
        i for start, stop in axis.padded() for i in range(start, stop)
    ]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("edge", ["pad", "extend"])
class TestContract:
    @pytest.mark.parametrize("extent", [12, 13, 14, 19, 23, 24, 47, 150])
    @pytest.mark.parametrize("step", [None, 1, 3, 5, 17])
    def test_signals(self, backend: str, edge: str, extent: int, step: int | None) -> None:
        model, signal = signal_model(backend), random_values(2, extent)
        assert_scan_is_its_windows(model, signal, sw.scan(model, signal, step=step, edge=edge))

    @pytest.mark.parametrize("extent", [(8, 7), (9, 8), (13, 20), (33, 12)])
    @pytest.mark.parametrize("step", [None, (1, 3), (9, 4)])
    def test_images(self, backend: str, edge: str, extent: tuple[int, int], step: Any) -> None:
        model, signal = image_model(backend), random_values(2, *extent)
        assert_scan_is_its_windows(model, signal, sw.scan(model, signal, step=step, edge=edge))

    def test_a_network_that_pads(self, backend: str, edge: str) -> None:
        model, signal = sw.Model(PADDED_NETWORK, (2, 8, 7), backend=backend), random_values(2, 15, 13)
        result = sw.scan(model, signal, step=3, edge=edge)
        assert result.method == "windows"
        assert_scan_is_its_windows(model, signal, result)


class TestCoverage:
    @pytest.mark.parametrize("extent", range(1, 12))
    def test_pad_takes_signals_shorter_than_a_window(self, extent: int) -> None:
        model, signal = signal_model("reference"), random_values(2, extent)
        result = sw.scan(model, signal, edge="pad")
        assert result.positions.tolist() == [0]
        assert_scan_is_its_windows(model, signal, result)
        assert result.coverage.complete
        assert (result.coverage.padded, result.coverage.padding) == ((((0, extent),),), (12 - extent,))
        with pytest.raises(
            sw.ShapeError, match=r'window \(12,\). Got \(\d+,\); only edge="pad" takes a smaller'
        ):
            sw.scan(model, signal, edge="extend")

    def test_an_empty_signal_is_refused_at_every_edge(self) -> None:
        for edge in ("valid", "pad", "extend"):
            with pytest.raises(sw.ShapeError, match=r"signal must .* Got \(0,\)"):
                sw.scan(signal_model("reference"), np.zeros((2, 0)), edge=edge)

    def test_what_was_padded_is_named(self) -> None:
        coverage = sw.scan(signal_model("reference"), random_values(2, 35), step=10, edge="pad").coverage
        assert (coverage.padded, coverage.padding, coverage.uncovered) == ((((32, 35),),), (7,), ((),))
        assert str(coverage) == "35 of 35 samples (100.0 %); padded: 32..35"
        image = sw.scan(image_model("reference"), random_values(2, 9, 20), step=(8, 7), edge="pad").coverage
        assert image.padded == (((8, 9),), ((14, 20),))
        assert str(image).endswith("padded: rows 8..9, columns 14..20")

    def test_an_extended_scan_says_where_its_last_window_is(self) -> None:
        result = sw.scan(signal_model("reference"), random_values(2, 35), step=10, edge="extend")
        assert result.positions.tolist() == [0, 10, 20, 23]
        assert result.coverage.complete

    def test_gaps_between_windows_stay_gaps(self) -> None:
        for edge, gaps in (
            ("valid", ((12, 20), (32, 35))),
            ("pad", ((12, 20), (32, 35))),
            ("extend", ((12, 20),)),
        ):
            coverage = sw.scan(signal_model("reference"), random_values(2, 35), step=20, edge=edge).coverage
            assert coverage.uncovered == (gaps,)

    def test_detections_of_a_shifted_window_are_where_it_is(self) -> None:
        model, signal = signal_model("reference"), random_values(2, 35)
        result = sw.scan(model, signal, step=10, edge="extend")
        starts = {found.start for found in result.detections(0.0, overlap=1.0)}
        assert starts == {0, 10, 20, 23}
        # 20 and 23 share 9 of 15, the others 2 of 22.
        assert len(result.detections(0.0, overlap=0.5)) == 3


class TestNotFinite:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
    @pytest.mark.parametrize("place", [0, 17, 46])
    def test_error_names_the_position(self, bad: float, place: int) -> None:
        signal = np.zeros((2, 47))
        signal[1, place] = bad
        with pytest.raises(sw.ArgumentError, match=rf"signal must be finite.* at index \(1, {place}\)"):
            sw.scan(signal_model("reference"), signal, step=1)

    def test_zero_replaces_and_counts(self) -> None:
        model, signal = signal_model("reference"), random_values(2, 300)
        signal[0, [0, 57, 58, 299]] = np.nan
        signal[1, 57] = np.inf
        clean = np.where(np.isfinite(signal), signal, np.float32(0))
        result = sw.scan(model, signal, step=1, nan="zero")
        assert result.replaced == 5
        np.testing.assert_array_equal(result.scores, sw.scan(model, clean, step=1).scores)

    @given(
        places=st.lists(st.integers(0, 89), max_size=4),
        step=st.sampled_from([1, 2, 5, 30]),
        edge=st.sampled_from(["valid", "pad", "extend"]),
    )
    def test_skip_leaves_out_the_windows_that_hold_it(self, places: list[int], step: int, edge: str) -> None:
        model, signal = signal_model("reference"), random_values(2, 90)
        clean = sw.scan(model, signal, step=step, edge=edge)
        signal[1, places] = np.nan
        result = sw.scan(model, signal, step=step, edge=edge, nan="skip")
        held = np.array([any(s <= p < s + 12 for p in places) for s in result.positions])
        np.testing.assert_array_equal(result.scores[:, ~held], clean.scores[:, ~held])
        assert np.isnan(result.scores[:, held]).all()
        assert result.coverage.skipped == held.sum()
        touched = {i for ((start, stop),) in result.coverage.not_finite for i in range(start, stop)}
        assert touched <= set(places)
        assert step > 12 or edge == "valid" or touched == set(places)
        assert not {d.start for d in result.detections(0)} & set(result.positions[held].tolist())
        assert not held.any() or "windows skipped: values at" in str(result.coverage)
        assert not held.any() or not result.coverage.complete

    def test_skip_in_an_image(self) -> None:
        model, signal = image_model("reference"), random_values(2, 90, 80)
        clean = sw.scan(model, signal, step=(3, 4))
        signal[0, 40:43, 30:35] = np.nan
        result = sw.scan(model, signal, step=(3, 4), nan="skip")
        rows, columns = result.positions[..., 0], result.positions[..., 1]
        held = (rows < 43) & (rows + 8 > 40) & (columns < 35) & (columns + 7 > 30)
        np.testing.assert_array_equal(result.scores[:, ~held], clean.scores[:, ~held])
        assert np.isnan(result.scores[:, held]).all()
        assert result.coverage.skipped == held.sum()
        assert result.coverage.not_finite == tuple(((row, row + 1), (30, 35)) for row in (40, 41, 42))

    def test_without_any_score_there_is_no_presence(self) -> None:
        model = signal_model("reference")
        found = sw.detect(model, np.full((2, 40), np.nan), nan="skip")
        assert found.detections == []
        assert np.isnan(found.presence).all()
        assert found.coverage.not_finite == (((0, 40),),)

    def test_values_in_gaps_do_nothing(self) -> None:
        signal = np.zeros((2, 40))
        signal[0, 15] = np.nan
        assert sw.scan(signal_model("reference"), signal, step=20).scores.shape == (3, 2)

    def test_what_is_remembered_is_bounded(self) -> None:
        signal = np.zeros((2, 9000))
        signal[0, ::3] = np.nan
        coverage = sw.scan(signal_model("reference"), signal, nan="skip").coverage
        assert len(coverage.not_finite) == 1000


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"edge": "same"}, "edge must be one of 'valid', 'pad', 'extend'. Got 'same'"),
        ({"edge": None}, "edge must be one of"),
        ({"nan": "ignore"}, "nan must be one of 'error', 'zero', 'skip'. Got 'ignore'"),
    ],
)
def test_wrong_options(options: dict[str, Any], text: str) -> None:
    for way in (sw.scan, sw.detect):
        with pytest.raises(sw.ArgumentError, match=text):
            way(signal_model("reference"), random_values(2, 20), **options)
