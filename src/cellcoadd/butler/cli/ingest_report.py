"""What `butler ingest-calibrated` says when it is done."""

from __future__ import annotations

__all__ = ["print_report"]

from rich.console import Console
from rich.text import Text

from ..ingest import IngestReport


def print_report(report: IngestReport, console: Console | None = None) -> None:
    """Print how many files were taken, and each file that was not, with the reason.

    Parameters
    ----------
    report
        What became of the files.
    console
        Where to print; None: standard output.
    """
    console = console or Console(highlight=False)
    if report.refused:
        for refusal in report.refused:
            line = Text("refused ", style="bold red")
            line.append(f"{refusal.source}: {refusal.reason}", style="not bold default")
            console.print(line, soft_wrap=True)
    console.print(
        f"{_files(len(report.ingested))} ingested into {report.run}, "
        f"{len(report.already_there):,} there already, {len(report.refused):,} refused.",
        soft_wrap=True,
        markup=False,
    )
    if report.visit_summaries:
        number = len(report.visit_summaries)
        console.print(f"{number:,} visit {'summary' if number == 1 else 'summaries'} as well.")
    if not (report.ingested or report.visit_summaries):
        console.print("The repository was not changed.")


def _files(number: int) -> str:
    return f"{number:,} file" if number == 1 else f"{number:,} files"
