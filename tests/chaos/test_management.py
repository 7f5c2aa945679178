"""The laws of management: a lawful history passes, and each law has a test with a history that breaks it."""

import pytest

from tests.chaos.history import LEASE, History, instant
from tests.chaos.journal import End, Managed, Managing, Start, Trouble
from tests.chaos.management import Action, actions, in_force, maybe_paused
from tests.chaos.view import View


class Story(History):
    """A history with management calls."""

    def manage(
        self, begin: float, end: float | None, what: str, task: str = "t", word: str = "", done: bool = True
    ) -> None:
        """Make a call that returns at `end`, or never if that is None."""
        number = len(self.records)
        self.records.append(Managing(begin, "i1", number, what, task, word))
        if end is not None:
            self.records.append(Managed(end, "i1", number, done))

    def stands(self, paused: bool = False, word: str = "", all_paused: bool = False) -> list[str]:
        """Return the violations if this is the state at the end."""
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
    def test_a_paused_task_is_not_claimed_and_needs_no_claim(self, story: Story, task: str, what: str) -> None:
        story.goes_on(0, 10)
        story.manage(9.3, 9.4, what, task)
        story.manage(20.0, 20.2, what.replace("pause", "resume"), task)
        story.goes_on(21, 30, epoch=11)
        assert story.stands() == []

    def test_a_claim_after_the_acknowledgement_is_a_violation(self, story: Story, task: str, what: str) -> None:
        story.manage(9.3, 9.4, what, task)
        story.manage(11.5, 11.6, what.replace("pause", "resume"), task)
        story.goes_on(0, 30)
        name = f"{what} {task}".rstrip()
        assert story.stands() == [
            f"t epoch {epoch} was claimed {epoch - 10.4:.1f} s after {name} was acknowledged" for epoch in (11, 12)
        ]

    @pytest.mark.parametrize(("end", "done"), [(9.4, False), (None, True)])
    def test_an_unacknowledged_pause_may_or_may_not_be_in_force(
        self, story: Story, task: str, what: str, end: float | None, done: bool
    ) -> None:
        story.manage(9.3, end, what, task, done=done)
        story.goes_on(0, 10)
        assert story.stands() == []
        story.goes_on(10, 30, epoch=11)
        assert story.stands() == []

    def test_a_slot_missed_after_the_resume_is_a_violation(self, story: Story, task: str, what: str) -> None:
        story.goes_on(0, 10)
        story.manage(9.3, 9.4, what, task)
        story.manage(11.0, 11.2, what.replace("pause", "resume"), task)
        assert story.stands() == ["t epoch 11 was left waiting for 18.8 s while an instance was healthy"]

    def test_the_last_acknowledged_action_is_in_force_at_the_end(self, story: Story, task: str, what: str) -> None:
        story.goes_on(0, 30)
        story.manage(29.2, 29.3, what, task)
        assert story.stands(paused=bool(task), all_paused=not task) == []
        name = f"{what} {task}".rstrip()
        assert story.stands() == [f"{name} was acknowledged last, and is not in force at the end"]
        story.manage(29.25, 29.6, what.replace("pause", "resume"), task)  # their order is unknown
        assert story.stands() == story.stands(paused=bool(task), all_paused=not task) == []


class TestUpdated:
    def with_words(self, story: Story, words: dict[int, str]) -> Story:
        """Make a run each second with the latest argument."""
        if not story.runs:
            story.goes_on(0, 30)
        word = ""
        for index, record in enumerate(story.records):
            if isinstance(record, Start):
                word = words.get(record.epoch, word)
                story.records[index] = record._replace(word=word)
        return story

    def test_a_run_claimed_after_an_update_has_its_argument(self, story: Story) -> None:
        story.manage(9.3, 10.5, "update", word="new")
        assert self.with_words(story, {12: "new"}).stands(word="new") == []
        story.manage(20.3, 20.6, "update", word="newer", done=False)
        assert self.with_words(story, {12: "new", 25: "newer"}).stands(word="newer") == []

    def test_a_run_claimed_after_an_update_with_the_old_argument_is_a_violation(self, story: Story) -> None:
        story.manage(9.3, 10.5, "update", word="new")
        assert self.with_words(story, {13: "new"}).stands(word="new") == [
            "t epoch 12 ran with '', after an update to 'new' was acknowledged"
        ]

    def test_a_run_may_have_the_argument_of_an_update_after_its_claim(self, story: Story) -> None:
        story.manage(9.3, 10.5, "update", word="new")
        story.manage(20.3, 20.6, "update", word="newer")
        updated = self.with_words(story, {12: "new", 21: "newer"})
        assert updated.stands(word="newer") == [
            "t epoch 21 ran with 'newer', after an update to 'new' was acknowledged"
        ]
        for index, record in enumerate(updated.records):
            if isinstance(record, Start | End) and record.epoch == 21:
                updated.records[index] = record._replace(at=record.at + 0.7)
        assert updated.stands(word="newer") == []

    def test_the_last_acknowledged_action_is_in_force_at_the_end(self, story: Story) -> None:
        story.manage(29.3, 29.4, "update", word="new")
        assert self.with_words(story, {}).stands(word="new") == []
        assert story.stands() == ["update to 'new' of t was acknowledged last, and is not in force at the end"]


class TestAsked:
    def test_a_requested_run_comes(self, story: Story) -> None:
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

    def test_the_decision_for_a_requested_run_may_be_older_than_the_request(self, story: Story) -> None:
        self.asked_once(story, 10.0)
        story.claim(10.2, 2, started=instant(8.0))
        story.start(11.0, 2)
        story.end(11.1, 2)
        assert story.stands() == []

    def test_a_slow_claim_may_have_come_after_the_request(self, story: Story) -> None:
        self.asked_once(story, 10.0)
        story.run(9.4, 2)
        waits = "t was requested, and left waiting for 19.5 s while an instance was healthy"
        assert story.stands() == [waits]
        story.records.append(Trouble(10.1, "i1", 9.4, "claim: slow"))
        assert story.stands() == []

    @pytest.mark.parametrize(("died", "violations"), [(9.0, 1), (12.0, 0)])
    def test_a_dead_owner_may_have_claimed_at_any_moment_of_its_life(self, died: float, violations: int) -> None:
        story = self.asked_once(Story(), 10.0)
        story.lives()
        story.lives(2, end=died)
        story.claim(8.0, 2, 2)
        story.records.pop()  # it got no answer
        story.finish(15.5, 2, status="failed", error="lease expired: owner host:2 stopped renewing")
        waits = "t was requested, and left waiting for 19.5 s while an instance was healthy"
        assert story.stands() == [waits] * violations

    def test_a_requested_run_that_does_not_come_is_a_violation(self, story: Story) -> None:
        story.jobs = (story.jobs[0]._replace(period=3600.0),)
        story.run(0.0, 1)
        story.manage(10.0, 10.5, "run_now")
        story.claim(11.0, 2)
        story.finish(11.5, 2, status="failed", error="not started: owner host:1 released its claim", late=True)
        assert story.stands() == ["t was requested, and left waiting for 19.5 s while an instance was healthy"]
        story.manage(9.0, 9.1, "pause_all", "")
        assert story.stands(all_paused=True) == []


def test_an_action_without_an_acknowledgement_may_come_later() -> None:
    story = Story()
    story.lives(1, end=10.0)
    story.manage(9.0, None, "pause")
    story.manage(12.0, 13.0, "resume", done=False)
    (first, second) = actions(View(story.facts()))["t"]
    assert (first.end, second.end) == (10.0 + LEASE, 13.0 + LEASE)


def test_an_action_is_in_force_until_another_may_be() -> None:
    pause = Action(1.0, 2.0, "pause", "t", "", True)
    assert in_force(pause, [], 30.0) == (2.0, 30.0)
    assert in_force(pause, [pause._replace(begin=5.0, end=6.0, what="resume", is_done=False)], 30.0) == (2.0, 5.0)
    assert in_force(pause, [pause._replace(begin=0.0, end=1.5, what="resume")], 30.0) is None
    assert in_force(pause._replace(is_done=False), [], 30.0) is None


def test_a_task_may_be_paused_until_it_is_surely_not() -> None:
    pause = Action(1.0, 2.0, "pause", "t", "", False)
    resume = Action(1.5, 3.0, "resume", "t", "", True)
    assert maybe_paused([pause, resume]) == [(1.0, float("inf"))]
    assert maybe_paused([pause, resume._replace(begin=2.5)]) == [(1.0, 3.0)]
