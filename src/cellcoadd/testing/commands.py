"""The commands of a user for tests: in this process, or in one of their own.

A process of its own proves that the installed command works, but takes seconds to start; most tests
run commands in this one. Either way the outcome is what a user sees: exit code and output, the log
included.
"""

from __future__ import annotations

__all__ = ["Outcome", "run_command", "run_program"]

import dataclasses
import functools
import io
import logging
import os
import subprocess
import sysconfig
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner
from lsst.ctrl.mpexec.cli.pipetask import cli as pipetask
from lsst.daf.butler.cli.butler import cli as butler
from lsst.daf.butler.cli.cliLog import CliLog

from ..cli import main as cellcoadd

_PROGRAMS: dict[str, Any] = {"butler": butler, "pipetask": pipetask, "cellcoadd": cellcoadd}

_packages_distributions = functools.cache(packages_distributions)
# For each run `pipetask` looks up what is installed; that is the same as long as a test lasts, and
# takes half a second of a run that may take three.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a command.

    Parameters
    ----------
    exit_code
        0 for success.
    output
        What it printed and logged.
    """

    exit_code: int
    output: str

    @property
    def has_traceback(self) -> bool:
        """Whether a user would see where in the code an error came from."""
        return "Traceback (most recent call last)" in self.output


def run_command(program: str, *arguments: str | Path, answer: str = "") -> Outcome:
    """Run ``butler``, ``pipetask`` or ``cellcoadd`` in this process.

    An exception that the command lets through becomes exit code 1 and, as for a user, a traceback
    in the output.

    Parameters
    ----------
    program
        Its name.
    *arguments
        What stands behind it, a word each.
    answer
        What is typed when it asks something.
    """
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter(CliLog.pylog_normalFmt, style="{"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        words = [str(argument) for argument in arguments]
        with patch("lsst.utils.packages.packages_distributions", _packages_distributions):
            result = CliRunner().invoke(_PROGRAMS[program], words, input=answer)
        if result.exc_info is not None and not isinstance(result.exception, SystemExit | None):
            logging.getLogger("click").error("uncaught", exc_info=result.exc_info)
    finally:
        root.removeHandler(handler)
        CliLog.resetLog()
        logging.captureWarnings(False)
    return Outcome(exit_code=result.exit_code, output=log.getvalue() + result.output)


def run_program(program: str, *arguments: str | Path) -> Outcome:
    """Run an installed command in a process of its own, with one thread for each of its parts."""
    done = subprocess.run(
        [Path(sysconfig.get_path("scripts")) / program, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(exit_code=done.returncode, output=done.stdout)
