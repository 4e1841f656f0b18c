"""The command line: `scanwise train | eval | scan | stream | inspect | data | demo`.

Results go to standard output, progress and messages to standard error. Exit codes: 0 done, 1 a problem in the data,
2 wrong use (options, files, models), 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from types import FrameType

DONE, BAD_DATA, WRONG_USE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; every error that a user can cause is one message on standard error, never a traceback.

    Args:
        arguments: of the command line; None takes those of the process.

    Returns:
        The exit code.
    """
    with _terminable() as terminated:
        code = _run(arguments)
        return TERMINATED if terminated else code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        # Imports are within, so that Ctrl-C has no traceback while they last.
        import typer

        from scanwise.cli.app import app
        from scanwise.errors import DataError, ScanwiseError, ShapeError
    except KeyboardInterrupt:
        return _report("interrupted", INTERRUPTED)
    _print_anything()
    try:
        code = app(
            args=None if arguments is None else list(arguments), prog_name="scanwise", standalone_mode=False
        )
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except DataError as error:
        return _report(str(error), BAD_DATA)
    except ShapeError as error:  # with the layer table
        return _report(str(error), WRONG_USE, lines=True)
    except ScanwiseError as error:
        return _report(str(error), WRONG_USE)
    except (
        SystemExit
    ) as stop:  # click's answer to a broken pipe: whoever read the output (`| head`) has seen enough
        _drop_output()
        return DONE if isinstance(stop.__context__, BrokenPipeError) else WRONG_USE
    except OSError as error:
        if error.filename is not None:
            return _report(f"{error.filename} must be a path that can be used. {error.strerror}", WRONG_USE)
        _drop_output()
        return _report(f"the output must be writable. {error.strerror or error}", WRONG_USE)
    except MemoryError:
        return _report(
            "the machine's memory must be large enough. Got too little for this command.", WRONG_USE
        )
    except (KeyboardInterrupt, typer.Abort):
        return _report("interrupted", INTERRUPTED)
    except Exception as error:
        # Wrong options. Their class is click's, which some versions of typer carry inside.
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "scanwise"
        message = str(error.format_message()).rstrip(".")
        return _report(f"{message}. See '{command} --help'.", WRONG_USE)


@contextlib.contextmanager
def _terminable() -> Iterator[list[int]]:
    """Lets SIGTERM end a command as Ctrl-C does, with everything cleaned up; the list then holds the signal."""
    received: list[int] = []

    def terminate(number: int, _: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not the main thread, which alone may ask for signals
        yield received
        return
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_anything() -> None:
    """Make the streams show what they cannot encode (labels and file names need not be ASCII, nor text) escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _report(message: str, code: int, *, lines: bool = False) -> int:
    """Say what was wrong, in one line, whatever names are in it, unless it has `lines`."""
    if not lines:
        message = "".join(repr(c)[1:-1] if unicodedata.category(c) == "Cc" else c for c in message)
    if sys.stderr is None:  # closed by whoever started the command
        return code
    with contextlib.suppress(OSError):
        print(f"error: {message}" if code != INTERRUPTED else message, file=sys.stderr, flush=True)
    return code


def _drop_output() -> None:
    """Keep the interpreter from reporting at its end once more that standard output cannot be written."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
