"""The site in docs/: code blocks run and print what the page says, every public name has an example, it builds."""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib
import importlib.util
import inspect
import io
import operator
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from browser import browser, chromium
from servers import real_data

import scratchnet as sn

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
FENCE = re.compile(r"^(?P<fence>`{3,})(?P<kind>\w+) *\n(?P<text>.*?)^(?P=fence) *$", re.MULTILINE | re.DOTALL)
SHOWS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE  # "..." on a page stands for anything


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: ``python`` and ``console`` run, ``output`` is what the ``python`` above it prints."""

    kind: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(match["kind"], match["text"], text.count("\n", 0, match.start("text"))) for match in FENCE.finditer(text)
    ]


def id_of(page: Path) -> str:
    return page.relative_to(DOCS).with_suffix("").as_posix()


@contextlib.contextmanager
def as_a_program(folder: Path) -> Iterator[None]:
    """What a page does to the process ends with it. It can import what stands in the checkout, such as benchmarks."""
    before, floatx, path = Path.cwd(), sn.config.floatx(), list(sys.path)
    os.chdir(folder)
    sys.path.insert(0, str(ROOT))
    try:
        with sn.use_backend("numpy"):
            yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        sn.config.set_floatx(floatx)


def run_python(block: Block, page: Path, namespace: dict[str, Any]) -> str:
    """What a block prints; a traceback names the line of the page."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile("\n" * block.line + block.text, str(page), "exec"), namespace)
    return said.getvalue()


def run_console(block: Block) -> str:
    """What the ``$ ...`` lines of a block say; a command that fails is shown with ``; echo $?`` behind it."""
    said = []
    for command in re.findall(r"^\$ (.*)$", block.text, re.MULTILINE):
        program, shows_code = command.removesuffix("; echo $?"), command.endswith("; echo $?")
        words = shlex.split(program)
        assert words[0] == "scratchnet-train", command
        environment = {**os.environ, "COLUMNS": "160"}
        done = subprocess.run(
            [sys.executable, "-m", "scratchnet", *words[1:]], capture_output=True, text=True, env=environment
        )
        assert shows_code or done.returncode == 0, done.stderr
        said += [f"$ {command}\n", done.stdout, done.stderr, f"{done.returncode}\n" if shows_code else ""]
    return "".join(said)


def assert_shows(expected: str, got: str, page: Path, line: int) -> None:
    if not doctest.OutputChecker().check_output(expected, got, SHOWS):
        raise AssertionError(f"{page.name}, line {line + 1}: the page shows\n{expected}\nand the code prints\n{got}")


def run_page(page: Path, folder: Path) -> None:
    """All blocks from top to bottom, in one namespace and a folder of their own."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    with as_a_program(folder):
        for block in blocks_of(page):
            if block.kind == "python":
                printed = run_python(block, page, namespace)
            elif block.kind == "console":
                assert_shows(block.text, run_console(block), page, block.line)
            elif block.kind == "output":
                assert_shows(block.text, printed, page, block.line)


# Pages with a process of their own, and what its environment has: Keras is imported once for all, with one backend.
APART = {"api/keras": {"KERAS_BACKEND": "numpy"}}


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_code_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "mnist.load_data" in page.read_text(encoding="utf-8"):
        monkeypatch.setenv("SCRATCHNET_DATA", str(real_data()))
    if id_of(page) not in APART:
        run_page(page, tmp_path)
        return
    code = f"from pathlib import Path; import test_docs; test_docs.run_page(Path({str(page)!r}), Path.cwd())"
    environment = {**os.environ, **APART[id_of(page)], "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Every public name has an example -------------------------------------------------------------------------------------

# fmt: off
PUBLIC = (
    "layers", "losses", "metrics", "optimizers", "optimizers.schedules", "initializers", "regularizers", "callbacks",
    "datasets", "datasets.digits", "datasets.mnist", "datasets.fashion_mnist", "utils", "errors", "config",
    "checkpoint", "interop.sklearn", "interop.keras", "interop.onnx", "recipes", "activations", "models",
)
# fmt: on
MODULES: dict[str, ModuleType] = {name: importlib.import_module(f"scratchnet.{name}") for name in PUBLIC}
INTERNAL = {  # what stands in a public module for the other modules of scratchnet
    "callbacks.CallbackList", "callbacks.Hooks", "callbacks.progress_callbacks", "callbacks.report_evaluation",
    "callbacks.verbosity",
    "initializers.blank", "initializers.fans", "initializers.seed_default_rng", "initializers.truncated_normal",
    "config.as_float_dtype",
}  # fmt: skip
DIRECTIVE = re.compile(r"^\.\. auto(?:class|function|exception|method):: scratchnet\.(\S+)", re.MULTILINE)


def public_names() -> set[str]:
    """``Sequential``, ``layers.Dense``, ``optimizers.schedules.CosineDecay`` ...: what may be written after ``sn.``"""
    found = {name for name in sn.__all__ if not isinstance(getattr(sn, name), ModuleType)}
    for module, content in MODULES.items():
        own = getattr(content, "__all__", None) or [
            name
            for name, value in vars(content).items()
            if not name.startswith("_")
            and (inspect.isclass(value) or inspect.isfunction(value))
            and value.__name__ == name  # not a second name
            and f"{value.__module__}.".startswith(f"{content.__name__}.")
        ]
        shared = {name for name in own if getattr(content, name) is getattr(sn, name, None)}  # models.Sequential
        own = [name for name in own if name not in shared and not isinstance(getattr(content, name), ModuleType)]
        found |= {f"{module}.{name}" for name in own}
    return found - INTERNAL


def names_used(code: str) -> set[str]:
    tree = ast.walk(ast.parse(code))
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in tree
        if isinstance(node, ast.Name | ast.Attribute)
    }


def examples() -> dict[str, bool]:
    """For every name that a page documents: whether a code block of that page uses it."""
    found: dict[str, bool] = {}
    for page in PAGES:
        used = names_used("\n".join(block.text for block in blocks_of(page) if block.kind == "python"))
        used |= {word for block in blocks_of(page) for word in re.findall(r'get\("(\w+)"\)', block.text)}
        for name in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            found[name] = name.rpartition(".")[2] in used
    return found


def test_every_public_name_has_an_example() -> None:
    found = examples()
    # Said beside the first ones.
    second_names = {"MaxPool2D", "AvgPool2D", "GlobalMaxPool2D", "GlobalAvgPool2D", "InputLayer", "Input", "swish"}
    missing = {name for name in public_names() - set(found) if name.rpartition(".")[2] not in second_names}
    assert not missing, f"no page of docs/api documents {', '.join(sorted(missing))}"
    assert [name for name, used in found.items() if not used] == []


def lay_down_files() -> None:
    """The user's files that examples in docstrings open: a folder of pictures, a table of pixels."""
    from PIL import Image

    for name in ("cats", "dogs"):
        Path("pets", name).mkdir(parents=True)
        for number in range(5):
            Image.fromarray(np.full((64, 64), 40 * number, np.uint8)).save(Path("pets", name, f"{number}.png"))
    Path("digits.csv").write_text("".join(f"{i % 2}{',0' * 784}\n" for i in range(10)))


def test_docstring_examples_run(tmp_path: Path) -> None:
    """The ``>>>`` lines of the docstrings, the digits being there as x_train, y_train."""
    (x_train, y_train), _ = sn.datasets.digits.load_data()
    given = {
        **vars(sn),
        **vars(sn.layers),
        **vars(sn.losses),
        "sn": sn,
        "np": np,
        "x_train": x_train / 16,
        "y_train": y_train,
    }
    runner = doctest.DocTestRunner(optionflags=SHOWS)
    with as_a_program(tmp_path):
        lay_down_files()
        for name in ["", *sorted(public_names())]:
            documented = operator.attrgetter(name)(sn) if name else sn
            names = {**vars(inspect.getmodule(documented) or sn), **given}
            for test in doctest.DocTestFinder(recurse=bool(name)).find(documented, name or "scratchnet", globs=names):
                said = io.StringIO()
                assert not runner.run(test, out=said.write).failed, said.getvalue()
    assert runner.tries > 10


def test_what_the_page_for_keras_users_says_is_missing_is_missing() -> None:
    """The names in the first column of its table; whoever adds one of them deletes its row."""
    page = (DOCS / "from-keras.md").read_text(encoding="utf-8")
    table = page.partition("\n## What is not here")[2].partition("\n#")[0]
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)))
    assert len(named) > 50
    places = [sn, *MODULES.values(), sn.Sequential, sn.layers.Layer]
    assert [name for name in named if any(hasattr(place, name) for place in places)] == []


# The site -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("sphinx") is None:
        pytest.skip("sphinx is not installed: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(folder / "doctrees"), str(DOCS)]
    done = subprocess.run([*command, str(folder / "html")], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


def test_the_site_builds_and_needs_no_network(site: Path) -> None:
    pages = {
        path.relative_to(site).with_suffix("").as_posix(): path.read_text("utf-8") for path in site.rglob("*.html")
    }
    assert {id_of(page) for page in PAGES} <= set(pages)
    for name, html in pages.items():
        assert not re.findall(r'<(?:script|img|iframe|source)[^>]*src="(?:https?:)?//[^"]*"', html), name
        assert not re.findall(r'<link[^>]*rel="(?:stylesheet|preload|icon)"[^>]*href="(?:https?:)?//[^"]*"', html), name
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"(?:@import|url\()[\s\"']*(?:https?:)?//[^)\"']*", styles)
    assert "<math" in pages["ops/dense"]
    assert "def dense_forward_reference" in re.sub(r"<[^>]+>", "", pages["ops/dense"])
    assert "Every output is a weighted sum" not in pages["api/layers"]  # that is the file's; the class's is there:
    assert "Number of outputs." in pages["api/layers"]


TOO_WIDE = "[...document.querySelectorAll({!r})].filter((box) => box.scrollWidth > box.clientWidth + 1).length"


@pytest.mark.parametrize("width", [1300, 390])
def test_formulas_are_shown_whole_and_sources_on_a_projector_too(site: Path, width: int) -> None:
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with browser(program) as page:
        for path in sorted((site / "ops").glob("*.html")):
            page.open(path, width=width)
            assert page.value("document.documentElement.scrollWidth") <= width, path
            assert page.value(TOO_WIDE.format(".formula, .formula math")) == 0, path
            assert width < 1300 or page.value(TOO_WIDE.format(".highlight pre")) == 0, path


def test_links_of_the_site_lead_somewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        html = page.read_text("utf-8")
        for link, anchor in re.findall(r'<a[^>]* href="([^"#:]*)(?:#([^"]*))?"', html):
            target = page if not link else page.parent / link
            assert target.is_file(), f"{page.name}: {link}"
            assert not anchor or re.search(f'id="{re.escape(anchor)}"', target.read_text("utf-8")), (
                f"{page.name}: {link}#{anchor}"
            )


def test_the_table_of_ops_is_that_of_its_script() -> None:
    """Its rows are the script's, and what the script hands to the ops is what they take."""
    specification = importlib.util.spec_from_file_location("measure", DOCS / "ops" / "measure.py")
    assert specification is not None
    assert specification.loader is not None
    measure = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(measure)
    rows = re.findall(
        r"^\| (.*?) \| [\d.]+ \| [\d.]+ \| [\d.]+ \|$", (DOCS / "ops" / "index.md").read_text(), re.MULTILINE
    )
    assert rows == [what for what, *_ in measure.cases()]
    for _, name, arguments, outputs in measure.cases():
        measure.registry.get(name).textbook(*arguments, *outputs)
