"""What all tests rely on."""

import time
from collections.abc import Iterator

import pytest
from _pytest import timing
from freezegun import freeze_time


@pytest.fixture
def frozen() -> Iterator[None]:
    with freeze_time("2000-01-01"):
        yield


def test_pytest_measures_real_durations_while_time_is_frozen(frozen: None) -> None:
    assert time.gmtime().tm_year == 2000
    began = timing.perf_counter()
    assert timing.time() > 1_700_000_000
    assert timing.perf_counter() > began
