"""Architecture rules: imports, which packages may read, write and print, and forbidden addresses.

The layers, lowest first: `codes, files, radiograph, settings`
<- `reading, detection, simulation` <- `results` <- `reporting` <- `batch, comparison, evaluation,
exams, review, training` <- `cli`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lesionscan.codes import ErrorCode, NoticeCode, RefusalCode, State
from lesionscan.detection.measurements import Flag

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lesionscan"

_GROUND = {"codes", "files", "png", "radiograph", "settings", "truth_names"}
MAY_IMPORT = {
    "codes": {"radiograph"},
    "files": set[str](),
    "png": set[str](),
    "truth_names": set[str](),
    "radiograph": set[str](),
    "settings": {"files"},
    "reading": _GROUND,
    "detection": _GROUND,
    "simulation": _GROUND,
    "results": {*_GROUND, "reading", "detection"},
    "reporting": {*_GROUND, "reading", "detection", "results"},
    "batch": {*_GROUND, "reading", "detection", "results", "reporting"},
    "comparison": {*_GROUND, "reading", "detection", "results", "reporting"},
    # evaluation reads result files and arrays, so that it can evaluate other programs too; it
    # imports only the definition of a lesion's relative width from detection
    "evaluation": {"files", "truth_names", "results", "detection.location"},
    "exams": {*_GROUND, "reading", "results"},
    "review": {*_GROUND, "results", "reporting"},
    # training reads truth folders like evaluation, and writes files atomically like results
    "training": {*_GROUND, "reading", "detection", "simulation", "evaluation.truth"}
    | {"results.atomic"},
    # the public interface
    "": {*_GROUND, "reading", "detection"},
    "cli": {*_GROUND, "reading", "detection", "simulation", "results", "reporting", "batch"}
    | {"comparison", "evaluation", "exams", "review", "training"},
}
"""Packages and top-level modules, and the packages or single modules that each may import; "" is
`lesionscan` itself."""

MAY_WRITE = {"results", "simulation"}
MAY_PRINT = {"cli"}
READS_OWN_FILES = {"reporting.page.index", "batch.dask_engine", "comparison.page"}
"""Modules that read only files of the package, and so need no size limit."""
MAY_NAME_PYDICOM = re.compile(
    r"lesionscan\.(reading\.dicom\w*|simulation\.dicom_file|reporting\.dicom_\w+)"
)
VAGUE_NAMES = {"utils", "util", "common", "helpers", "misc", "base", "core"}
WRITERS = {"write_bytes", "write_text", "mkdir", "touch", "unlink", "rename", "tofile", "save"} | {
    "savez",
    "savetxt",
    "imsave",
    "makedirs",
    "rmtree",
}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

PLACES = {
    "the address of a package index": re.compile(r"https?://\S*/simple\b|index[-_]url\b"),
    "a trusted host": re.compile(r"trusted[-_]host\b"),
    "a folder of a build machine": re.compile(
        r"(?<![\w.~-])/(work|root|builds|home/\w+|Users/\w+)/"
    ),
}
SOURCES = ("lesionscan", "scripts", "tests", "docs", "sample_images", ".ci", ".github")


def faults(module: str, source: str) -> Iterator[str]:
    """Yield the violations in a module, given its dotted name and its source."""
    package = _package(module)
    if VAGUE_NAMES & set(module.split(".")):
        yield f"{module}: a vague name"
    if package not in MAY_IMPORT:
        yield f"{module}: {package} is not in MAY_IMPORT"
        return
    for node in ast.walk(ast.parse(source)):
        for name in _imported(module, node):
            yield from _import_faults(module, name)
        if isinstance(node, ast.Attribute) and node.attr.startswith(("imread", "imwrite")):
            yield f"{module}: cv2.{node.attr} accepts half a picture; use the reader"
        if isinstance(node, ast.Call):
            yield from _call_faults(module, node)


def _import_faults(module: str, name: str) -> Iterator[str]:
    package = _package(module)
    top, _, rest = name.partition(".")
    if top == "pydicom" and not MAY_NAME_PYDICOM.fullmatch(module):
        yield f"{module} imports pydicom"
    if name.startswith(("cv2.imread", "cv2.imwrite")):
        yield f"{module} imports {name}"
    if top != "lesionscan" or rest == "__version__":
        return
    other = _package(name)
    if other == "" or other not in MAY_IMPORT:
        yield f"{module} imports {name} through the public interface; name its module"
    elif not any(f"{rest}.".startswith(f"{place}.") for place in {package, *MAY_IMPORT[package]}):
        yield f"{module} imports {name}, which is not below it"


def _call_faults(module: str, node: ast.Call) -> Iterator[str]:
    package = _package(module)
    function = node.func
    if (
        isinstance(function, ast.Attribute)
        and (function.attr in {"read_bytes", "read_text"} or _opens_path_to_read(node))
        and module.partition(".")[2] not in READS_OWN_FILES
    ):
        yield f"{module} reads without a limit; use lesionscan.files"
    if isinstance(function, ast.Name) and function.id == "print" and package not in MAY_PRINT:
        yield f"{module} prints"
    if package in MAY_WRITE:
        return
    if isinstance(function, ast.Attribute) and function.attr in WRITERS:
        yield f"{module} writes ({function.attr})"
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name == "open":
        given = [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
        texts = [value.value for value in given if isinstance(value, ast.Constant)]
        if any(isinstance(t, str) and re.fullmatch(r"(?=.*[wax+])[rwaxbt+]+", t) for t in texts):
            yield f"{module} writes (open)"


def _opens_path_to_read(node: ast.Call) -> bool:
    """Return whether a call is `path.open(...)` for reading, unlike `Image.open` and others."""
    function = node.func
    if not (isinstance(function, ast.Attribute) and function.attr == "open"):
        return False
    owner = ast.unparse(function.value)
    mode = ast.unparse(node.args[0]) if node.args else "'r'"
    return owner not in {"Image", "archive", "os", "webbrowser"} and not set(mode) & set("wax")


def _imported(module: str, node: ast.AST) -> Iterator[str]:
    """Yield the full names imported by a statement; nothing for other nodes."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = node.module or ""
        if node.level:
            package = module if MODULES.get(module, Path()).name == "__init__.py" else f"{module}."
            parts = package.rstrip(".").split(".")
            kept = len(parts) - node.level + (not package.endswith("."))
            start = ".".join([*parts[:kept], *filter(None, [start])])
        yield from (f"{start}.{alias.name}" for alias in node.names)


def _arrows() -> dict[str, set[str]]:
    """Return the modules that each module imports, also inside functions."""
    return {
        module: {
            name if name in MODULES else name.rpartition(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in _imported(module, node)
        }
        & MODULES.keys() - {module}
        for module, path in MODULES.items()
    }


def _folder(module: str) -> str:
    """Return the subfolder that contains a module, or the module itself if there is none."""
    return ".".join(module.split(".")[:3])


def _in_circles(arrows: dict[str, set[str]]) -> set[str]:
    """Return the modules left after removing those that import nothing or are not imported."""
    left = set(arrows)
    while True:
        imported = set[str]().union(*(arrows[one] & left for one in left))
        kept = {one for one in left & imported if arrows[one] & left}
        if kept == left:
            return left
        left = kept


def _package(module: str) -> str:
    """Return the top-level package or module of a dotted name; "" for lesionscan itself."""
    return ".".join(module.split(".")[1:2])


@pytest.mark.parametrize("module", MODULES)
def test_a_module_keeps_the_rules(module: str) -> None:
    """No module violates the rules for imports, reading, writing and printing."""
    assert list(faults(module, MODULES[module].read_text(encoding="utf-8"))) == []


def test_every_package_has_rules() -> None:
    """Every top-level package has rules, and all modules were found."""
    packages = {_package(module) for module in MODULES}
    assert packages <= set(MAY_IMPORT)
    assert {"", "reading", "detection", "reporting", "batch", "cli"} <= packages


def test_no_imports_run_in_circles() -> None:
    """There are no circular imports between modules, nor between subfolders."""
    arrows = _arrows()
    assert _in_circles(arrows) == set()
    packages = {".".join(module.split(".")[:2]) for module in arrows}
    folders: dict[str, set[str]] = {_folder(module): set() for module in arrows}
    for module, imported in arrows.items():
        folders[_folder(module)] |= (
            {_folder(one) for one in imported} - {_folder(module)} - packages
        )
    assert _in_circles(folders) == set()


def test_circles_are_found() -> None:
    """Modules that import each other are found, without those that lead to or from them."""
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str]()}
    assert _in_circles(arrows) == {"b", "c"}


def test_the_table_lists_every_package() -> None:
    """The table in docs/architecture.md lists every top-level package and module."""
    table = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("```")[0]
    for package in filter(None, MAY_IMPORT):
        assert re.search(rf"^\|.*`{package}`", table, re.MULTILINE), package


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("detection.bad", "from lesionscan.reading import read_radiograph", "not below it"),
        ("review.bad", "data = (folder / 'x.json').read_bytes()", "reads without a limit"),
        ("batch.bad", "text = path.read_text(encoding='utf-8')", "reads without a limit"),
        ("batch.bad", "with path.open('rb') as stream:\n    pass", "reads without a limit"),
        ("batch.bad", "with path.open(encoding='utf-8') as stream:\n    pass", "without a limit"),
        ("detection.bad", "from lesionscan.results.record import Record", "not below it"),
        ("detection.bad", "def f():\n    import lesionscan.batch.run", "not below it"),
        ("detection.bad", "from ..reporting import records", "not below it"),
        ("detection.bad", "from .. import reporting", "not below it"),
        ("reading.bad", "from lesionscan.detection import bone", "not below it"),
        ("simulation.bad", "from lesionscan.reading.dicom import dicom_frames", "not below it"),
        ("reporting.bad", "from lesionscan.batch.job import Job", "not below it"),
        ("batch.bad", "from lesionscan.evaluation.truth import load_truth", "not below it"),
        ("batch.bad", "from lesionscan.simulation.phantom import make_phantom", "not below it"),
        ("evaluation.bad", "from lesionscan.detection import pipeline", "not below it"),
        ("evaluation.bad", "from lesionscan.batch.job import Job", "not below it"),
        ("evaluation.bad", "path.write_text('x')", "writes"),
        ("training.bad", "from lesionscan.evaluation.matching import match", "not below it"),
        ("training.bad", "from lesionscan.evaluation import truth_table", "not below it"),
        ("training.bad", "path.write_bytes(b'')", "writes"),
        ("evaluation.bad", "from lesionscan.training.films import LESION", "not below it"),
        ("batch.bad", "from lesionscan.training.fit import fit", "not below it"),
        ("comparison.bad", "from lesionscan.batch.pool import run_jobs", "not below it"),
        ("settings", "from lesionscan.radiograph import Notice", "not below it"),
        ("batch.bad", "from lesionscan import find_candidates", "public interface"),
        ("reporting.bad", "import pydicom", "imports pydicom"),
        ("batch.bad", "from pydicom import dcmread", "imports pydicom"),
        ("reading.bad", "import cv2\ncv2.imread('x')", "imread"),
        ("reporting.bad", "from cv2 import imwrite", "imwrite"),
        ("detection.bad", "print('x')", "prints"),
        ("detection.bad", "path.write_text('x')", "writes"),
        ("reading.bad", "path.open('rb+')", "writes"),
        ("batch.bad", "open(path, mode='w')", "writes"),
        ("reading.utils", "", "vague name"),
        ("helpers", "", "vague name"),
        ("elsewhere.bad", "", "not in MAY_IMPORT"),
    ],
)
def test_a_bad_module_is_noticed(module: str, source: str, fault: str) -> None:
    """Each violated rule gives a message that names the rule."""
    assert any(fault in line for line in faults(f"lesionscan.{module}", source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("batch.good", "from lesionscan import __version__\nfrom lesionscan.reading import x"),
        ("reading.dicom_new", "import pydicom"),
        ("reporting.dicom_new", "import pydicom"),
        ("reading.good", "Image.open(path)\n'abc'.replace('a', 'w')\nopen(path)"),
        ("results.good", "path.write_bytes(b'')"),
        ("detection.good", "from .measure import Region\nfrom ..radiograph import Notice"),
        ("training.good", "from lesionscan.evaluation.truth import TruthFilm\nimport torch"),
        ("cli", "print('x')\nfrom lesionscan.simulation.samples import write_samples"),
    ],
)
def test_a_good_module_has_no_fault(module: str, source: str) -> None:
    """Allowed code gives no violation."""
    assert list(faults(f"lesionscan.{module}", source)) == []


def _texts() -> Iterator[tuple[str, str]]:
    """Yield name and content of every text file in the repository."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in SOURCES:
        found += (ROOT / folder).rglob("*")
    for path in sorted(found):
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".coverage":
            try:
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # a picture


def test_no_file_names_a_place() -> None:
    """No file contains the address of a package index or a folder of a build machine."""
    named = [
        f"{name}: {what}"
        for name, text in _texts()
        for what, pattern in PLACES.items()
        if pattern.search(text)
    ]
    assert named == []


@pytest.mark.parametrize(
    "text",
    [
        "pip install -i https://mirror.example/pypi" + "/simple x",
        "--extra-index" + "-url x",
        "trusted" + "-host = x",
        "cp '/" + "work/main/x' y",
        "see /" + "home/smith/x",
    ],
)
def test_a_named_place_is_noticed(text: str) -> None:
    """Each forbidden address is found."""
    assert any(pattern.search(text) for pattern in PLACES.values())


def test_every_code_is_in_the_table_and_used() -> None:
    """Every code in `lesionscan.codes` is used, and no notice has a literal code."""
    trees = {
        module: ast.parse(path.read_text(encoding="utf-8"))
        for module, path in MODULES.items()
        if module != "lesionscan.codes"
    }
    used = {
        (node.value.id, node.attr)
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    for codes in (ErrorCode, NoticeCode, RefusalCode, State, Flag):
        assert [code.name for code in codes if (codes.__name__, code.name) not in used] == []
    made_by_hand = [
        f"{module}:{node.lineno}"
        for module, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Notice"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    assert made_by_hand == []
