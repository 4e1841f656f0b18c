"""What the lecture says two things are one: each identity as a function."""

from scanwise.identities.conversion import as_convolution, as_scan

__all__ = ["as_convolution", "as_scan"]
