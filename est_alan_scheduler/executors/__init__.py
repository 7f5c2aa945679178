"""Calls of functions: the call, the side of the worker, pools, the event loop, free capacity."""
