"""PyTorch is the other side of every comparison here: one thread, so that its results do not vary."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
