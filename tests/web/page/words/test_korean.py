"""The Korean texts: one for each text of the page, and none besides."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import est_alan_scheduler.web.page
from est_alan_scheduler.web.page.view import templates
from est_alan_scheduler.web.page.words.korean import KOREAN
from est_alan_scheduler.web.page.words.phrases.korean_reasons import REASONS
from est_alan_scheduler.web.page.words.phrases.korean_schedules import SCHEDULES
from est_alan_scheduler.web.page.words.phrases.problems import PROBLEMS
from est_alan_scheduler.web.page.words.phrases.refusals import DATES, FIELDS, INSTEAD

PACKAGE = Path(est_alan_scheduler.web.page.__file__).parent
WORDS = "est_alan_scheduler.web.page.words"
OTHER_TERMS = (
    "슬롯",
    "리스",
    "일시 정지",
    "일시정지",
    "태스크",
    "스케줄 ",
    "다시 시작",
    "제거",
    "하십시요",
    "지각",
    "허용된 지연",
    "작업 바로",
    "놓친 예정을",
)
"""Words for which the page has others: 예정 시각, 임대, 일시 중지, 작업, 일정, 재개, 삭제, 허용 지연 시간, 지금."""
GETTEXT = {"gettext", "ngettext", "_"}
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|\{\w+\}")


def texts_of_templates() -> Iterator[str]:
    environment = templates("en")
    for name in environment.list_templates():
        source = (PACKAGE / "templates" / name).read_text("utf-8")
        for _, _, message in environment.extract_translations(source):  # type: ignore[attr-defined]  # of the extension
            yield message if isinstance(message, str) else message[0]


def texts_of_code() -> Iterator[str]:
    """Yield the texts that code has translated: the first argument of a call of `gettext`, whatever it is bound to."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in GETTEXT and isinstance(node.args[0], ast.Constant):
                    yield str(node.args[0].value)


def test_each_text_of_the_page_has_its_korean_one() -> None:
    assert sorted({*texts_of_templates(), *texts_of_code()} - KOREAN.keys()) == []


def test_each_korean_text_is_of_a_text_of_the_page() -> None:
    assert sorted(KOREAN.keys() - {*texts_of_templates(), *texts_of_code()}) == []


@pytest.mark.parametrize("text", KOREAN)
def test_korean_text_has_the_placeholders_of_the_text(text: str) -> None:
    assert sorted(PLACEHOLDER.findall(KOREAN[text])) == sorted(PLACEHOLDER.findall(text))


def test_korean_text_is_written_with_care() -> None:
    assert [text for text in KOREAN.values() if text != text.strip() or "  " in text or not text] == []


def test_text_of_several_screens_is_translated_once() -> None:
    names = [path.stem for path in (PACKAGE / "words").glob("korean_*.py")]
    texts = [text for name in names for text in import_module(f"{WORDS}.{name}").TEXTS]
    assert sorted({text for text in texts if texts.count(text) > 1}) == []
    assert len(texts) == len(KOREAN)


@pytest.mark.parametrize("other", OTHER_TERMS)
def test_korean_texts_have_the_same_terms_everywhere(other: str) -> None:
    tables = (FIELDS, DATES, INSTEAD, PROBLEMS)
    phrases = [korean for rows in {**SCHEDULES, **REASONS}.values() for _, korean in rows]
    phrases += [row.korean for table in tables for row in table]
    assert [text for text in (*KOREAN.values(), *phrases) if other in text] == []


def test_misfires_are_named_alike_and_are_no_coalesced_slots() -> None:
    names = (KOREAN["Misfires"], KOREAN["Coalesced slots"], KOREAN["Misfire grace"])
    assert names == ("건너뛴 예정 시각", "합쳐진 예정 시각", "허용 지연 시간")
    of_grace = [korean for _, korean in (*REASONS["reason"], *REASONS["skipped"]) if "misfire_grace" in korean]
    assert [korean for korean in of_grace if names[2] not in korean or "건너뜀" not in korean] == []
