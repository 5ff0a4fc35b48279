"""Writes docs/settings.md from governance/settings.py: `python -m tools.settings_page`."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from governance import settings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
_HEAD = """\
# Settings

<!-- Written by `python -m tools.settings_page` from governance/settings.py. -->

Every setting can stand in the environment, and in a TOML file that `GOVERNANCE_SETTINGS_FILE` names. The environment
beats the file. A setting that is unknown or malformed stops the service, which names it. `governance doctor` says
whether the settings are safe, and whether what they name answers.

```toml
environment = "production"

[database]
url = "postgresql+psycopg://governance@db.hospital.example/governance"

[web]
public_url = "https://governance.hospital.example"

[clusters]
imaging-onprem-1 = "/etc/governance/imaging-onprem-1.kubeconfig"
```

The same as environment variables: `GOVERNANCE_DATABASE__URL=...`, `GOVERNANCE_WEB__PUBLIC_URL=...`, and a table as
JSON: `GOVERNANCE_CLUSTERS='{"imaging-onprem-1": "/etc/governance/imaging-onprem-1.kubeconfig"}'`.

Secrets are better in the environment, or in a file that its owner alone can read.
"""


def page() -> str:
    """The whole page."""
    groups = {
        name: field.annotation
        for name, field in settings.Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    parts = [_HEAD, *_group("", settings.Settings, set(groups))]
    for name, group in groups.items():
        parts += [f"\n## {name}\n\n{inspect.getdoc(group)}\n", *_group(name, group, set())]
    return "".join(parts)


def _group(prefix: str, model: type[BaseModel], apart: set[str]) -> Iterator[str]:
    yield "\n| setting | environment | default | |\n| --- | --- | --- | --- |\n"
    told = dict(_told(model))
    for name, field in model.model_fields.items():
        if name not in apart:
            path = [prefix, name] if prefix else [name]
            variable = f"GOVERNANCE_{'__'.join(path).upper()}"
            yield f"| `{'.'.join(path)}` | `{variable}` | {_default(field)} | {_choices(field)}{told[name]} |\n"


def _told(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """What stands under each attribute."""
    (class_,) = ast.parse(inspect.getsource(model)).body
    body = class_.body if isinstance(class_, ast.ClassDef) else []
    for attribute, below in pairwise(body):
        match attribute, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is None or value in ("", {}, ()):
        return "(none)"
    return f"`{value if isinstance(value, str | Path) else json.dumps(value)}`"


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        *others, last = (f"`{one}`" for one in get_args(field.annotation))
        return f"{', '.join(others)} or {last}. "
    return "Secret. " if SecretStr in get_args(field.annotation) else ""


if __name__ == "__main__":
    PAGE.write_text(page())
