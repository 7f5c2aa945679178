// The editor of a task, with its preview.
