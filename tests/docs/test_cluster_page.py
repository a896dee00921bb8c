"""The page on clusters says what programs and packages understand; other tests run it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from lsst.ctrl.bps import BPS_DEFAULTS, BPS_SEARCH_ORDER, BpsConfig
from lsst.ctrl.bps.cli.bps import cli as bps
from lsst.ctrl.bps.parsl import SiteConfig
from lsst.ctrl.mpexec.cli.pipetask import cli as pipetask
from lsst.daf.butler.cli.butler import cli as butler
from lsst.resources import ResourcePath

from cellcoadd.cli import main as cellcoadd

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "cluster.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
YAML = [text for language, text in BLOCK.findall(PAGE) if language == "yaml"]
INCLUDING = [text for text in YAML if "includeConfigs" in text]
COMMANDS = [
    line
    for language, text in BLOCK.findall(PAGE)
    if language == "text"
    for line in text.replace("\\\n", " ").splitlines()
] + re.findall(r"`((?:bps|butler|cellcoadd|pipetask) [a-z-]+ [^`]+)`", PAGE)
PROGRAMS: dict[str, click.Group] = {
    "bps": bps, "butler": butler, "cellcoadd": cellcoadd, "pipetask": pipetask,
}  # fmt: skip


def test_every_block_is_yaml() -> None:
    """And the page has those of a workstation, Slurm, HTCondor, PostgreSQL and S3."""
    blocks = [yaml.safe_load(text) for text in YAML]
    keys = {key for block in blocks if isinstance(block, dict) for key in block}
    assert keys >= {"includeConfigs", "payload", "site", "cluster", "registry", "datastore"}


@pytest.mark.parametrize("text", INCLUDING)
def test_what_is_included_is_there(text: str) -> None:
    """A name that is misspelt would be found out on a cluster, by somebody else."""
    assert ResourcePath(yaml.safe_load(text)["includeConfigs"]).exists()


@pytest.mark.parametrize("text", [text for text in INCLUDING if "htcondor" not in text])
def test_parsl_understands_the_files(text: str, tmp_path: Path) -> None:
    """Whose plug-in is installed."""
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    config = BpsConfig(str(file), search_order=BPS_SEARCH_ORDER, defaults=BPS_DEFAULTS)
    config["uniqProcName"] = "coadds"
    assert len(SiteConfig.from_config(config).get_executors()) == 1
    for label in config["cluster"]:
        assert config["cluster"][label]["pipetasks"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_one_of_the_program(command: str) -> None:
    """Those of our programs, and of ones by which they are used."""
    program, *words = shlex.split(command)
    if program not in PROGRAMS:
        assert program in ("pip", "createdb", "psql")
        return
    group = PROGRAMS[program]
    found = group.get_command(click.Context(group), words[0])
    assert found is not None, command
    known = {name for parameter in found.params for name in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known
