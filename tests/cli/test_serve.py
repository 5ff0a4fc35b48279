import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
import uvloop
from fastapi import FastAPI

from governance.cli.serve import listeners, run
from governance.settings import Settings, Webhook
from webhooks.kubernetes.certificates import issue


def test_the_listeners_run_on_the_event_loop_that_they_are_configured_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = issue(tmp_path, ["127.0.0.1"], datetime.now(UTC))
    settings = Settings(webhook=Webhook(certificate=files.certificate, key=files.key))
    loops = []

    async def serve(_server: uvicorn.Server, _sockets: list[socket.socket] | None = None) -> None:
        loops.append(type(asyncio.get_running_loop()))

    monkeypatch.setattr(uvicorn.Server, "serve", serve)
    run(listeners(settings, FastAPI(), FastAPI()))
    assert loops == [uvloop.Loop, uvloop.Loop]
