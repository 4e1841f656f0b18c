"""The Neocognitron (lecture 5.1): stages of S-cells and C-cells that learn without gradients, the last with labels."""

from scanwise.neocognitron.network import Neocognitron
from scanwise.neocognitron.stages import Contrast, Edges, Labelled, SelfOrganized

__all__ = ["Contrast", "Edges", "Labelled", "Neocognitron", "SelfOrganized"]
