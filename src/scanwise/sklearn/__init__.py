"""Estimators for scikit-learn, which the extra `scanwise[sklearn]` brings."""

try:
    import sklearn as sklearn
except ModuleNotFoundError as error:
    raise ImportError(
        "scanwise.sklearn needs scikit-learn, which must be installed: pip install 'scanwise[sklearn]'"
    ) from error

from scanwise.sklearn.classifier import ScanClassifier

__all__ = ["ScanClassifier"]
