"""Which files are held out for validation, where samples have several labels at once or none.

Windows of one recording are alike: that of a neighbouring second tells what the network saw in training. So a file goes
to one part as a whole. Files with the same labels are a group, of which the fraction is taken; so both parts have every
label as nearly as whole files allow.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import DataError

__all__ = ["held_out_files"]


def held_out_files(
    y: NDArray[np.float32], files: tuple[str, ...], fraction: float, seed: int
) -> NDArray[np.bool_]:
    """Which samples are held out, (N,).

    Args:
        y: (N, K), 0 or 1 for every label.
        files: of each sample; empty if every sample is one of its own.
        fraction: of the files, between 0 and 1.
        seed: of the choice.

    Raises:
        DataError: there is only one file, or one label is in one file only.

    Example:
        >>> y = np.array([[1], [0], [1], [0]], np.float32)
        >>> held_out_files(y, ("a", "a", "b", "b"), 0.5, 0).tolist()
        [True, True, False, False]
    """
    number: dict[str, int] = {}
    names = files or tuple(str(i) for i in range(len(y)))
    of_sample = np.array([number.setdefault(name, len(number)) for name in names])
    contains = np.zeros((len(number), y.shape[1]), bool)
    np.logical_or.at(contains, of_sample, y > 0)
    if len(number) < 2:
        raise DataError(
            "data must come from at least 2 files so that one can be kept for validation. Got 1. Add files, name "
            "validation data, or train without validation."
        )
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    for file, labels in enumerate(contains):
        groups[labels.tobytes()].append(file)
    random = np.random.default_rng(seed)
    order = {key: random.permutation(members) for key, members in sorted(groups.items())}
    taken = {key: int(fraction * len(members)) for key, members in order.items()}
    wanted = min(max(round(fraction * len(number)), 1), len(number) - 1)
    # Until there are enough, one more of each group, those first that lost most by rounding down.
    lost = {key: (taken[key] - fraction * len(order[key]), random.random()) for key in order}
    remaining = contains.sum(axis=0) - sum(contains[order[key][: taken[key]]].sum(axis=0) for key in order)
    for key in sorted(order, key=lambda key: lost[key]):
        file = contains[order[key][taken[key]]]
        # A label keeps its last file: there would be nothing left to learn it from.
        if sum(taken.values()) < wanted and (remaining[file] > 1).all():
            taken[key] += 1
            remaining = remaining - file
    chosen = np.concatenate([order[key][: taken[key]] for key in order])
    if len(chosen) == 0:
        raise DataError(
            "every label must occur in at least 2 files so that one can be kept for validation. Name validation data, "
            "or train without validation."
        )
    return np.isin(of_sample, chosen)
