"""Where jobs of ``bps submit`` run, and what they are allowed to take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from lsst.ctrl.bps import BPS_DEFAULTS, BPS_SEARCH_ORDER, BpsConfig
from lsst.ctrl.bps.parsl import SiteConfig
from lsst.pipe.base import Pipeline
from lsst.resources import ResourcePath
from parsl.executors import HighThroughputExecutor
from parsl.providers import SlurmProvider

from cellcoadd.bps.sites import SlurmCluster, Workstation


def configuration(tmp_path: Path, name: str, **site: Any) -> BpsConfig:
    """What a user's file says that includes one of ours, as ``bps submit`` reads it."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "includeConfigs": f"resource://cellcoadd/bps/{name}.yaml",
                "site": {name: site},
                "uniqProcName": "coadds",
            }
        )
    )
    return BpsConfig(str(file), search_order=BPS_SEARCH_ORDER, defaults=BPS_DEFAULTS)


def executor_of(config: BpsConfig) -> HighThroughputExecutor:
    (executor,) = SiteConfig.from_config(config).get_executors()
    assert isinstance(executor, HighThroughputExecutor)
    return executor


def test_a_workstation_speaks_with_itself_alone(tmp_path: Path) -> None:
    """Parsl would ask a server on the internet who it is, and listen to every computer."""
    config = configuration(tmp_path, "workstation", cores=3)
    executor = executor_of(config)
    assert executor.all_addresses == {"127.0.0.1"}
    assert (executor.max_workers_per_node, executor.mem_per_worker) == (3, 3.0)
    parsl = Workstation(config).get_parsl_config()
    assert parsl.usage_tracking == 0
    assert parsl.monitoring is None
    assert parsl.retries == 1


def test_a_node_has_as_many_jobs_as_fit_into_its_memory(tmp_path: Path) -> None:
    """Slurm ends what takes more than was asked for; the user's words reach its script."""
    config = configuration(
        tmp_path,
        "slurm",
        nodes=1, cores_per_node=32, mem_per_node=60, account="mine", max_blocks=5,
        address="login7",
        scheduler_options="#SBATCH --partition=normal",
    )  # fmt: skip
    executor = executor_of(config)
    assert isinstance(SiteConfig.from_config(config), SlurmCluster)
    assert executor.workers_per_node == 20
    assert executor.all_addresses == {"login7"}
    provider = executor.provider
    assert isinstance(provider, SlurmProvider)
    assert provider.max_blocks == 5
    assert (provider.walltime, provider.account) == ("04:00:00", "mine")
    assert "#SBATCH --partition=normal\n#SBATCH --job-name=coadds" in provider.scheduler_options


@pytest.mark.parametrize("name", ["workstation", "slurm"])
def test_every_task_is_in_a_job_and_says_what_it_takes(tmp_path: Path, name: str) -> None:
    """A task that is forgotten would be a process for each of its quanta, with 2 GB."""
    config = configuration(tmp_path, name)
    pipeline = Pipeline.from_uri(ResourcePath(config["pipelineYaml"]))
    tasks = set(pipeline.task_labels)
    clusters = config["cluster"]
    in_jobs = [task for label in clusters for task in clusters[label]["pipetasks"].split(",")]
    assert sorted(in_jobs) == sorted(tasks)
    for task in tasks:
        options = {"curvals": {"curr_pipetask": task}}
        memory, minutes = (
            config.search(key, opt=dict(options))[1] for key in ("requestMemory", "requestWalltime")
        )
        assert 1024 < memory <= 4096
        assert 1 <= minutes <= 30
        assert set(config["pipetask"][task]) == {"requestMemory", "requestWalltime"}
