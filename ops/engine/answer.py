"""The answer of a tool: a text for people, and a code for decisions."""

from __future__ import annotations

from ops.core.errors import Code


class Answer(str):
    """A ``str`` that also carries a code and next steps.

    Args:
        text: the text for people; no code parses the text.
        code: the result, for decisions.
        parts: the statements that the text joins.
        stands: the first sentence of a text that explains the state in which a run has ended.
        ways: the commands that may be typed next, the safest first, each with its effect.
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
        """Make the text and attach the other values."""
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
