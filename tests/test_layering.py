"""Imports go one way: a stage imports only from stages above it (docs/architecture.md), and from `errors`."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import scanwise

# In the order of the data's way. A module imports from its own stage and from those above it.
STAGES = (
    ("errors",),
    ("threads", "memory", "paths"),
    ("layers",),
    ("shapes",),
    ("reference",),
    ("codegen",),
    ("kernels",),
    ("plan",),
    ("executor",),
    ("inputs", "initialization", "parameters"),
    ("calibration",),
    ("facts",),
    ("model", "model_file", "self_check", "presence"),
    ("augment",),
    ("training",),
    ("tuning",),
    ("neocognitron",),
    ("models",),
    ("routing",),
    ("evaluation",),
    ("scanning",),
    ("identities",),
    ("data",),
    ("evaluation",),
    ("estimators", "sklearn"),
    ("demo",),
    ("cli",),
    ("__main__",),
)
STAGE_OF = {name: number for number, names in enumerate(STAGES) for name in names}
ROOT = Path(inspect.getfile(scanwise)).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imports_of(module: Path) -> set[str]:
    """First names under `scanwise` that a module imports, at its top or within a function."""
    package = ("scanwise", *module.parts[:-1])
    found = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            origin = ".".join(filter(None, [base, node.module or ""]))
            names = [f"{origin}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("scanwise.")}
    return found


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_one_way(module: Path) -> None:
    own = module.parts[0].removesuffix(".py")
    assert own in STAGE_OF, f"{module} belongs to no stage; add it to STAGES and docs/architecture.md"
    for name in imports_of(module):
        if name == "__version__":
            continue
        assert name in STAGE_OF, f"{module} imports scanwise.{name}, which belongs to no stage"
        assert STAGE_OF[name] <= STAGE_OF[own], (
            f"{module} ({own}) must not import scanwise.{name}, a later stage"
        )


def test_the_reference_imports_numpy_and_layers_alone() -> None:
    allowed = {"reference", "layers", "errors", "shapes"}
    for module in MODULES:
        if module.parts[0] == "reference":
            assert imports_of(module) <= allowed, module
