"""What the lecture says two things are one, and what a scanning network equals: each identity as a function."""

from scanwise.identities import plot
from scanwise.identities.conversion import as_convolution, as_scan
from scanwise.identities.convolutional import fully_convolutional
from scanwise.identities.equivalent import equivalent_matrix
from scanwise.identities.positions import position_gradients
from scanwise.identities.shifting import ShiftResponse, shift_response
from scanwise.identities.sparse import EquivalentMatrix

__all__ = [
    "EquivalentMatrix",
    "ShiftResponse",
    "as_convolution",
    "as_scan",
    "equivalent_matrix",
    "fully_convolutional",
    "plot",
    "position_gradients",
    "shift_response",
]
