"""Scanwise timed side by side with PyTorch and ONNX Runtime: ``python -m benchmarks``."""
