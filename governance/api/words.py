"""How the API's description tells of what people write. What is wrong with it is told by the use case, in a sentence
that names the remedy, and not by a pattern."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from governance.units import QUANTITY_LENGTH_MAX, QUANTITY_PATTERN

_NO_NUL = r"^[^\x00]*$"
_SOMETHING = r"^[^\x00]*[^\s\x00][^\x00]*$"

Words = Annotated[str, Field(max_length=2000, json_schema_extra={"pattern": _NO_NUL})]
Sentence = Annotated[str, Field(max_length=2000, json_schema_extra={"pattern": _SOMETHING})]
Reference = Annotated[str, Field(max_length=200, json_schema_extra={"pattern": _NO_NUL})]
Incident = Annotated[str, Field(max_length=200, json_schema_extra={"pattern": _SOMETHING})]
TokenName = Annotated[str, Field(min_length=1, max_length=100, json_schema_extra={"pattern": _SOMETHING})]
Quantity = Annotated[str, Field(json_schema_extra={"pattern": QUANTITY_PATTERN, "maxLength": QUANTITY_LENGTH_MAX})]
