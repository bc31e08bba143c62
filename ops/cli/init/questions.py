"""Ask a person, or use flags and defaults."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from ops.core.errors import OpsError, UsageError

Check = Callable[[str], str]


class Questions:
    """Asks questions on a terminal, unless a flag answers them.

    Args:
        given: the flags, by name without dashes; empty if not given.
        yes: use every default.
        out: the stream for the questions.
    """

    def __init__(self, given: Mapping[str, str], yes: bool, out: TextIO) -> None:
        self.given, self.yes, self.out = given, yes, out

    def ask(self, flag: str, question: str, default: str, check: Check = str) -> str:
        """Return the answer to a question: the flag's value, the typed text, or the default.

        Args:
            flag: the flag that answers the question.
            question: the question, without a question mark.
            default: the answer if only Enter is typed.
            check: validates an answer and returns it; raises OpsError with an example as its hint.

        Raises:
            UsageError: the flag's value is not valid.
            KeyboardInterrupt: standard input ended.
        """
        if value := self.given.get(flag):
            try:
                return check(value)
            except OpsError as error:
                raise UsageError(f"--{flag}: {error.message}", f"--{flag}={error.hint}") from None
        if self.yes:
            return check(default)
        while True:
            shown = f" [{default}]" if default else ""
            try:
                return check(self._typed(f"{question}{shown}: ") or default)
            except OpsError as error:
                self.say(f"  {error.message}\n  Try: {error.hint}")

    def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question; return True unless the answer begins with ``n``."""
        return self.yes or not self._typed(f"{question} [Y/n]: ").lower().startswith("n")

    def secret(self, question: str) -> str:
        """Return the typed text without showing it."""
        return getpass.getpass(f"{question}: ").strip()

    def say(self, text: str) -> None:
        """Print lines for the person."""
        print(text, file=self.out, flush=True)

    def _typed(self, prompt: str) -> str:
        print(prompt, end="", file=self.out, flush=True)
        line = sys.stdin.readline()
        if not line:  # Ctrl-D
            raise KeyboardInterrupt
        return line.strip()


def check_terminal(yes: bool, out: TextIO) -> None:
    """Require a terminal for the questions, unless ``--yes`` was given.

    Raises:
        UsageError: there is no terminal, and ``--yes`` was not given.
    """
    if not yes and not (sys.stdin.isatty() and out.isatty()):
        raise UsageError(
            "there is no terminal for the questions", "generalprobe init --yes   (--help lists the flags that answer)"
        )
