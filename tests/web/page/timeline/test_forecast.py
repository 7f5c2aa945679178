"""The forecast with dependencies."""

from datetime import datetime, timedelta

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web.api import runs
from est_alan_scheduler.web.page.timeline import forecast
from est_alan_scheduler.web.page.timeline.forecast import Forecast, forecast_of
from tests import jobs

NOON = datetime(2026, 3, 2, 12)
MINUTE = timedelta(minutes=1)
END = NOON + 60 * MINUTE


@pytest.fixture
def chain(registry: TaskRegistry) -> TaskRegistry:
    registry.register(Task(id="source", func=jobs.process_id, every={"minutes": 20}))
    registry.register(Task(id="sink", func=jobs.process_id, after=["source"]))
    return registry


def test_a_dependent_runs_with_what_it_depends_on(chain: TaskRegistry) -> None:
    found = forecast_of(chain, END)
    expected = [NOON + number * MINUTE for number in (0, 20, 40, 60)]
    assert found.moments == {"source": expected, "sink": expected}
    assert (found.until, found.refusal) == (None, None)


def test_a_forecast_of_many_runs_says_where_it_ends(chain: TaskRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_MOST_RUNS", 4)
    found = forecast_of(chain, END)
    assert found.until == NOON + 20 * MINUTE
    assert sum(map(len, found.moments.values())) == 4


def test_many_tasks_have_no_forecast(chain: TaskRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "MOST_SIMULATED", 1)
    assert forecast_of(chain, END) == Forecast(refusal="many")


def test_while_others_simulate_there_is_no_forecast(chain: TaskRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_PERMIT_SECONDS", 0.01)
    with runs._permits, runs._permits:
        assert forecast_of(chain, END) == Forecast(refusal="busy")
    assert forecast_of(chain, END).refusal is None


def test_a_forecast_is_kept_for_some_times_as_long_as_it_took(
    chain: TaskRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([0.0, 0.5, 5.0, 6.0, 6.5])
    monkeypatch.setattr(forecast, "monotonic", lambda: next(moments))
    first, second, third = (forecast_of(chain, END) for _ in range(3))
    assert first is second
    assert third is not second


def test_a_longer_time_has_a_forecast_of_its_own(chain: TaskRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "monotonic", iter(range(100)).__next__)
    forecast_of(chain, END)
    assert len(forecast_of(chain, END + 120 * MINUTE).moments["sink"]) == 10
