"""The page, with a dozen tasks that live, fail, wait and retry: a demo without files and network.

    pip install ".[web,cron]"                 # in a clone; without cron, one of the tasks has another schedule
    python examples/dashboard.py              # the same as: python -m est_alan_scheduler.web
    python examples/dashboard.py --port 8080

It prints one line, the address with its token, and serves until Ctrl+C:

    The tasks are at http://127.0.0.1:8765/?token=…

What there is to see: a backup that fails, with its traceback; orders that go through a chain of tasks with a fan-out; a
task that waits for a retry, one that waits for a task that nobody has registered, one that runs most of the time, one
that is paused; times in Seoul and Berlin. Edit a schedule, run a task now, pause all, switch to Korean or to the dark.
"""

from est_alan_scheduler.web.demo.program import main

if __name__ == "__main__":
    main()
