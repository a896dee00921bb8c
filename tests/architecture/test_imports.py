"""What may be imported where, beyond the contracts that import-linter holds (pyproject.toml)."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cellcoadd
import cellcoadd.tasks

PACKAGE = Path(cellcoadd.__file__).parent

# What costs a newcomer's first `import cellcoadd` the most; each is loaded when it is used.
SLOW_TO_LOAD = ("astropy", "galsim", "lsst", "matplotlib", "numba", "numpy", "piff", "scipy")

KERNELS_MAY_IMPORT = (
    "__future__",
    "collections.abc",
    "dataclasses",
    "functools",
    "math",
    "numpy",
    "typing",
    "cellcoadd._jit",
    "cellcoadd.kernels",
)


def imported_names(file: Path) -> Iterator[str]:
    """Yield the full name of each module or member that a file of the package imports."""
    package = ("cellcoadd", *file.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def is_inside(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(f"{allowed}.")


def run_python(program: str) -> str:
    """Return what a program prints in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout


def test_importing_the_package_loads_nothing_slow() -> None:
    """The command's help and a notebook's first cell must answer at once."""
    loaded = run_python("import sys, cellcoadd; print(*sys.modules)").split()
    roots = {name.partition(".")[0] for name in loaded}
    assert "cellcoadd" in roots
    assert roots.isdisjoint(SLOW_TO_LOAD)


def test_the_command_line_loads_nothing_slow() -> None:
    """What a sub-command needs is loaded when it runs."""
    loaded = run_python("import sys, cellcoadd.cli; print(*sys.modules)").split()
    assert "cellcoadd.cli" in loaded
    assert {name.partition(".")[0] for name in loaded}.isdisjoint(SLOW_TO_LOAD)


@pytest.mark.parametrize("name", cellcoadd.__all__)
def test_a_public_name_is_the_one_of_its_module(name: str) -> None:
    """A name in the table of lazily loaded names that leads nowhere would fail only in use."""
    member = getattr(cellcoadd, name)
    assert name in dir(cellcoadd)
    if name != "__version__":
        assert member.__module__.startswith("cellcoadd.")
        assert member.__name__ == name


def test_editors_are_told_of_the_names_that_are_loaded_later() -> None:
    """mypy and editors read the imports that are never executed, Python the table."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    told = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert told == cellcoadd._MODULE_OF


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    """`hasattr`, `from cellcoadd import ...` and pickle all rely on this."""
    with pytest.raises(AttributeError, match="no attribute 'MissingThing'"):
        cellcoadd.MissingThing  # noqa: B018


def test_a_process_that_warps_loads_neither_figures_nor_statistics() -> None:
    """Each process of a pipeline pays for what a task's module loads; others' tasks are not it."""
    program = "import sys, cellcoadd.tasks.make_direct_warp; print(*sys.modules)"
    loaded = set(run_python(program).split())
    assert "cellcoadd.tasks.make_direct_warp" in loaded
    assert loaded.isdisjoint({"matplotlib", "scipy.stats", "cellcoadd.tasks.report_cells"})


@pytest.mark.parametrize("name", cellcoadd.tasks.__all__)
def test_a_task_is_the_one_of_its_module(name: str) -> None:
    """Pipelines name tasks by the package, which loads the one that they name."""
    member = getattr(cellcoadd.tasks, name)
    assert member.__name__ == name
    assert name in dir(cellcoadd.tasks)
    with pytest.raises(AttributeError, match="no attribute 'MissingTask'"):
        cellcoadd.tasks.MissingTask  # noqa: B018


def test_the_kernels_import_numpy_the_language_and_the_decorator_only() -> None:
    """Files, units and logs in a kernel would make it neither compilable nor testable alone."""
    files = sorted((PACKAGE / "kernels").rglob("*.py"))
    assert len(files) > 1
    strangers = {
        (file.name, name)
        for file in files
        for name in imported_names(file)
        if not any(is_inside(name, allowed) for allowed in KERNELS_MAY_IMPORT)
    }
    assert not strangers


def test_relative_imports_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above is blind if `from .._jit import kernel` is not read as `cellcoadd._jit`."""
    file = tmp_path / "kernels" / "example.py"
    file.parent.mkdir()
    file.write_text(
        "import math\nfrom .._jit import kernel\nfrom . import fill\nfrom .fill import a\n"
    )
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    assert list(imported_names(file)) == [
        "math",
        "cellcoadd._jit.kernel",
        "cellcoadd.kernels.fill",
        "cellcoadd.kernels.fill.a",
    ]
