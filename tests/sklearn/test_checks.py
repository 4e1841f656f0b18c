"""scikit-learn's own checks of an estimator, none of which is expected to fail."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from scanwise.sklearn import ScanClassifier


@parametrize_with_checks([ScanClassifier()])  # type: ignore[untyped-decorator]
def test_check_estimator(estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without it a check skips itself
    check(estimator)
