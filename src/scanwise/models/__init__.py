"""Named networks: the ones that the command line offers, what `auto` picks, and the historical ones as published."""

from scanwise.models.catalogue import NAMES, auto, get, log_mel
from scanwise.models.historical import lecun_1989, lenet5, tdnn_1989
from scanwise.models.self_organizing import neocognitron

__all__ = ["NAMES", "auto", "get", "lecun_1989", "lenet5", "log_mel", "neocognitron", "tdnn_1989"]
