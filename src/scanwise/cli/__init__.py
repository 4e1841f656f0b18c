"""The command line: `scanwise train | eval | scan | inspect | demo`.

Results go to standard output, progress and messages to standard error. Exit codes: 0 done, 1 a problem in the data,
2 wrong use (options, files, models), 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

DONE, BAD_DATA, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; every error that a user can cause is one message on standard error, never a traceback.

    Args:
        arguments: of the command line; None takes those of the process.

    Returns:
        The exit code.
    """
    import typer

    from scanwise.cli.app import app
    from scanwise.errors import DataError, ScanwiseError

    try:
        code = app(
            args=None if arguments is None else list(arguments), prog_name="scanwise", standalone_mode=False
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except DataError as error:
        return _report(str(error), BAD_DATA)
    except ScanwiseError as error:
        return _report(str(error), WRONG_USE)
    except (
        SystemExit
    ) as stop:  # click's answer to a broken pipe: whoever read the output (`| head`) has seen enough
        _drop_output()
        return DONE if isinstance(stop.__context__, BrokenPipeError) else WRONG_USE
    except OSError as error:
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


def _report(message: str, code: int) -> int:
    with contextlib.suppress(OSError):
        print(f"error: {message}" if code != INTERRUPTED else message, file=sys.stderr, flush=True)
    return code


def _drop_output() -> None:
    """Keep the interpreter from reporting at its end once more that standard output cannot be written."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
