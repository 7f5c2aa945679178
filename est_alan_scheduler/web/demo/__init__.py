"""The demo of the page: a dozen tasks that live, fail, wait and retry, without files and network."""
