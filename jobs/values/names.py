"""Distinct names for the keys of a mapping or the columns of a table that read alike."""

from collections.abc import Sequence


def distinct(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names with a number behind each that has occurred before, and those names.

    `["a", "b", "a"]` becomes `["a", "b", "a (2)"]`.
    """
    taken, numbers, kept = set(names), dict[str, int](), list[str]()
    for name in names:
        if name not in numbers:
            numbers[name] = 1
            kept.append(name)
            continue
        while (numbered := f"{name} ({numbers[name] + 1})") in taken:
            numbers[name] += 1
        numbers[name] += 1
        taken.add(numbered)
        kept.append(numbered)
    return kept, [name for name, number in numbers.items() if number > 1]
