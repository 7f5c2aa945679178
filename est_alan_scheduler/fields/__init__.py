"""Fields of a task: their checks, retries, their form in JSON."""
