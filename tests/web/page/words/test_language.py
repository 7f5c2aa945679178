"""The language of a page: the one that was chosen, or else the one that the browser likes best."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.web.page.words.language import TRANSLATIONS, language_of


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("*", "en"),
        ("de", "en"),
        ("ko", "ko"),
        ("ko-KR", "ko"),
        ("KO-kr,en;q=0.8", "ko"),
        ("kok", "en"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("de;q=1,ko;q=0.5,en;q=0.4", "ko"),
        ("ko,en", "ko"),
        ("en,ko", "en"),
        ("ko;q=0.5,en;q=0.5", "ko"),
        ("ko;q=0", "en"),
        ("ko;q=0,en;q=0", "en"),
        ("ko;q=0.000", "en"),
        ("ko; Q = 0.9 ;level=1, en;q=0.8", "ko"),
        ("ko;level=1;q=0.1,en;q=0.2", "en"),
        ("ko;q=high,en;q=0.1", "en"),
        ("ko;q=nan", "en"),
        ("ko;q=7,en;q=0.9", "ko"),
        ("ko;q=-1", "en"),
        (",;=,;;q", "en"),
        ("x," * 50 + "ko", "en"),
    ],
)
def test_browser_gets_the_language_that_it_likes_best(accepted: str, language: str) -> None:
    assert language_of(None, accepted) == language


@pytest.mark.parametrize(("chosen", "language"), [("ko", "ko"), ("en", "en"), ("de", "ko"), ("", "ko")])
def test_language_that_was_chosen_wins_if_there_is_such_a_one(chosen: str, language: str) -> None:
    assert language_of(chosen, "ko;q=0.9") == language


@given(chosen=st.none() | st.text(max_size=5), accepted=st.text(alphabet="enko;q=0.1, -*9x\x00é", max_size=60))
def test_garbage_has_a_language_too(chosen: str | None, accepted: str) -> None:
    assert language_of(chosen, accepted) in TRANSLATIONS


def test_text_without_a_translation_stays_as_it_is() -> None:
    korean = TRANSLATIONS["ko"]
    assert (korean.gettext("no text"), korean.gettext("Tasks")) == ("no text", "작업")
    assert [korean.ngettext("%s bird", "%s birds", number) for number in (1, 2)] == ["%s bird", "%s birds"]
