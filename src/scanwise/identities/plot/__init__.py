"""Pictures of the identities. Each function returns a `matplotlib.figure.Figure` and can write it as a PNG.

matplotlib is an extra and is imported only when something is drawn.
"""

from scanwise.identities.plot.grids import filters, maps
from scanwise.identities.plot.matrices import structure
from scanwise.identities.plot.responses import shift_response
from scanwise.identities.plot.routes import route

__all__ = ["filters", "maps", "route", "shift_response", "structure"]
