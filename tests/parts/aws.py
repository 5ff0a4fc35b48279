"""AWS as moto answers for it: SQS, EC2, S3, Organizations. What it lacks, tests answer themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from moto.server import ThreadedMotoServer

from tests.parts.process import free_port


@contextmanager
def start(region: str) -> Iterator[str]:
    """Run a server in a thread of this process, and send boto3's default clients to it. Gives its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    url = f"http://127.0.0.1:{server._port}"
    environment = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        with patch.dict("os.environ", environment):
            yield url
    finally:
        server.stop()
