"""A name means the same media type on every machine."""

import pytest

from jobs.values.media_types import media_type_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.webp", "image/webp"),
        ("A.WEBP", "image/webp"),
        ("a.md", "text/markdown"),
        ("a.csv", "text/csv"),
        ("a.js", "text/javascript"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.tar.gz", "application/gzip"),
        ("a.csv.xz", "application/x-xz"),
        ("a.Z", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("", "application/octet-stream"),
        (".", "application/octet-stream"),
        ("http://a.b/c.png?d.txt", "text/plain"),
        ("data:text/html,x.png", "image/png"),
        ("\udcff.png", "image/png"),
    ],
)
def test_the_ending_of_a_name_says_the_type(name: str, expected: str) -> None:
    assert media_type_of(name) == expected
