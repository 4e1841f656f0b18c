"""The ten digits as bitmaps of 7 x 12 pixels: the codes of LeNet-5's output layer (LeCun et al. 1998, figure 3).

The paper chose drawings, rather than one code a class or random codes, so that characters which look alike have similar
codes. These are drawn anew.
"""

from __future__ import annotations

__all__ = ["DIGITS", "codes"]

_ROWS = """
0        1        2        3        4        5        6        7        8        9
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
..###..  ...##..  ..###..  ..###..  .....#.  #######  ..####.  #######  ..###..  ..###..
.##.##.  ..###..  .##.##.  .##.##.  ....##.  #######  .##...#  #######  .##.##.  .##.##.
##...##  .####..  ##...##  ##...##  ...###.  ##.....  ##.....  .....##  ##...##  ##...##
##...##  ...##..  .....##  .....##  ..####.  ##.....  ##.....  ....##.  ##...##  ##...##
##...##  ...##..  ....##.  ...###.  .##.##.  #####..  #####..  ....##.  .#####.  .##..##
##...##  ...##..  ...##..  ...###.  ##..##.  .....#.  ##..##.  ...##..  .#####.  ..#####
##...##  ...##..  ..##...  .....##  #######  .....##  ##...##  ...##..  ##...##  .....##
##...##  ...##..  .##....  ##...##  #######  ##...##  ##...##  ..##...  ##...##  .....##
.##.##.  ...##..  #######  .##.##.  ....##.  .##.##.  .##.##.  ..##...  .##.##.  #...##.
..###..  .######  #######  ..###..  ....##.  ..###..  ..###..  ..##...  ..###..  .####..
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
"""

_LINES = [line.split() for line in _ROWS.strip().splitlines()[1:]]

DIGITS = tuple(tuple(line[digit] for line in _LINES) for digit in range(10))


def codes() -> tuple[tuple[float, ...], ...]:
    """One code of 84 values a digit, row after row of its bitmap: 1 where it is black, -1 elsewhere.

    >>> len(codes()), len(codes()[0])
    (10, 84)
    """
    return tuple(tuple(1.0 if pixel == "#" else -1.0 for row in digit for pixel in row) for digit in DIGITS)
