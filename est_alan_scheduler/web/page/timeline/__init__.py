"""The contents of the timeline: which tasks it shows, their runs, and their slots to come. Nothing here draws."""
