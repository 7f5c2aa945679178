"""Rounds: shared answers to requests that ask the same at about the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from starlette.responses import Response

from est_alan_scheduler._support.interpreter import monotonic

_PAUSE = 0.25
"""Seconds from the begin of an answer to that of the next one to the same question."""

Make = Callable[[], Coroutine[Any, Any, Response]]


class Rounds:
    """The answers to questions that many clients repeat.

    A client gets the answer of the next round. That begins after its question, so the answer has all that has happened
    before. Rounds of one question follow each other after a pause. There is no lock: only event loops call it, and a
    question of another loop is another question.
    """

    def __init__(self, pause: float = _PAUSE) -> None:
        self._pause = pause
        self._next: dict[Hashable, asyncio.Future[Response]] = {}  # the rounds that have not begun
        self._begun: dict[Hashable, float] = {}  # when the latest ones began

    async def answer(self, question: Hashable, make: Make) -> Response:
        """Return the answer of the next round; `make` makes it, unless another client's does."""
        key = question, id(asyncio.get_running_loop())
        coming = self._next.get(key)
        if coming is None:
            coming = self._next[key] = asyncio.ensure_future(self._round(key, make))
        return await asyncio.shield(coming)  # a client who leaves takes the answer from nobody

    async def _round(self, key: Hashable, make: Make) -> Response:
        try:
            wait = self._begun.get(key, 0.0) + self._pause - monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
        finally:
            del self._next[key]
        now = monotonic()
        self._begun = {one: at for one, at in self._begun.items() if at + self._pause > now} | {key: now}
        return await make()
