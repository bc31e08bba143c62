"""Run latency-bound jobs in threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import TypeVar

from ops.infra.stores.base import AT_ONCE

T = TypeVar("T")
R = TypeVar("R")
# Seconds that running jobs may take to end after an error or Ctrl-C.
GRACE = 2.0


def _work_off(
    work: Callable[[T], R],
    waiting: deque[T],
    ended: SimpleQueue[tuple[T, R | None, BaseException | None]],
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            item = waiting.popleft()
        except IndexError:
            return
        try:
            ended.put((item, work(item), None))
        except BaseException as error:
            stop.set()
            ended.put((item, None, error))


def several(work: Callable[[T], R], items: Iterable[T], done: Callable[[T, R], object]) -> None:
    """Run a job for each item, ``AT_ONCE`` jobs in parallel.

    Args:
        work: the job; called in daemon threads.
        items: the items.
        done: called in the caller's thread with each item and result, also after the error of another job.

    Raises:
        Exception: the first error; no job was started after it.
    """
    waiting, ended, stop = deque(items), SimpleQueue[tuple[T, R | None, BaseException | None]](), threading.Event()

    def take(found: tuple[T, R | None, BaseException | None]) -> None:
        item, result, error = found
        if error:
            raise error
        done(item, result)  # type: ignore[arg-type]

    count = len(waiting)
    given = (work, waiting, ended, stop)
    workers = [threading.Thread(target=_work_off, args=given, daemon=True) for _ in range(min(AT_ONCE, count))]
    for one in workers:
        one.start()
    try:
        for _ in range(count):
            take(ended.get())
    except BaseException:
        stop.set()
        until = time.monotonic() + GRACE
        for one in workers:
            one.join(max(0, until - time.monotonic()))
        _take_rest(ended, done)
        raise


def _take_rest(ended: SimpleQueue[tuple[T, R | None, BaseException | None]], done: Callable[[T, R], object]) -> None:
    """Call ``done`` for the other jobs that have succeeded."""
    while True:
        try:
            item, result, error = ended.get_nowait()
        except Empty:
            return
        if error is None:
            done(item, result)  # type: ignore[arg-type]
