"""How the API's description tells of errors: the problem document (RFC 9457) of `governance.http.problems`."""

from __future__ import annotations

from typing import Any

from governance.http.problems import MEDIA_TYPE

_FIELD = {
    "type": "object",
    "required": ["field", "location", "detail"],
    "properties": {
        "field": {"type": "string", "description": "Dotted path of the field."},
        "location": {"type": "string", "enum": ["body", "query", "path", "header", "cookie"]},
        "detail": {"type": "string"},
    },
}

SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "Stable name of the kind of problem, a URI."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, one sentence."},
        "request_id": {"type": "string", "description": "The id under which the request stands in the logs."},
        "field": {"type": "string", "description": "The field that is wrong, where there is one."},
        "remedy": {"type": "string", "description": "What to do next, one sentence."},
        "errors": {"type": "array", "items": _FIELD},
    },
}

_TOLD = {
    400: "The input cannot be read.",
    401: "Nobody is signed in, or the token is unknown, expired or revoked.",
    403: "Signed in, but not allowed.",
    404: "There is no such thing.",
    409: "The state moved on; read again.",
    413: "The body is larger than this installation takes.",
    422: "A field is malformed or out of range.",
    429: "Too many sign-ins, or wrong tokens, from this address; `Retry-After` says when to try again.",
    500: "An error on our side.",
    503: "A part that is needed does not answer; try again.",
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for these statuses, each a problem document."""
    return {status: {"description": _TOLD[status], "content": {MEDIA_TYPE: {"schema": SCHEMA}}} for status in statuses}


EVERYWHERE = responses(*_TOLD)
