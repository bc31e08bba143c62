"""What a tool answers: a text for people, and beside it what code decides by."""

from __future__ import annotations

from ops.core.errors import Code


class Answer(str):
    """A text with a code and with ways to go on. Where only a text is wanted, it is one.

    Args:
        text: for people; no code reads it.
        code: what was found.
        parts: the statements that the text joins.
        stands: the first sentence of a text that explains what a run has left.
        ways: what may then be typed, the safest first, each with what it does.
    """

    def __new__(
        cls,
        text: str,
        code: Code = Code.NONE,
        *,
        parts: tuple[str, ...] = (),
        stands: str = "",
        ways: tuple[tuple[str, str], ...] = (),
    ) -> Answer:
        """Make the text, and attach the rest."""
        made = super().__new__(cls, text)
        made.code, made.parts, made.stands, made.ways = code, parts or (text,), stands, ways
        return made

    code: Code
    parts: tuple[str, ...]
    stands: str
    ways: tuple[tuple[str, str], ...]


def code_of(said: str) -> Code:
    """Return the code of a tool's answer; ``Code.NONE`` for a plain text."""
    return said.code if isinstance(said, Answer) else Code.NONE
