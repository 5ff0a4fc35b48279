"""The page assets: names with a hash of the content, kept by browsers for ever. Built by `npm run build`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse

from governance.errors import NotFound, Unavailable
from governance.http.permissions import public

STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
router = APIRouter(include_in_schema=False)
_FOR_EVER = "public, max-age=31536000, immutable"


@cache
def names() -> dict[str, str]:
    """Plain names to hashed names. Raises Unavailable when the assets were never built."""
    manifest = STATIC / "manifest.json"
    if not manifest.is_file():
        raise Unavailable("The page assets are not built.", remedy="Run: npm ci && npm run build.")
    loaded: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))
    return loaded


def asset(name: str) -> str:
    """The path under which the asset is served."""
    return f"/static/{names()[name]}"


@router.api_route("/static/{name}", methods=["GET", "HEAD"], dependencies=[Depends(public)])
def serve(name: str, request: Request) -> Response:
    """One asset, packed where the browser takes it. Raises NotFound for anything that the build did not make."""
    if name not in names().values():
        raise NotFound("There is no such file.")
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    media_type = _TYPES[Path(name).suffix]
    if "gzip" in request.headers.get("accept-encoding", ""):
        packed = {**headers, "Content-Encoding": "gzip"}
        return FileResponse(STATIC / f"{name}.gz", media_type=media_type, headers=packed)
    return FileResponse(STATIC / name, media_type=media_type, headers=headers)
