"""YAML of strangers: what is refused, and that it is refused before it does harm."""

import pytest

from patql.catalog.yaml_text import MAX_BYTES, parse
from patql.kernel.errors import Code, PatqlError

LAUGHS = b"a: &a {x: 1, y: 2, z: 3}\n" + b"\n".join(
    b"k%d: &%c [%s]" % (n, 98 + n, b",".join([b"*%c" % (97 + n)] * 10))
    for n in range(9)
)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[" * 200_000, "it is nested more than 200 deep"),
        (b"- " * 200_000, "it is nested more than 200 deep"),
        (LAUGHS, "it stands for more than 5,000,000 values"),
        (
            LAUGHS.replace(b"[", b"{<<: [").replace(b"]", b"]}"),
            "it stands for more than 5,000,000 values",
        ),
        (b"a: &a [*a]", "`*a` stands inside what it repeats"),
        (b"a: &a {<<: *a}", "`*a` stands inside what it repeats"),
        (b"[*a]", "line 1, column 2: found undefined alias"),
        (
            b"a: !!python/object/apply:os.abort []",
            "line 1, column 4: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.abort'",
        ),
        (b"{[]: 1}", "line 1, column 2: found unhashable key"),
        (b"a: [1", "line 2, column 1: did not find expected ',' or ']'"),
        (b"a: 2024-13-45", "month must be in 1..12"),
        (b"a: " + b"9" * 9_999, "Exceeds the limit (4300 digits)"),
        (b"\xff", "unacceptable character #x00ff"),
        (b" " * (MAX_BYTES + 1), "it has more than 64 MiB"),
    ],
    ids=[
        "brackets",
        "dashes",
        "laughs",
        "merged laughs",
        "itself",
        "merged itself",
        "no anchor",
        "object",
        "key",
        "open",
        "date",
        "digits",
        "bytes",
        "size",
    ],
)
def test_refused(content: bytes, problem: str) -> None:
    """Each is one sentence that names the file, in no time and no memory to speak of."""
    with pytest.raises(PatqlError) as caught:
        parse(content, "x.yaml")
    assert caught.value.code is Code.SCHEMA
    assert str(caught.value).startswith(f"x.yaml can't be read: {problem}")
    assert len(str(caught.value).splitlines()) == 1


def test_aliases_within_reason() -> None:
    """Anchors, aliases and merge keys are read."""
    content = b"a: &a {x: 1}\nb: {<<: *a, y: *a}\nc: &c text\nd: *c"
    assert parse(content, "x.yaml").value == {
        "a": {"x": 1},
        "b": {"x": 1, "y": {"x": 1}},
        "c": "text",
        "d": "text",
    }
