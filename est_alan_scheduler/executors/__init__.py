"""Calls of functions: the call, the worker's side of it, pools, the event loop, and capacity."""
