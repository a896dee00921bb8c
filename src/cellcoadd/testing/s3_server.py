"""A bucket of an S3 store for tests: in memory, on this computer alone."""

from __future__ import annotations

__all__ = ["S3Bucket", "s3_bucket"]

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
from botocore.httpsession import URLLib3Session
from moto.server import ThreadedMotoServer

_HOST = "127.0.0.1"
_NAME = "coadds"


@dataclasses.dataclass
class S3Bucket:
    """A bucket, and what has been fetched from it.

    Parameters
    ----------
    uri
        Its name, as a repository's configuration says it.
    fetched_bytes
        Sum of what was fetched; set it to 0 before what is to be counted.
    """

    uri: str
    fetched_bytes: int = 0


@contextlib.contextmanager
def s3_bucket() -> Iterator[S3Bucket]:
    """Start a server with an empty bucket, which everything in this process finds.

    Yields
    ------
    bucket
        It is gone when the block ends.
    """
    server = ThreadedMotoServer(ip_address=_HOST, port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        settings = {
            "S3_ENDPOINT_URL": f"http://{_HOST}:{port}",
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": "not a secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        bucket = S3Bucket(f"s3://{_NAME}/team")
        send = URLLib3Session.send

        def counted(session: URLLib3Session, request: Any) -> Any:
            response = send(session, request)
            if request.method == "GET":
                bucket.fetched_bytes += int(response.headers.get("Content-Length", 0))
            return response

        with patch.dict(os.environ, settings), patch.object(URLLib3Session, "send", counted):
            client = boto3.client("s3", endpoint_url=settings["S3_ENDPOINT_URL"])
            client.create_bucket(Bucket=_NAME)
            client.close()
            yield bucket
    finally:
        server.stop()
