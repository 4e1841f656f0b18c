"""`scanwise demo`: handwritten digits hidden in photographs, found again. Needs the extra `[demo]`."""

from scanwise.demo.run import DemoResult, run_demo

__all__ = ["DemoResult", "run_demo"]
