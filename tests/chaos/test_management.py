"""The laws of management: a lawful history passes, and each law has one that breaks it and is named for it."""

import pytest

from tests.chaos.journal import End, Managed, Managing, Start, Trouble
from tests.chaos.management import Deed, deeds, in_force, maybe_paused
from tests.chaos.test_checker import LEASE, History, instant
from tests.chaos.view import View


class Story(History):
    """A history in which somebody manages."""

    def manage(
        self, begin: float, end: float | None, what: str, task: str = "t", word: str = "", done: bool = True
    ) -> None:
        """At `end` there is an answer, None for one that never comes."""
        number = len(self.records)
        self.records.append(Managing(begin, "i1", number, what, task, word))
        if end is not None:
            self.records.append(Managed(end, "i1", number, done))

    def stands(self, paused: bool = False, word: str = "", all_paused: bool = False) -> list[str]:
        """What the checker says if that is how it stands at the end."""
        self.states["t"] = self.states["t"]._replace(paused=paused, word=word)
        self.all_paused = all_paused
        return self.check()


@pytest.fixture
def story() -> Story:
    story = Story()
    story.lives()
    return story


@pytest.mark.parametrize(("task", "what"), [("t", "pause"), ("", "pause_all")])
class TestPaused:
    def test_nothing_is_claimed_and_nothing_has_to_be(self, story: Story, task: str, what: str) -> None:
        story.goes_on(0, 10)
        story.manage(9.3, 9.4, what, task)
        story.manage(20.0, 20.2, what.replace("pause", "resume"), task)
        story.goes_on(21, 30, epoch=11)
        assert story.stands() == []

    def test_a_claim_after_the_answer(self, story: Story, task: str, what: str) -> None:
        story.manage(9.3, 9.4, what, task)
        story.manage(11.5, 11.6, what.replace("pause", "resume"), task)
        story.goes_on(0, 30)
        name = f"{what} {task}".rstrip()
        assert story.stands() == [
            f"t epoch {epoch} was claimed {epoch - 10.4:.1f} s after {name} was acknowledged" for epoch in (11, 12)
        ]

    @pytest.mark.parametrize(("end", "done"), [(9.4, False), (None, True)])
    def test_it_may_be_unknown_whether_it_was_done(
        self, story: Story, task: str, what: str, end: float | None, done: bool
    ) -> None:
        story.manage(9.3, end, what, task, done=done)
        story.goes_on(0, 10)
        assert story.stands() == []
        story.goes_on(10, 30, epoch=11)
        assert story.stands() == []

    def test_who_is_left_waiting_after_it_is_over(self, story: Story, task: str, what: str) -> None:
        story.goes_on(0, 10)
        story.manage(9.3, 9.4, what, task)
        story.manage(11.0, 11.2, what.replace("pause", "resume"), task)
        assert story.stands() == ["t epoch 11 was left waiting for 18.8 s while an instance was healthy"]

    def test_what_stands_at_the_end_is_what_was_said_last(self, story: Story, task: str, what: str) -> None:
        story.goes_on(0, 30)
        story.manage(29.2, 29.3, what, task)
        assert story.stands(paused=bool(task), all_paused=not task) == []
        name = f"{what} {task}".rstrip()
        assert story.stands() == [f"{name} was acknowledged last, and does not stand at the end"]
        story.manage(29.25, 29.6, what.replace("pause", "resume"), task)  # nobody knows which came last
        assert story.stands() == story.stands(paused=bool(task), all_paused=not task) == []


class TestUpdated:
    def told(self, story: Story, words: dict[int, str]) -> Story:
        """A run each second, which takes the word that was there at last."""
        if not story.runs:
            story.goes_on(0, 30)
        word = ""
        for index, record in enumerate(story.records):
            if isinstance(record, Start):
                word = words.get(record.epoch, word)
                story.records[index] = record._replace(word=word)
        return story

    def test_who_claims_after_the_answer_runs_with_it(self, story: Story) -> None:
        story.manage(9.3, 10.5, "update", word="new")
        assert self.told(story, {12: "new"}).stands(word="new") == []
        story.manage(20.3, 20.6, "update", word="newer", done=False)
        assert self.told(story, {12: "new", 25: "newer"}).stands(word="newer") == []

    def test_who_does_not(self, story: Story) -> None:
        story.manage(9.3, 10.5, "update", word="new")
        assert self.told(story, {13: "new"}).stands(word="new") == [
            "t epoch 12 ran with '', after an update to 'new' was acknowledged"
        ]

    def test_who_starts_some_time_after_the_claim_may_run_with_a_newer_one(self, story: Story) -> None:
        story.manage(9.3, 10.5, "update", word="new")
        story.manage(20.3, 20.6, "update", word="newer")
        told = self.told(story, {12: "new", 21: "newer"})
        assert told.stands(word="newer") == ["t epoch 21 ran with 'newer', after an update to 'new' was acknowledged"]
        for index, record in enumerate(told.records):
            if isinstance(record, Start | End) and record.epoch == 21:
                told.records[index] = record._replace(at=record.at + 0.7)
        assert told.stands(word="newer") == []

    def test_what_stands_at_the_end_is_what_was_said_last(self, story: Story) -> None:
        story.manage(29.3, 29.4, "update", word="new")
        assert self.told(story, {}).stands(word="new") == []
        assert story.stands() == ["update to 'new' of t was acknowledged last, and does not stand at the end"]


class TestAsked:
    def test_a_run_that_was_asked_for_comes(self, story: Story) -> None:
        story.jobs = (story.jobs[0]._replace(period=3600.0),)
        story.run(0.0, 1)
        story.manage(10.0, 10.1, "run_now")
        story.manage(12.0, 12.1, "run_now", done=False)
        story.run(11.0, 2)
        assert story.stands() == []

    def asked_once(self, story: Story, at: float) -> Story:
        story.jobs = (story.jobs[0]._replace(period=3600.0),)
        story.run(0.0, 1)
        story.manage(at, at + 0.5, "run_now")
        return story

    def test_it_may_have_been_decided_on_before(self, story: Story) -> None:
        self.asked_once(story, 10.0)
        story.claim(10.2, 2, started=instant(8.0))
        story.start(11.0, 2)
        story.end(11.1, 2)
        assert story.stands() == []

    def test_a_claim_that_takes_long_may_have_come_after_it(self, story: Story) -> None:
        self.asked_once(story, 10.0)
        story.run(9.4, 2)
        waits = "t was asked for, and left waiting for 19.5 s while an instance was healthy"
        assert story.stands() == [waits]
        story.records.append(Trouble(10.1, "i1", 9.4, "claim: slow"))
        assert story.stands() == []

    @pytest.mark.parametrize(("died", "violations"), [(9.0, 1), (12.0, 0)])
    def test_nobody_knows_when_who_died_has_claimed_it(self, died: float, violations: int) -> None:
        story = self.asked_once(Story(), 10.0)
        story.lives()
        story.lives(2, end=died)
        story.claim(8.0, 2, 2)
        story.records.pop()  # it was not told
        story.finish(15.5, 2, status="failed", error="lease expired: owner host:2 stopped renewing")
        waits = "t was asked for, and left waiting for 19.5 s while an instance was healthy"
        assert story.stands() == [waits] * violations

    def test_one_that_does_not(self, story: Story) -> None:
        story.jobs = (story.jobs[0]._replace(period=3600.0),)
        story.run(0.0, 1)
        story.manage(10.0, 10.5, "run_now")
        story.claim(11.0, 2)
        story.finish(11.5, 2, status="failed", error="not started: owner host:1 gave its claim back", late=True)
        assert story.stands() == ["t was asked for, and left waiting for 19.5 s while an instance was healthy"]
        story.manage(9.0, 9.1, "pause_all", "")
        assert story.stands(all_paused=True) == []


def test_a_deed_of_who_died_or_got_no_answer_may_come_later() -> None:
    story = Story()
    story.lives(1, end=10.0)
    story.manage(9.0, None, "pause")
    story.manage(12.0, 13.0, "resume", done=False)
    (first, second) = deeds(View(story.facts()))["t"]
    assert (first.end, second.end) == (10.0 + LEASE, 13.0 + LEASE)


def test_a_deed_is_in_force_until_another_one_may_be() -> None:
    pause = Deed(1.0, 2.0, "pause", "t", "", True)
    assert in_force(pause, [], 30.0) == (2.0, 30.0)
    assert in_force(pause, [pause._replace(begin=5.0, end=6.0, what="resume", is_done=False)], 30.0) == (2.0, 5.0)
    assert in_force(pause, [pause._replace(begin=0.0, end=1.5, what="resume")], 30.0) is None
    assert in_force(pause._replace(is_done=False), [], 30.0) is None


def test_a_task_may_be_paused_until_it_is_surely_not() -> None:
    pause = Deed(1.0, 2.0, "pause", "t", "", False)
    resume = Deed(1.5, 3.0, "resume", "t", "", True)
    assert maybe_paused([pause, resume]) == [(1.0, float("inf"))]
    assert maybe_paused([pause, resume._replace(begin=2.5)]) == [(1.0, 3.0)]
