"""One answer for all who ask the same at about the same time; each is made after they have asked."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import create_app
from est_alan_scheduler.web.page.rounds import Rounds
from est_alan_scheduler.web.page.view import View
from tests import jobs
from tests.web.clients import MANAGE, READ, TOKEN, bearer

LIVE = {"Accept": "text/html", "X-Live": "1"}


class Maker:
    """It makes answers, each with its number."""

    def __init__(self) -> None:
        self.number = 0
        self.begins: list[float] = []

    async def __call__(self) -> Response:
        self.number += 1
        self.begins.append(time.monotonic())
        response = Response(str(self.number))
        await asyncio.sleep(0)
        return response


def answers(*questions: Coroutine[Any, Any, Response]) -> list[bytes]:
    async def ask() -> list[Response]:
        async with asyncio.timeout(20):
            return await asyncio.gather(*questions)

    return [bytes(response.body) for response in asyncio.run(ask())]


def test_equal_questions_at_a_time_have_one_answer() -> None:
    rounds, make = Rounds(), Maker()
    assert answers(*(rounds.answer("a", make) for _ in range(5))) == [b"1"] * 5


def test_other_questions_have_other_answers() -> None:
    rounds, make = Rounds(), Maker()
    assert sorted(answers(*(rounds.answer(question, make) for question in "abc"))) == [b"1", b"2", b"3"]


def test_who_asks_during_a_round_gets_the_next_one_after_a_pause() -> None:
    rounds, make = Rounds(0.03), Maker()

    async def later() -> Response:
        while not make.number:
            await asyncio.sleep(0)
        return await rounds.answer("a", make)

    assert answers(rounds.answer("a", make), later(), later()) == [b"1", b"2", b"2"]
    assert make.begins[1] - make.begins[0] >= 0.03


def test_who_leaves_takes_the_answer_from_nobody() -> None:
    rounds, make = Rounds(), Maker()

    async def leave_and_stay() -> Response:
        leaving = asyncio.ensure_future(rounds.answer("a", make))
        staying = asyncio.ensure_future(rounds.answer("a", make))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert answers(leave_and_stay()) == [b"1"]


def test_an_error_goes_to_all_who_have_asked_and_is_over_then() -> None:
    rounds, make = Rounds(0.0), Maker()

    async def fail() -> Response:
        raise LookupError("odd")

    async def ask() -> Response:
        found = await asyncio.gather(*(rounds.answer("a", fail) for _ in range(2)), return_exceptions=True)
        assert [str(error) for error in found] == ["odd", "odd"]
        return await rounds.answer("a", make)

    assert answers(ask()) == [b"1"]


def test_nothing_is_kept_of_a_question_that_is_over() -> None:
    rounds, make = Rounds(0.0), Maker()
    for question in "abc":
        answers(rounds.answer(question, make))
    assert len(rounds._begun) + len(rounds._next) <= 1


@pytest.mark.parametrize(
    ("headers", "is_shared"),
    [
        ({}, True),
        (bearer(READ), False),
        ({"Accept-Language": "ko"}, False),
        ({"Cookie": "est_alan_scheduler_theme=dark"}, False),
        ({"Accept": "application/json"}, False),
    ],
    ids=["alike", "role", "language", "theme", "form of problems"],
)
def test_open_pages_share_an_answer_if_all_that_it_depends_on_is_equal(
    headers: dict[str, str], is_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    app = create_app(registry, auth=TOKEN)
    made: list[bool] = []
    render = View.html

    def note(*arguments: Any, **values: Any) -> Response:
        made.append(True)
        return render(*arguments, **values)

    monkeypatch.setattr(View, "html", note)

    async def ask(*each: dict[str, str]) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await asyncio.gather(*(client.get("/", headers=bearer(MANAGE) | LIVE | one) for one in each))

    assert {response.status_code for response in asyncio.run(ask({}, headers))} == {200}
    assert len(made) == (1 if is_shared else 2)


def test_a_stranger_gets_no_answer_that_a_reader_has_asked_for() -> None:
    app = create_app(TaskRegistry(), auth=TOKEN)

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await asyncio.gather(*(client.get("/", headers=LIVE | one) for one in (bearer(READ), {})))

    assert [response.status_code for response in asyncio.run(ask())] == [200, 401]
