"""Aggregating networks on signals of any size: `Model.presence`."""

from scanwise.presence.aggregating import AggregatingNetwork
from scanwise.presence.result import Presence

__all__ = ["AggregatingNetwork", "Presence"]
