"""What is said of names that aren't there, of methods and of tables."""

import pytest
from tests.engine.conftest import World

from patql.kernel.errors import Code, PatqlError

TOKENS = "linode.profile.tokens"


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        (f"EXEC {TOKENS}.nope", "Its methods are getPersonalAccessToken, "),
        (
            f"EXEC {TOKENS}.deleteToken @tokenId = 2",
            "Did you mean deletePersonalAccessToken?",
        ),
        (
            f"EXEC {TOKENS}.updatePersonalAccessToken @tokenId = 2, @label = 'x'",
            "It takes tokenId. The body stands in @@json = '{…}'.",
        ),
        (
            f"EXEC {TOKENS}._getPersonalAccessToken @label = 2",
            "It takes tokenId.",
        ),
        ("SELECT id FROM token", f"Did you mean {TOKENS}?"),
        ("SELECT id FROM y", None),
    ],
)
def test_advice(world: World, sql: str, hint: str | None) -> None:
    """The names that there are, and none that is unlike the one that was given."""
    with pytest.raises(PatqlError) as error:
        list(world.session.run(sql))
    assert error.value.code == Code.UNKNOWN_NAME
    told = error.value.hint
    assert told == hint or (hint and told and told.startswith(hint))
