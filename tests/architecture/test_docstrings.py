"""Every public name is documented, and its docstring says what its signature says.

numpydoc reads the docstrings, as it does for the pages of numpy, scipy and pandas. What a function
raises, and private functions, are ruff's (`pydoclint` in pyproject.toml).
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from numpydoc.validate import validate

import cellcoadd

# The rules of numpydoc that are ours as well. Not ours: types of parameters, which annotations say;
# their order, where some belong together; sections that a sentence in the summary does for.
RULES = {
    "GL06",  # an unknown section
    "GL07",  # sections in another order than everywhere else
    "GL08",  # no docstring
    "PR01",  # a parameter is missing
    "PR02",  # a parameter that there is not
    "PR07",  # a parameter of which nothing is said
    "PR10",  # a parameter whose type is part of its name
    "RT03",  # a value is returned of which nothing is said
}

MEMBERS = (property, functools.cached_property, classmethod, staticmethod)

# hypothesis makes it when it is imported: it has no source that numpydoc could look for.
WITHOUT_SOURCE = {"cellcoadd.testing.strategies.detectors"}


def public_modules() -> Iterator[str]:
    yield "cellcoadd"
    for module in pkgutil.walk_packages(cellcoadd.__path__, "cellcoadd."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield module.name


def documented_names(module: str) -> Iterator[str]:
    """Yield the functions and classes that a module exports, and the members of the classes."""
    loaded = importlib.import_module(module)
    for name in getattr(loaded, "__all__", ()):
        value = getattr(loaded, name)
        if not (inspect.isclass(value) or inspect.isroutine(inspect.unwrap(value))):
            continue
        yield f"{module}.{name}"
        members = vars(value) if inspect.isclass(value) else {}
        for member, inside in members.items():
            is_code = isinstance(inside, MEMBERS)
            if not member.startswith("_") and (is_code or inspect.isfunction(inside)):
                yield f"{module}.{name}.{member}"


def faults(name: str) -> list[str]:
    """Return what is wrong with a docstring."""
    found = validate(name)
    text = found["docstring"]
    # A list of parameters is complete. Without one, the summary says what there is to say.
    has_parameters = "\nParameters\n-" in text
    wrong = [
        f"{name}: {message}"
        for code, message in found["errors"]
        if code in RULES and (code != "PR01" or has_parameters)
    ]
    if "\nExamples\n-" in text and ">>> " not in text:
        wrong.append(f"{name}: the examples are not run; begin their lines with >>>")
    return wrong


@pytest.mark.parametrize("module", list(public_modules()))
def test_docstrings_say_what_signatures_say(module: str) -> None:
    """Who renames a parameter and forgets the docstring misleads everybody after."""
    names = set(documented_names(module)) - WITHOUT_SOURCE
    assert [fault for name in sorted(names) for fault in faults(name)] == []


def explained(body: list[ast.stmt]) -> dict[str, bool]:
    """Return what is named in a module or class, and whether a string below says what it is."""
    names: dict[str, bool] = {}
    for statement, following in zip(body, [*body[1:], None], strict=True):
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)])
                | ast.AnnAssign(target=ast.Name(id=name))
                | ast.TypeAlias(name=ast.Name(id=name))
            ):
                match following:
                    case ast.Expr(value=ast.Constant(value=str())):
                        names[name] = True
                    case _:
                        names[name] = False
    return names


def source_of(module: str) -> ast.Module:
    file = Path(inspect.getfile(importlib.import_module(module)))
    return ast.parse(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", list(public_modules()))
def test_public_constants_say_what_they_are(module: str) -> None:
    """A number has a unit and an origin; numpydoc sees functions and classes only."""
    public = set(getattr(importlib.import_module(module), "__all__", ())) - {"__version__"}
    named = explained(source_of(module).body)
    assert [name for name in sorted(public & named.keys()) if not named[name]] == []


def test_settings_say_what_they_set() -> None:
    """All of them, in the list of parameters, which is complete, or each by a string below it."""
    silent, found = [], 0
    for module in public_modules():
        for node in source_of(module).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
                found += 1
                if "\nParameters\n-" not in (ast.get_docstring(node) or ""):
                    names = explained(node.body)
                    silent += [f"{node.name}.{name}" for name, said in names.items() if not said]
    assert found > 5
    assert silent == []


def shift(image: object, dx: float, dy: float) -> float:
    """Shift.

    Parameters
    ----------
    image
        The image.
    dx, dz
        By how much.

    Returns
    -------
    sum

    Examples
    --------
    shift(image, 1, 2)
    """
    raise NotImplementedError(f"{image}, {dx}, {dy}")


def test_faults_are_found() -> None:
    """A check that finds nothing would pass every docstring."""
    messages = "\n".join(faults(f"{__name__}.shift"))
    assert "Parameters {'dy'} not documented" in messages
    assert "Unknown parameters {'dz'}" in messages
    assert "Return value has no description" in messages
    assert "the examples are not run" in messages


def test_a_constant_is_explained_by_the_string_below_it() -> None:
    """A comment above it is in no help text."""
    tree = ast.parse("A = 1\n'''One.'''\n# Two.\nB: int = 2\ntype C = int\n'''A number.'''\n")
    assert explained(tree.body) == {"A": True, "B": False, "C": True}
