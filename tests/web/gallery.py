"""The sample pages behind a local server with the content security policy that production sends, and a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import uvicorn
from fastapi import FastAPI, Request, Response
from playwright.sync_api import Browser, sync_playwright

from governance.errors import NotFound
from governance.web import assets
from governance.web.render import page
from tests.web.samples import all_samples

POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def application() -> FastAPI:
    """Each sample under its name; a form that is sent is shown back."""
    app = FastAPI(openapi_url=None)
    app.include_router(assets.router)
    samples = {sample.name: sample for sample in all_samples()}

    def show(name: str) -> Response:
        sample = samples.get(name)
        if sample is None:
            raise NotFound("There is no such sample.")
        answer = page(sample.template, sample.shell, sample.view)
        answer.headers["Content-Security-Policy"] = POLICY
        return answer

    async def sent(path: str, request: Request) -> Response:
        form = await request.form()
        fields = "\n".join(f"{name}={value}" for name, value in form.multi_items())
        return Response(f"{path}\n{fields}", media_type="text/plain")

    app.add_api_route("/{name}", show, methods=["GET"])
    app.add_api_route("/{path:path}", sent, methods=["POST"])
    return app


@contextmanager
def serve() -> Iterator[str]:
    """The address of a server that shows the samples."""
    server = uvicorn.Server(uvicorn.Config(application(), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.02)
            if not thread.is_alive():
                raise RuntimeError("the sample server did not start")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium, with nothing kept from earlier runs."""
    with TemporaryDirectory() as downloads, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=list(_FLAGS), downloads_path=downloads
        )
        try:
            yield chromium
        finally:
            chromium.close()
