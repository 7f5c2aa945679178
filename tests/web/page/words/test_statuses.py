import pytest

from est_alan_scheduler.task import TaskStatus
from est_alan_scheduler.web.page.view import templates
from est_alan_scheduler.web.page.words.language import TRANSLATIONS
from est_alan_scheduler.web.page.words.statuses import problem_title, status_name

STATUSES = [*(status.value for status in TaskStatus), "paused", "retrying", "late"]


@pytest.mark.parametrize("status", STATUSES)
def test_english_name_is_the_status_itself(status: str) -> None:
    assert status_name(status, TRANSLATIONS["en"].gettext) == status


def test_each_status_has_its_own_korean_name() -> None:
    names = {status_name(status, TRANSLATIONS["ko"].gettext) for status in STATUSES}
    assert len(names) == len(STATUSES)
    assert names.isdisjoint(STATUSES)


def test_status_that_is_unknown_stays_as_it_is() -> None:
    assert status_name("cancelled", TRANSLATIONS["ko"].gettext) == "cancelled"


def test_templates_name_statuses_in_their_language() -> None:
    assert templates("ko").from_string("{{ status | status_name }}").render(status=TaskStatus.RUNNING) == "실행 중"


@pytest.mark.parametrize(
    ("status", "english", "korean"),
    [
        (404, "Not Found", "찾을 수 없음"),
        (503, "Service Unavailable", "서비스를 이용할 수 없음"),
        (410, "Gone", "Gone"),
    ],
)
def test_problem_has_a_title(status: int, english: str, korean: str) -> None:
    titles = [problem_title(status, TRANSLATIONS[language].gettext) for language in ("en", "ko")]
    assert titles == [english, korean]
