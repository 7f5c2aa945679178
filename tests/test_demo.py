"""The demo of `python -m est_alan_scheduler.scheduler`."""

import pytest
from freezegun import freeze_time

from est_alan_scheduler import TaskRegistry, demo


def test_the_demo_runs_its_tasks_for_ten_seconds_and_prints_their_outcomes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with freeze_time("2026-06-01 12:00:00") as frozen:
        monkeypatch.setattr("time.sleep", frozen.tick)
        demo.main(TaskRegistry())
    out = capsys.readouterr().out
    assert [out.count(line) for line in ("add(10, 20) = 30\n", "multiply(7, 8) = 56\n", "log: One-off")] == [5, 1, 1]
    assert out.endswith(
        "\nmultiply: success, 1 run(s)\n  12:00:00  success  result=56\n"
        "\nlog: success, 1 run(s)\n  12:00:05  success  result=None\n"
    )
