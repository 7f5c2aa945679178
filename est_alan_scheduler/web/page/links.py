"""Links from one page to another, relative to the site."""

from urllib.parse import urlencode


def query_of(**values: str) -> str:
    """Return a query with its question mark. Halves of surrogate pairs, which lead nowhere, do not hinder it."""
    return "?" + urlencode(values, errors="surrogatepass")


def task_link(task_id: str) -> str:
    """Return the link to the page of a task."""
    return "task" + query_of(id=task_id)


def edit_link(task_id: str) -> str:
    """Return the link to the editor of a task."""
    return "edit" + query_of(id=task_id)


def tag_link(tag: str) -> str:
    """Return the link to the tasks that have a tag."""
    return "./" + query_of(tag=tag)
