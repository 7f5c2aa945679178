// Actions on tasks: run, pause, resume, remove, and the pause of all.
