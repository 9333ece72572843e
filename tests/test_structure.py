"""The shape of the code: imports go one way, every layer, op and loss has a row in cases.py, files stay short."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cases import LAYERS, LOSSES, OPS
from scratchnet.kernels import registry

import scratchnet as sn

ROOT = Path(__file__).resolve().parents[1]

# Who may import whom: a module imports only from its own line or from lines above it.
ORDER = [
    "errors names paths require checks configured keras_defaults signals process results",
    "kernels",
    "backend config drawing initializers regularizers keras_backend",
    "workspace pace host_arrays sample_weights turns compiling",
    "custom layers losses schedules optimizers datasets report metrics activations",  # report: arithmetic, as metrics
    "flattened",
    "numerics training batches fit_data callbacks progress summary checkpoint safetensors_io saved_model formats "
    "keras_format gpu_memory replay capture recording stepping testing fitting model models",
    "gradient_probes gradient_check utils random compile_ahead environment",
    "interop own_picture plots recipes console run_callbacks run_folder run_report run_records pages run ladder "
    "dry_run",
    "cli commands __main__",
]
LEVEL = {name: level for level, line in enumerate(ORDER) for name in line.split()}

# "About" 10 lines of code, 60 lines (blank ones not counted), 300 lines.
REFERENCE_LINES, LAYER_LINES, FILE_LINES = 12, 75, 320

SOURCES = sorted([*ROOT.glob("kernels/*.py"), *ROOT.glob("scratchnet/**/*.py")])


def module_name(path: Path) -> tuple[str, ...]:
    """``kernels/dense.py`` -> ("kernels", "dense"); ``scratchnet/layers/__init__.py`` -> ("layers",)."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "scratchnet" else parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(path: Path) -> Iterator[str]:
    """The rooms of scratchnet that a file imports from, wherever in the file, type checking left out."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path)[:-1]
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom):
            origin = tuple((node.module or "").split(".")) if node.module else ()
            if node.level:
                origin = package[: len(package) - node.level + 1] + origin
            elif origin[:1] == ("scratchnet",):
                origin = origin[1:]
            else:
                continue
            yield from [origin[0]] if origin else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("scratchnet."))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.relative_to(ROOT).parts))
def test_imports_go_one_way(path: Path) -> None:
    name = module_name(path)
    if not name:
        return  # scratchnet/__init__.py gathers the public names
    assert name[0] in LEVEL, f"{name[0]} has no place in ORDER"
    for other in imports(path):
        if other in LEVEL:
            assert LEVEL[other] <= LEVEL[name[0]], f"{'.'.join(name)} imports {other}, which stands on top of it"


LIBRARIES = ["numba", "llvmlite", "scipy", "sklearn", "matplotlib", "typer", "rich", "pydantic", "cupy", "safetensors"]


def test_import_needs_numpy_alone() -> None:
    code = f"import sys, scratchnet; print([name for name in {LIBRARIES} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def covered_layers() -> set[str]:
    return {type(inner).__name__ for case in LAYERS for inner in case.make(dtype="float32").walk()}


def test_every_public_layer_has_a_row() -> None:
    base = sn.layers.Layer
    public = {cls.__name__ for cls in vars(sn.layers).values() if inspect.isclass(cls) and issubclass(cls, base)}
    assert public - {"Layer"} <= covered_layers()


def test_every_op_has_a_row_and_a_twin() -> None:
    ops = registry.ops()
    assert set(ops) == {case.op for case in OPS}
    assert [name for name, op in ops.items() if "numba" not in op.twins] == []


def test_every_public_loss_has_a_row() -> None:
    public = {cls for cls in vars(sn.losses).values() if inspect.isclass(cls) and issubclass(cls, sn.losses.Loss)}
    without_formula = {cls for cls in public if "evaluate" not in dir(cls) or cls.evaluate is sn.losses.Loss.evaluate}
    named = {cls for cls in public - without_formula if not cls.__name__.startswith("_")}
    assert named == {type(case.loss) for case in LOSSES}


@pytest.mark.parametrize("name", sorted(registry.ops()))
def test_references_are_short_and_explained(name: str) -> None:
    source = inspect.getsource(registry.get(name).reference)
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert ast.get_docstring(function)
    first, last = function.body[1].lineno, function.end_lineno
    assert last is not None
    assert last - first + 1 <= REFERENCE_LINES


@pytest.mark.parametrize("path", sorted(ROOT.glob("scratchnet/layers/*.py")), ids=lambda path: path.name)
def test_layers_are_short_and_explained(path: Path) -> None:
    source = path.read_text()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            assert ast.get_docstring(node), node.name
            if path.name not in ("base.py", "stack.py"):  # a protocol and a container, not layers
                lines = (ast.get_source_segment(source, node) or "").splitlines()
                assert sum(bool(line.strip()) for line in lines) <= LAYER_LINES, node.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.relative_to(ROOT).parts))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES


def test_every_package_is_installed() -> None:
    """An editable install finds those that pyproject.toml forgets; a wheel does not."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("scratchnet/**/__init__.py")}
    assert set(listed) == there | {"scratchnet.kernels"}


@pytest.mark.parametrize("name", sorted(name for name in dir(sn.layers) if name[0].isupper() and name != "Layer"))
def test_a_layers_docstring_has_its_arguments(name: str) -> None:
    cls = getattr(sn.layers, name)
    text = inspect.getdoc(cls) or ""
    parameters = text.partition("Parameters\n")[2].partition("\n\n")[0]
    own = next(base for base in cls.__mro__ if "__init__" in vars(base))
    given = list(inspect.signature(own.__init__).parameters)[1:]
    assert [one for one in given if one not in ("kwargs", "name", "kind") and one not in parameters] == []
