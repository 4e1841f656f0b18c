"""Identities: what a scanning network equals, checked and shown (lecture 1.3, 3.5, 4.3, 6.3, 7)."""

from scanwise.identities.affine import EquivalentMatrix
from scanwise.identities.equivalent import equivalent_matrix

__all__ = ["EquivalentMatrix", "equivalent_matrix"]
