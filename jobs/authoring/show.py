"""Display options for a parameter's form field, for what its type does not express."""

from dataclasses import asdict, dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema


@dataclass(frozen=True)
class Show:
    """Display options in a parameter's `Annotated[...]`: they change how the field looks, never what it accepts.

    `unit` appears after the input ("px"), `placeholder` in the empty input. Fields with the same `group` appear
    together under its name; `advanced` fields are collapsed.
    """

    unit: str = ""
    placeholder: str = ""
    group: str = ""
    advanced: bool = False

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        said = {name: value for name, value in asdict(self).items() if value}
        return {**handler(core), **said}
