"""Run the notebooks on what a demonstration has left; write them with their results.

    python docs/notebooks/run_notebooks.py FOLDER [OUTPUT]

FOLDER is that of `cellcoadd demo`; OUTPUT, by default FOLDER/notebooks, receives an .ipynb and an
.html file of each notebook. The sources are Python files in jupytext's percent format, which
Jupyter with jupytext opens as they are.
"""

from __future__ import annotations

__all__ = ["NOTEBOOKS", "run_notebook", "write_notebook"]

import os
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from traitlets.config import Config

HERE = Path(__file__).parent
NOTEBOOKS = (HERE / "getting_started.py", HERE / "cells_in_depth.py")
"""The notebooks, in the order in which they are read."""

_STRICT = """
import warnings
warnings.simplefilter("error")
warnings.filterwarnings("default", module="ipykernel")  # its own affair
"""
_LONGEST = 300  # seconds for a cell of a notebook
# Whoever else works on this computer cannot listen to what the notebook and its kernel say.
_PRIVATE = Config({"KernelManager": {"transport_encryption": "auto"}})


def run_notebook(
    source: Path, demo: Path, *, warnings_are_errors: bool = False
) -> nbformat.NotebookNode:
    """Return a notebook with the results of its cells.

    Parameters
    ----------
    source
        The notebook in percent format.
    demo
        Folder of the demonstration.
    warnings_are_errors
        Whether a warning ends the run, as in the tests.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises; the message names the cell and has the traceback.
    """
    notebook = jupytext.read(source)
    if warnings_are_errors:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(_STRICT))
    client = NotebookClient(
        notebook,
        timeout=_LONGEST,
        resources={"metadata": {"path": str(source.parent)}},
        config=_PRIVATE,
    )
    # The notebooks find the demonstration by this variable.
    client.execute(env={**os.environ, "CELLCOADD_DEMO": str(demo.absolute())})
    return notebook


def write_notebook(notebook: nbformat.NotebookNode, name: str, output: Path) -> list[Path]:
    """Write a notebook with its results as .ipynb and as .html; return the files."""
    output.mkdir(parents=True, exist_ok=True)
    page, _ = HTMLExporter().from_notebook_node(notebook, {"metadata": {"name": name}})
    paths = [output / f"{name}.ipynb", output / f"{name}.html"]
    nbformat.write(notebook, paths[0])
    paths[1].write_text(page, encoding="utf-8")
    return paths


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    target = Path(sys.argv[2]) if sys.argv[2:] else folder / "notebooks"
    for path in NOTEBOOKS:
        for written in write_notebook(run_notebook(path, folder), path.stem, target):
            print(written)
