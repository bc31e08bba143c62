"""Ask a person, or take what flags and defaults say."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from ops.core.errors import OpsError, UsageError

Check = Callable[[str], str]


class Questions:
    """Asks questions on a terminal. An answer that was given as a flag is not asked for.

    Args:
        given: the flags, by name without dashes; an empty one was not given.
        yes: take every default.
        out: where the questions are shown.
    """

    def __init__(self, given: Mapping[str, str], yes: bool, out: TextIO) -> None:
        self.given, self.yes, self.out = given, yes, out

    def ask(self, flag: str, question: str, default: str, check: Check = str) -> str:
        """Return the answer to a question: the flag's value, what is typed, or the default.

        Args:
            flag: the flag that answers it.
            question: what is asked, without a question mark.
            default: the answer where only Enter is typed.
            check: returns the answer as it is used; raises OpsError, with an example as its hint, where it can't be.

        Raises:
            UsageError: the flag's value can't be used, or there is nobody to ask.
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
        """Return True unless a person says no."""
        return self.yes or not self._typed(f"{question} [Y/n]: ").lower().startswith("n")

    def secret(self, question: str) -> str:
        """Return what is typed without showing it."""
        return getpass.getpass(f"{question}: ").strip()

    def say(self, text: str) -> None:
        """Show lines to the person."""
        print(text, file=self.out, flush=True)

    def _typed(self, prompt: str) -> str:
        print(prompt, end="", file=self.out, flush=True)
        line = sys.stdin.readline()
        if not line:  # Ctrl-D: nobody answers any more.
            raise KeyboardInterrupt
        return line.strip()


def check_terminal(yes: bool, out: TextIO) -> None:
    """Refuse to ask where nobody can answer.

    Raises:
        UsageError: there is no terminal, and ``--yes`` was not given.
    """
    if not yes and not (sys.stdin.isatty() and out.isatty()):
        raise UsageError("there is no terminal to ask on", "generalprobe init --yes   (flags answer: --help)")
