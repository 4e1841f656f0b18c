"""The exception tree.

Every wrong input raises one of these. Each is also the built-in exception that a Python user would catch::

    ScanwiseError
    ├── ArgumentError       (ValueError)    an argument has a value that is not allowed
    │   └── UnknownNetworkError             no named network is called that
    ├── ArgumentTypeError   (TypeError)     an argument has a type that is not allowed
    ├── ShapeError          (ValueError)    a layer does not fit the shape that reaches it
    ├── DataError           (ValueError)    the user's data cannot be used: NaN, empty folder, unreadable file
    ├── FileError           (OSError)       a file is missing, cannot be written, or the disk is full
    ├── ModelFileError      (ValueError)    not a model, truncated, corrupt, or of a newer version
    ├── CheckpointError     (ValueError)    of another training, truncated, corrupt, or of a newer version
    ├── EngineError         (RuntimeError)  the native engine cannot compile or run a plan
    └── DivergedError       (ArithmeticError) training left the finite numbers

One warning is no error: SelfCheckWarning, a loaded model gives other last digits than when it was saved.
"""

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "CheckpointError",
    "DataError",
    "DivergedError",
    "EngineError",
    "FileError",
    "ModelFileError",
    "ScanwiseError",
    "SelfCheckWarning",
    "ShapeError",
    "UnknownNetworkError",
]


class ScanwiseError(Exception):
    """Base of every error that Scanwise raises on purpose."""


class ArgumentError(ScanwiseError, ValueError):
    """An argument has a value that is not allowed."""


class ArgumentTypeError(ScanwiseError, TypeError):
    """An argument has a type that is not allowed."""


class UnknownNetworkError(ArgumentError):
    """No named network is called that."""


class ShapeError(ScanwiseError, ValueError):
    """A layer does not fit the shape that reaches it."""


class DataError(ScanwiseError, ValueError):
    """The user's data cannot be used: NaN, an empty folder, an unreadable file."""


class FileError(ScanwiseError, OSError):
    """A file is missing, cannot be written, or the disk is full."""


class ModelFileError(ScanwiseError, ValueError):
    """A model file is not a model, truncated, corrupt, or of a newer version."""


class CheckpointError(ScanwiseError, ValueError):
    """A check-point is not of this training, truncated, corrupt, or of a newer version."""


class EngineError(ScanwiseError, RuntimeError):
    """The native engine cannot compile or run a plan."""


class DivergedError(ScanwiseError, ArithmeticError):
    """Training left the finite numbers: the loss or a parameter became NaN or infinite."""


class SelfCheckWarning(UserWarning):
    """A loaded model gives other last digits than when it was saved: by another version of Scanwise, most likely."""
