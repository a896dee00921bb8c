"""A PostgreSQL server of one's own for tests: in a temporary folder, on this computer alone."""

from __future__ import annotations

__all__ = ["PostgresServer", "missing_server", "postgres_server"]

import contextlib
import dataclasses
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

OWNER = "owner"
PASSWORD = "not a secret"

_HOST = "127.0.0.1"
_SECONDS_TO_START = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A server that runs.

    Parameters
    ----------
    port
        On 127.0.0.1.
    password_file
        What the environment variable ``PGPASSFILE`` must name so that somebody gets in.
    """

    port: int
    password_file: Path

    def url_of(self, database: str, *, user: str = OWNER) -> str:
        """Return how SQLAlchemy, and so a repository's configuration, names a database."""
        return f"postgresql+psycopg://{user}@{_HOST}:{self.port}/{database}"

    def execute(self, *statements: str, database: str = "template1") -> None:
        """Execute SQL as the owner of everything, a transaction a statement."""
        with self._connect(database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def make_reader(self, name: str, *, database: str) -> None:
        """Make a user who may read a database, with the password of everybody."""
        self.execute(
            f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'",
            f"GRANT USAGE ON SCHEMA public TO {name}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}",
            database=database,
        )

    def make_database(self, name: str) -> str:
        """Make an empty database that a Butler can use, and return its URL."""
        self.execute(f"CREATE DATABASE {name}")
        return self.url_of(name)

    def _connect(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=_HOST, port=self.port, user=OWNER, password=PASSWORD, dbname=database,
            autocommit=True, connect_timeout=5,
        )  # fmt: skip


def missing_server() -> str | None:
    """Return why there can be no server here; None if there can be one."""
    return None if _programs() else "PostgreSQL is not installed: there is no postgres and initdb"


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server, and end it with all that it holds when the block ends.

    Yields
    ------
    server
        It asks everybody for a password.

    Raises
    ------
    RuntimeError
        If it does not start.
    """
    if (programs := _programs()) is None:
        raise RuntimeError(missing_server())
    # Not in a folder of pytest's: those are closed to the user whom a server is run by for root.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        (folder / "password").write_text(PASSWORD)
        port = _free_port()
        password_file = folder / "pgpass"
        password_file.write_text(f"{_HOST}:{port}:*:*:{PASSWORD}\n")
        password_file.chmod(0o600)
        with _running(programs, folder, port) as process:
            server = PostgresServer(port=port, password_file=password_file)
            _wait_for(server, process, folder / "log")
            # Whoever makes a database has it, without being an administrator.
            server.execute("CREATE EXTENSION btree_gist")
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """Find the folder of postgres and initdb; Debian does not put it on the path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


@contextlib.contextmanager
def _running(programs: Path, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    data = folder / "data"
    who = _not_root(folder)
    with open(folder / "log", "wb") as log:
        subprocess.run(
            [
                programs / "initdb", "-D", data, "-U", OWNER, "--pwfile", folder / "password",
                "-A", "scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C",
            ],
            stdout=log, stderr=log, check=True, cwd=folder, **who,
        )  # fmt: skip
        process = subprocess.Popen(
            [
                programs / "postgres", "-D", data, "-p", str(port), "-k", folder,
                "-c", f"listen_addresses={_HOST}", "-c", "fsync=off",
            ],
            stdout=log, stderr=log, cwd=folder, **who,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(2)  # SIGINT: end now, whoever is connected
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _not_root(folder: Path) -> dict[str, Any]:
    """Return whom a process is to be run by: PostgreSQL refuses root."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.iterdir()):
        if path.name != "pgpass":
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    folder.chmod(0o755)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind((_HOST, 0))
        return int(listening.getsockname()[1])


def _wait_for(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(psycopg.OperationalError):
            server.execute("SELECT 1")
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL does not start: {log.read_text(errors='replace')[-2000:]}")
