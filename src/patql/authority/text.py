"""What text from outside must be like."""

from patql.kernel.errors import InvalidRequestError, Problem

LABEL_LENGTH = 100
"""The greatest length of a label, in characters."""


def label_problems(label: str | None, field: str = "label") -> list[Problem]:
    """What is wrong with a label; None, for "choose one", is right."""
    if label is None:
        return []
    if not 1 <= len(label) <= LABEL_LENGTH:
        return [Problem(f"Length must be 1-{LABEL_LENGTH} characters", field)]
    return text_problems(label, field)


def text_problems(text: str, field: str) -> list[Problem]:
    """What is wrong with text as such: databases hold neither half a surrogate pair nor, all of them, U+0000."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return [Problem("Must be valid Unicode", field)]
    return [Problem("Must not contain U+0000", field)] if "\0" in text else []


def check_username(username: str) -> None:
    """Refuse a name that no user can have.

    Raises:
        InvalidRequestError: it is empty, or isn't text.
    """
    problems = text_problems(username, "username")
    if not username:
        problems = [Problem("Must not be empty", "username")]
    if problems:
        raise InvalidRequestError(*problems)
