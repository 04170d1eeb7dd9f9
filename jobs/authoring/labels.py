"""The labels by which people find a task: its group, its tags and its icon."""

import unicodedata
from collections.abc import Mapping
from typing import Any

LONGEST_LABEL = 40
MOST_TAGS = 8
LONGEST_EMOJI = 12  # code points: a family of four with skin tones has eleven
# The icons that come along, each a symbol "task-…" in static/icons.svg.
ICONS = (
    "calculator",
    "chart",
    "cloud",
    "code",
    "document",
    "image",
    "mail",
    "map",
    "model",
    "search",
    "sound",
    "table",
)


def check_labels(options: Mapping[str, Any]) -> None:
    """Raise ValueError if the group, the tags or the icon of a task cannot be shown, saying what to write instead."""
    group, tags, icon = options.get("group", ""), options.get("tags", ()), options.get("icon", "")
    if group != "" and not _is_label(group):
        also = ". Who may use a task is the option 'groups'" if isinstance(group, list | tuple) else ""
        raise ValueError(f"the option 'group' must be a heading such as \"Images\", not {group!r}{also}")
    if not isinstance(tags, list | tuple) or not all(map(_is_label, tags)) or len(tags) > MOST_TAGS:
        raise ValueError(f"the option 'tags' must be a list of up to {MOST_TAGS} words such as [\"csv\"], not {tags!r}")
    if icon != "" and icon not in ICONS and not _is_emoji(icon):
        raise ValueError(f"the option 'icon' must be an emoji or one of {', '.join(ICONS)}, not {icon!r}")


def _is_label(text: Any) -> bool:
    if not isinstance(text, str) or not text.isprintable():
        return False
    return text.strip() == text != "" and len(text) <= LONGEST_LABEL


def _is_emoji(text: Any) -> bool:
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_EMOJI:
        return False
    kinds = {unicodedata.category(one) for one in text}
    # A symbol, with joiners, variations and skin tones; or a keycap, which encloses a digit.
    return bool(kinds & {"So", "Me"}) and kinds <= {"So", "Sk", "Sm", "Mn", "Me", "Cf", "Nd", "Po"}
