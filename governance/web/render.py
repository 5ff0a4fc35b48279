"""From a view to HTML."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from governance.web.assets import asset
from governance.web.views.shell import Shell
from governance.wording import things

_TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The templates. Everything is escaped, and a name that a view lacks is an error, not an empty string."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(asset=asset, icon=icon, things=things)
    return made


def icon(name: str) -> Markup:
    """An icon from the sprite, hidden from screen readers: the word beside it says the same."""
    href = f"{asset('icons.svg')}#{name}"
    return Markup('<svg class="icon" width="20" height="20" aria-hidden="true"><use href="{}"></use></svg>').format(
        href
    )


def html(template: str, shell: Shell, view: object) -> str:
    """The page as text."""
    return environment().get_template(template).render(shell=shell, view=view)


def page(template: str, shell: Shell, view: object, *, status: int = 200) -> HTMLResponse:
    """The page as an answer."""
    return HTMLResponse(html(template, shell, view), status_code=status)
