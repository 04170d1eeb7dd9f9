"""All cases by name."""

from tests.values import figures, files, frames, images, libraries, numbers, polars_frames, standard
from tests.values.case import Case

MODULES = (standard, numbers, frames, polars_frames, libraries, images, files, figures)
CASES: dict[str, Case] = {
    f"{module.__name__.rpartition('.')[2]}: {name}": case for module in MODULES for name, case in module.CASES.items()
}
