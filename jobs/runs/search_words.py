"""Words of the search: how the text of a run, and what somebody looks for in it, become the same words.

Both databases get words that were made here, and split nothing by themselves: Postgres's own parser would keep
`holiday.jpg` as one word, and SQLite's would not. A word is a row of letters and digits, in small letters, without
accents; `holiday.jpg` is two. Languages that write without spaces get a word for each sign.

What is looked for exactly, an owner's runs, a task or an input with its value, is a word, too: a hash, which no text
contains by chance.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from jobs.authoring.secret_parameters import is_hidden
from jobs.values.kept_file import kept_file_in

LONGEST_WORD = 64
MOST_WORDS = 4000  # of one run
MOST_INPUTS = 200
SIGNS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
WORD = re.compile(rf"[{SIGNS}]|[^\W_{SIGNS}]+")
NUMBER = re.compile(r"[+-]?\d{1,400}(\.\d{0,400})?(e[+-]?\d{1,3})?", re.ASCII)
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")
SPOKEN = {"yes": "true", "no": "false", "nothing": "null"}


def words_in(text: str) -> list[str]:
    """Return the words of a text, in order."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = unicodedata.normalize("NFC", "".join(sign for sign in plain if not unicodedata.combining(sign)))
    return [word[:LONGEST_WORD] for word in WORD.findall(plain)]


def unescaped(json_text: str) -> str:
    """Return JSON, perhaps the beginning of a document, as a text in which the words are as their reader sees them."""
    text = ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else " ", json_text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def of_owner(owner_id: int) -> str:
    """Return the word of an owner's runs."""
    return _exact("owner", str(owner_id))


def of_task(task: str) -> str:
    """Return the word of a task's runs."""
    return _exact("task", task)


def of_input(name: str, value: object) -> str:
    """Return the word of runs with this value of an input; within a group, its name is `group.input`."""
    return _exact("input", name.casefold(), _as_written(value))


def inputs_of(parameters: Any) -> list[str]:
    """Return the words of all inputs with their values, at most MOST_INPUTS. Secrets have none."""
    found = dict.fromkeys(of_input(name, value) for name, value in _leaves(parameters) if name)
    return list(found)[:MOST_INPUTS]


def text_of(parameters: Any) -> Iterator[str]:
    """Yield the values of all inputs as texts, of a file its name."""
    return (str(value) for _name, value in _leaves(parameters) if not isinstance(value, bool | None))


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if is_hidden(value):
        return
    if file := kept_file_in(value):
        yield name, file.name
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, name)
    else:
        yield name, value


def _as_written(value: object) -> str:
    """Return a value in the one way in which all that mean the same are written: 300, 300.0 and "3e2"; true and yes."""
    text = " ".join(str(value).casefold().split()) if value is not None else "null"
    if NUMBER.fullmatch(text):
        number = Decimal(text)
        return str(number.normalize()) if number else "0"
    return SPOKEN.get(text, text)


def _exact(*parts: str) -> str:
    joined = "\x00".join(parts).encode(errors="replace")
    return f"x{hashlib.blake2b(joined, digest_size=10).hexdigest()}"


def of_run(owner_id: int, task: str, parameters: Any, texts: Iterable[str]) -> list[str]:
    """Return the words of a run: those that are looked for exactly, and those of its inputs and of further texts."""
    found = [of_owner(owner_id), of_task(task), *inputs_of(parameters)]
    for text in (*text_of(parameters), *texts):
        found += words_in(text)
        if len(found) >= MOST_WORDS:
            break
    return found[:MOST_WORDS]
