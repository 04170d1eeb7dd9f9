"""How a parameter's field is shown, where its type alone does not say it."""

from dataclasses import asdict, dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema


@dataclass(frozen=True)
class Show:
    """Stands in a parameter's `Annotated[...]` and changes how its field looks, never what it accepts.

    `unit` stands behind the input ("px"), `placeholder` in it while it is empty. Fields of the same `group` stand
    together under its name; `advanced` ones are folded away.
    """

    unit: str = ""
    placeholder: str = ""
    group: str = ""
    advanced: bool = False

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        said = {name: value for name, value in asdict(self).items() if value}
        return {**handler(core), **said}
