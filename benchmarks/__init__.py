"""Scanwise timed side by side with PyTorch, JAX and ONNX Runtime: ``python -m benchmarks``."""
