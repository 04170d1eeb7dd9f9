"""Compute statistics of a text."""

from collections import Counter
from typing import Annotated, Any

import regex
from pydantic import Field

from jobs import Chart, LongText, task

LONGEST = 200_000
WORDS_PER_MINUTE = 238  # silent reading by adults: Brysbaert 2019, doi:10.1016/j.jml.2019.104047
MOST_BARS = 20
LONGEST_LABEL = 30

# An apostrophe or a hyphen between letters belongs to the word: don't, well-known.
WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’-][\p{L}\p{M}\p{N}]+)*")
# A full stop between digits, or before a lower-case letter ("e.g. this"), does not end a sentence; a blank line does.
# Written so that it looks at each character a fixed number of times, also in a text of nothing but full stops.
SENTENCE_END = regex.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s++[^\s\p{Ll}]|\s*+$)|[。！？]++|\n[^\S\n]*+\n")
# Two of these are a flag, which is one character. From each, \X counts back to the first of the run.
FLAG = regex.compile(r"\p{Regional_Indicator}{2}")

EXAMPLE = """\
The order goes down, the dish comes up. Who carries it? Nobody: it is a small lift between a kitchen and a dining room.

The kitchen does not wait for the room, and the room does not wait for the kitchen. They wait for the lift."""


@task(group="Texts", tags=["frequency"], icon="chart", memory=200, example={"text": EXAMPLE, "most": 10})
def text_statistics(
    text: Annotated[LongText, Field(min_length=1, max_length=LONGEST)],
    most: Annotated[int, Field(ge=1, le=200, title="Number of words", description="How many to list.")] = 20,
) -> list[Any]:
    """Count the characters, words and sentences of a text, and show its most frequent words."""
    words = WORD.findall(text)
    sentences = [part for part in SENTENCE_END.split(text) if WORD.search(part)]
    frequent = Counter(word.lower() for word in words).most_common(most)
    facts = {
        "Characters": sum(1 for _ in regex.finditer(r"\X", FLAG.sub("x", text))),
        "Words": len(words),
        "Different words": len({word.lower() for word in words}),
        "Sentences": len(sentences),
        "Words per sentence": round(len(words) / len(sentences), 1) if sentences else 0,
        "Reading time": _spoken(len(words) / WORDS_PER_MINUTE * 60),
    }
    if not frequent:
        return [facts]
    shown = frequent[:MOST_BARS]
    chart = Chart(
        "bar", [times for _, times in shown], [word[:LONGEST_LABEL] for word, _ in shown], title="Most frequent words"
    )
    table = [{"word": one, "times": times, "share %": round(100 * times / len(words), 1)} for one, times in frequent]
    return [facts, chart, table]


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
