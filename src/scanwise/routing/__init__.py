"""A score followed back through the stored maxima to the input that it comes from (lecture part 7)."""

from scanwise.routing.router import Route, Router, route

__all__ = ["Route", "Router", "route"]
