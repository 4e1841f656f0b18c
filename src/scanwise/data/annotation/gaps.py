"""Where windows lie: about events, and in the gaps between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Extent", "Place", "Surface", "about", "draw_background", "draw_cut", "presence"]

Extent = tuple[int, ...]
Place = tuple[int, ...]

# A window contains an event if it holds this share of it, or is itself filled with it to this share.
SHARE = 0.5

# How much of an event a window holds that cuts it off.
_CUT = (0.1, 0.4)

# Places that are drawn until one does as background.
_TRIES = 100


@dataclass(frozen=True)
class Surface:
    """A signal and what occurs in it, in samples or pixels.

    Attributes:
        extent: (T,) or (H, W).
        starts: (E, axes) where events begin.
        stops: (E, axes) where they end, exclusive.
        labels: (E,) numbers of their labels; below 0 for background.
        free: whether what no event covers is known to be background.
    """

    extent: Extent
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    labels: NDArray[np.int64]
    free: bool


def about(surface: Surface, window: Extent) -> list[Place]:
    """The windows about the events, each centred on one and moved to lie within the signal where that is possible.

    Events with the same window give it once.
    """
    places = set()
    events = surface.labels >= 0
    for start, stop in zip(surface.starts[events], surface.stops[events], strict=True):
        places.add(
            tuple(
                _moved_inside((int(a) + int(b) - size) // 2, size, length)
                for a, b, size, length in zip(start, stop, window, surface.extent, strict=True)
            )
        )
    return sorted(places)


def presence(surface: Surface, window: Extent, place: Place, labels: int) -> NDArray[np.float32]:
    """(K,) float32: 1 for every label of which the window contains an event (see `SHARE`)."""
    target = np.zeros(labels, np.float32)
    if len(surface.labels) == 0:
        return target
    first = np.array(place)
    last = first + np.array(window)
    common = np.minimum(surface.stops, last) - np.maximum(surface.starts, first)
    needed = np.minimum(np.maximum(surface.stops - surface.starts, 1), window)
    inside = (common > 0).all(axis=1) & (np.prod(common / needed, axis=1) >= SHARE)
    target[surface.labels[inside & (surface.labels >= 0)]] = 1.0
    return target


def draw_background(
    surfaces: Sequence[Surface], window: Extent, number: int, random: np.random.Generator
) -> list[list[Place]]:
    """Up to `number` places of windows that overlap no event, drawn from all that there are; a list a surface.

    Where places do not suffice, each is taken once.
    """
    if len(window) == 1:
        return _draw_along(surfaces, window[0], number, random)
    return _draw_in_images(surfaces, window, number, random)


def draw_cut(
    surfaces: Sequence[Surface], window: Extent, number: int, random: np.random.Generator
) -> list[list[Place]]:
    """Up to `number` places of windows that cut an event off: they hold too little of it, and contain none.

    A network that has seen only whole events and gaps finds parts of events hard to tell.
    """
    places: list[list[Place]] = [[] for _ in surfaces]
    events = [(s, e) for s, surface in enumerate(surfaces) for e in np.flatnonzero(surface.labels >= 0)]
    for _ in range(number if events else 0):
        for _ in range(_TRIES):
            s, e = events[int(random.integers(len(events)))]
            place = _cutting(surfaces[s], int(e), window, random)
            inside = all(
                0 <= at <= n - size for at, size, n in zip(place, window, surfaces[s].extent, strict=True)
            )
            if not inside or place in places[s] or not _touches(surfaces[s], window, place):
                continue
            if presence(surfaces[s], window, place, int(surfaces[s].labels.max()) + 1).any():
                continue
            places[s].append(place)
            break
    return [sorted(found) for found in places]


def _cutting(surface: Surface, event: int, window: Extent, random: np.random.Generator) -> Place:
    """A window about an event, moved along one axis until it holds only a part of it."""
    start, stop = surface.starts[event], surface.stops[event]
    place = [(int(a) + int(b) - size) // 2 for a, b, size in zip(start, stop, window, strict=True)]
    axis = int(random.integers(len(window)))
    size = window[axis]
    kept = max(round(random.uniform(*_CUT) * min(int(stop[axis] - start[axis]), size)), 1)
    place[axis] = int(start[axis]) + kept - size if random.random() < 0.5 else int(stop[axis]) - kept
    return tuple(place)


def _draw_along(
    surfaces: Sequence[Surface], window: int, number: int, random: np.random.Generator
) -> list[list[Place]]:
    runs = [
        (s, start, count)
        for s, surface in enumerate(surfaces)
        for start, count in _free_starts(surface, window)
    ]
    ends = np.cumsum([count for _, _, count in runs], dtype=np.int64)
    places: list[list[Place]] = [[] for _ in surfaces]
    total = int(ends[-1]) if len(ends) else 0
    for chosen in np.sort(random.choice(total, min(number, total), replace=False)) if total else ():
        run = int(np.searchsorted(ends, chosen, side="right"))
        s, start, count = runs[run]
        places[s].append((start + int(chosen) - (int(ends[run]) - count),))
    return places


def _free_starts(surface: Surface, window: int) -> list[tuple[int, int]]:
    """Runs (first start, number) of the starts at which a window overlaps no event."""
    length = surface.extent[0]
    events = surface.labels >= 0
    starts, stops = surface.starts[events, 0], surface.stops[events, 0]
    if not surface.free:  # only what is said to be background
        marked = ~events
        regions = list(
            zip(surface.starts[marked, 0].tolist(), surface.stops[marked, 0].tolist(), strict=True)
        )
    else:
        regions = [(0, length)]
    if not regions:
        return []
    if length < window:  # a window about the whole, if nothing occurs in it
        return [((length - window) // 2, 1)] if not len(starts) else []
    found = []
    for first, last in regions:
        reached = first
        for start, stop in sorted(zip(starts.tolist(), stops.tolist(), strict=True)):
            if min(start, last) - reached >= window:
                found.append((reached, min(start, last) - reached - window + 1))
            reached = max(reached, stop)
        if last - reached >= window:
            found.append((reached, last - reached - window + 1))
    return found


def _draw_in_images(
    surfaces: Sequence[Surface], window: Extent, number: int, random: np.random.Generator
) -> list[list[Place]]:
    places: list[list[Place]] = [[] for _ in surfaces]
    taken: set[tuple[int, Place]] = set()
    room = np.array(
        [
            math.prod(max(n - size, 0) + 1 for n, size in zip(surface.extent, window, strict=True))
            if surface.free
            else 0
            for surface in surfaces
        ],
        np.float64,
    )
    if not room.any():
        return places
    for _ in range(number):
        for _ in range(_TRIES):
            s = int(random.choice(len(surfaces), p=room / room.sum()))
            surface = surfaces[s]
            place = tuple(
                int(random.integers(n - size + 1)) if n > size else (n - size) // 2
                for n, size in zip(surface.extent, window, strict=True)
            )
            if (s, place) in taken or _touches(surface, window, place):
                continue
            taken.add((s, place))
            places[s].append(place)
            break
    return [sorted(found) for found in places]


def _touches(surface: Surface, window: Extent, place: Place) -> bool:
    """Whether a window overlaps any event."""
    events = surface.labels >= 0
    first = np.array(place)
    last = first + np.array(window)
    common = np.minimum(surface.stops[events], last) - np.maximum(surface.starts[events], first)
    return bool((common > 0).all(axis=1).any())


def _moved_inside(start: int, size: int, length: int) -> int:
    if length < size:
        return (length - size) // 2
    return min(max(start, 0), length - size)
