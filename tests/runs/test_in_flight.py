"""Runs in flight."""

import time
from datetime import datetime

from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.executors.call import Call
from est_alan_scheduler.runs.in_flight import RunsInFlight
from est_alan_scheduler.runs.run import Run, ThreadContext
from est_alan_scheduler.task import Task


def test_a_forked_child_wakes_threads_that_wait_for_a_run_to_end() -> None:
    in_flight, end = RunsInFlight(), Wakeup()
    in_flight.ends.append(end)
    assert in_flight.clear_after_fork() == []
    assert (end.wait(0), in_flight.ends) == (True, [end])


def test_runs_that_expire_together_do_so_in_the_order_of_their_deadlines() -> None:
    in_flight = RunsInFlight()
    for task_id, timeout in (("late", 0.04), ("early", 0.001)):
        task = Task(id=task_id, func=print, timeout=timeout)
        run = Run(task, datetime(2026, 6, 1), 0.0, None, 1, None, None, ThreadContext(), is_call=True)
        run.call = Call(print, (), {}, run, timeout)
        run.call.began_at = time.monotonic()
        in_flight.begin_call(run)
    time.sleep(0.045)
    assert [run.task.id for run in in_flight.expired()] == ["early", "late"]
