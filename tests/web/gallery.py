"""The sample pages behind a local server with the content security policy that production sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI, Request, Response

from governance.errors import NotFound
from governance.http.security import content_security_policy
from governance.web import assets
from governance.web.render import page
from tests.http.site import listening
from tests.web.samples import all_samples


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
        answer.headers["Content-Security-Policy"] = content_security_policy("nobody-knows-it")
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
    with listening(application()) as url:
        yield url
