"""Lists of tasks: their pages, and their orders."""
