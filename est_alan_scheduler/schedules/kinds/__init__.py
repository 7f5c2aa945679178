"""The kinds of schedules, one a file, and the table of them."""
