"""What every test shares: a private kernel cache, two threads, and where data sets lie."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import hypothesis
import pytest

# Set before anything imports the engine: the tests neither read nor fill the user's own kernel cache. A directory
# given from outside is kept, so that several test commands can share compiled kernels.
_OWN_CACHE = (
    None if "SCANWISE_CACHE" in os.environ else tempfile.TemporaryDirectory(prefix="scanwise-test-cache-")
)
if _OWN_CACHE is not None:
    os.environ["SCANWISE_CACHE"] = _OWN_CACHE.name

# Compiling a kernel takes tenths of a second, so no example has a deadline; the same examples on every run, so that
# a failure seen once is seen again.
hypothesis.settings.register_profile("scanwise", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("scanwise")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_sessionfinish() -> None:
    """Removes the private kernel cache."""
    if _OWN_CACHE is not None:
        _OWN_CACHE.cleanup()


@pytest.fixture
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs the test with an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with ``mnist.npz`` (MNIST, CC BY-SA 3.0) and ``fsdd`` (Free Spoken Digit Dataset, CC BY-SA 4.0).

    ``SCANWISE_TEST_DATA`` names it; without that it is ``shared/data`` beside the repository. Neither data set is part
    of the repository: https://yann.lecun.com/exdb/mnist (as an ``.npz`` with ``x_train y_train x_test y_test``) and
    https://github.com/Jakobovski/free-spoken-digit-dataset (split into ``train`` and ``test``, one folder a digit).
    """
    folder = Path(os.environ.get("SCANWISE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.fail(
            f"test data not found: {folder}; set SCANWISE_TEST_DATA to the folder with mnist.npz and fsdd"
        )
    return folder
