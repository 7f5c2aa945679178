"""Support without any knowledge of tasks: the log, wakeups of threads, the interpreter, short texts."""
