"""The floor: the product's own server around an endpoint that reads a review and allows it, without a look."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
from fastapi import FastAPI, Request, Response

from governance.cli.serve import listeners, run
from governance.settings import Settings, Web, Webhook
from webhooks.kubernetes import review
from webhooks.kubernetes.install import review_path


async def allow(request: Request) -> Response:
    """Allow what was asked."""
    uid = orjson.loads(await request.body())["request"]["uid"]
    return Response(review.allow(uid), media_type="application/json")


def main() -> None:
    """Serve until SIGTERM. Arguments: port, a second port for the other listener, certificate file, key file."""
    port, other, certificate, key = sys.argv[1:]
    settings = Settings(
        webhook=Webhook(port=int(port), certificate=Path(certificate), key=Path(key)), web=Web(port=int(other))
    )
    app = FastAPI()
    app.add_api_route(review_path("{cluster}"), allow, methods=["POST"], response_class=Response)
    run(listeners(settings, app, FastAPI()))


if __name__ == "__main__":
    main()
