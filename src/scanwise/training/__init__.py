"""Training: batches, optimizers, losses and the loop."""

from scanwise.training.callbacks import Callback, EarlyStopping
from scanwise.training.checkpoint import Checkpoint
from scanwise.training.history import History
from scanwise.training.history_file import HistoryFile
from scanwise.training.loop import fit
from scanwise.training.losses import Score
from scanwise.training.optimizers import SGD, AdamW, Optimizer
from scanwise.training.program import Program
from scanwise.training.rate_finder import LearningRates, find_learning_rate
from scanwise.training.samples import Samples, evaluate
from scanwise.training.schedules import Cosine, OneCycle, Schedule, Step

__all__ = [
    "SGD",
    "AdamW",
    "Callback",
    "Checkpoint",
    "Cosine",
    "EarlyStopping",
    "History",
    "HistoryFile",
    "LearningRates",
    "OneCycle",
    "Optimizer",
    "Program",
    "Samples",
    "Schedule",
    "Score",
    "Step",
    "evaluate",
    "find_learning_rate",
    "fit",
]
