"""Where texts stand in their lines: names are whole, nothing runs through them, and words are not broken."""

from collections.abc import Callable

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import WebServer
from tests import jobs
from tests.web.page.browser.looks import OPPOSITES, Look
from tests.web.page.browser.watched import Watched

ARABIC, HEBREW = "مهمة", "עברית"
LEFT = """(one) => {
  const range = document.createRange();
  range.selectNodeContents(one);
  return Math.round(range.getBoundingClientRect().left);
}"""
BROKEN = """(cells) => cells.flatMap((cell) => {
  const broken = [], texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    for (const word of text.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((box) => box.top)).size > 1) broken.push(word[0]);
    }
  }
  return broken;
})"""


@pytest.fixture
def registry() -> TaskRegistry:
    """Return a registry with long names, names from right to left, and failures."""
    registry = TaskRegistry()
    for task_id, name in {
        "backup-photos-of-all": "Backup: photos of all",
        "count-again": "Count the stock anew",
        ARABIC: "مهمة يومية",
        HEBREW: "משימה יומית",
    }.items():
        registry.register(Task(id=task_id, name=name, func=jobs.boom, every={"hours": 1}))
    for number in (1, 2):
        registry.register(Task(id=f"with-the-same-name-{number}", func=jobs.process_id, manual=True))
    tags = ["a-very-long-tag-a-very-long-tag", "tag-0", "tag-1"]
    registry.register(
        Task(id="ny", name="One thirty", func=jobs.process_id, at="01:30", timezone="America/New_York", tags=tags)
    )
    registry.register(Task(id="once", name="Once", func=jobs.process_id, run_at="2030-12-29 21:53:13.886085"))
    registry.tick()
    return registry


@pytest.mark.parametrize("look", OPPOSITES, ids=str)
class TestLines:
    def test_names_of_lanes_are_whole_and_tell_all_when_pointed_at(
        self, look: Look, registry: TaskRegistry, site: Callable[..., WebServer], visit: Callable[..., Watched]
    ) -> None:
        one = visit(site(registry).url, look)
        one.go("timeline")
        names = one.page.locator(".lanes .label bdi:not(.id)")
        assert names.evaluate_all("(all) => all.filter((one) => one.scrollWidth > one.clientWidth + 1).length") == 0
        label = one.page.locator(".lanes .label", has_text="Backup")
        assert label.get_attribute("title") == "Backup: photos of all\nbackup-photos-of-all"
        ids = one.page.locator(".lanes .namesake .id")
        assert ids.count() == 2
        assert ids.evaluate_all("(all) => all.every((one) => one.clientWidth > 40 && one.offsetTop < 15)")

    def test_no_line_of_the_timeline_runs_through_a_name(
        self, look: Look, registry: TaskRegistry, site: Callable[..., WebServer], visit: Callable[..., Watched]
    ) -> None:
        one = visit(site(registry).url, look)
        one.go("timeline")
        covered = """(label) => {
          const grid = document.querySelector(".grid").getBoundingClientRect(), box = label.getBoundingClientRect();
          const back = getComputedStyle(label).backgroundColor;
          return box.right <= grid.left || (back === getComputedStyle(label.closest(".card")).backgroundColor);
        }"""
        for label in one.page.locator(".lanes .label").all():
            assert label.evaluate(covered)

    def test_texts_begin_below_each_other_in_any_direction(
        self, look: Look, registry: TaskRegistry, site: Callable[..., WebServer], visit: Callable[..., Watched]
    ) -> None:
        one = visit(site(registry).url, look)
        for path, parts in (
            ("timeline", [".trouble li a", ".trouble li .error"]),
            ("", [".who > a"]),
        ):
            one.go(path)
            for part in parts:
                assert len({found.evaluate(LEFT) for found in one.page.locator(part).all()}) == 1
        for task_id in (ARABIC, HEBREW, "count-again"):
            row = one.row(task_id)
            assert row.locator(".who .id").evaluate(LEFT) == row.locator(".who a").evaluate(LEFT)

    def test_no_word_of_a_schedule_is_broken(
        self, look: Look, registry: TaskRegistry, site: Callable[..., WebServer], visit: Callable[..., Watched]
    ) -> None:
        one = visit(site(registry).url, look)
        assert one.page.locator("td.schedule").evaluate_all(BROKEN) == []
