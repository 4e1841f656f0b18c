"""One builder of native code per layer kind: forward, input gradient, parameter gradient."""

from scanwise.kernels.lowering import lower

__all__ = ["lower"]
