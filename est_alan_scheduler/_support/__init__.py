"""Support: logging, waking a waiting thread, the interpreter around us, short texts. It knows no task."""
