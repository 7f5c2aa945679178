"""Interrupts at any moment at which the interpreter runs signal handlers, one moment after the other."""

import ctypes
import dis
import gc
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from threading import get_ident
from types import CodeType, FrameType, FunctionType
from typing import Any

# The interpreter looks for signals after a call of C code, at the start of a Python function, and where a loop goes
# back: nowhere else. So a lock that `with` takes in C is released, and one that `acquire` returns may be lost.
_CHECKING = ("CALL", "JUMP_BACKWARD", "POP_JUMP_BACKWARD", "BEFORE_WITH", "FOR_ITER")

Place = tuple[str, int, int]  # the file, the line, the offset of the instruction in its function


class Interruption(BaseException):
    """What a signal handler raises."""


class Interrupter:
    """Lets a signal arrive at a chosen moment of the calls made within `watching`: in the code of some files only.

    The signal arrives just before an instruction after which the interpreter looks for it, and not within Python code
    of this class. So it is C code that sends it: it takes the place of the tracing function for the next instruction.
    """

    def __init__(self, is_watched: Callable[[str], bool]) -> None:
        self._is_watched = is_watched
        self._left = -1
        self._thread = get_ident()
        self.places: list[Place] | None = None
        """The moments so far, if they are to be collected."""
        self.arrived = False
        self.place: Place | None = None
        """Where the signal was sent, if it was."""
        self._codes: list[CodeType] = []

    def expect(self, moment: int | None) -> None:
        """Let the signal arrive at the moment of that number; None: count the moments only."""
        self._left, self.arrived, self.place = -1 if moment is None else moment, False, None
        self.places = [] if moment is None else None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count the moments of the calls made within, and interrupt the one that is chosen."""
        if self.arrived:
            yield
            return
        before, collects = signal.signal(signal.SIGINT, self._raise), gc.isenabled()
        gc.disable()  # callbacks of a garbage collection do not belong to the calls, and must not raise
        self._start()
        try:
            yield
        finally:
            self._stop()
            signal.signal(signal.SIGINT, before)
            if collects:
                gc.enable()

    def _raise(self, _number: int, frame: FrameType | None) -> None:
        self._stop()
        self.arrived = True
        raise Interruption

    def _is_moment(self, code: CodeType, offset: int) -> bool:
        """Return whether the signal is to be sent now; count the moment."""
        lines = _moments(code)
        if offset not in lines:
            return False
        place = code.co_filename, lines[offset], offset
        if self.places is not None:
            self.places.append(place)
            return False
        self._left -= 1
        if self._left == -1:
            self.place = place
        return self._left == -1

    if sys.version_info >= (3, 12):

        def _start(self) -> None:
            if not self._codes:
                sys.monitoring.use_tool_id(_TOOL, "interrupts")
                self._codes = [code for code in _all_codes() if self._is_watched(code.co_filename)]
                for code in self._codes:
                    sys.monitoring.set_local_events(_TOOL, code, _INSTRUCTION)
            sys.monitoring.register_callback(_TOOL, _INSTRUCTION, self._at_instruction)

        def _at_instruction(self, code: CodeType, offset: int) -> Any:
            if offset not in _moments(code):
                return sys.monitoring.DISABLE  # for ever: most instructions are no moments
            if get_ident() == self._thread and self._is_moment(code, offset):
                sys.monitoring.register_callback(_TOOL, _INSTRUCTION, _send)
            return None

        def _stop(self) -> None:
            sys.monitoring.register_callback(_TOOL, _INSTRUCTION, None)

        def close(self) -> None:
            """Let all code run at full speed again."""
            for code in self._codes:
                sys.monitoring.set_local_events(_TOOL, code, 0)
            if self._codes:
                sys.monitoring.free_tool_id(_TOOL)
            self._codes = []

    else:

        def _start(self) -> None:
            self._former = sys.gettrace()
            sys.settrace(self._trace)

        def _trace(self, frame: FrameType, _event: str, _: Any) -> Any:
            if not self._is_watched(frame.f_code.co_filename):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return self._trace_instruction

        def _trace_instruction(self, frame: FrameType, event: str, _: Any) -> None:
            if event == "opcode" and self._is_moment(frame.f_code, frame.f_lasti):
                frame.f_trace = _send

        def _stop(self) -> None:
            sys.settrace(self._former)

        def close(self) -> None:
            """Let all code run at full speed again."""


if sys.version_info >= (3, 12):
    _TOOL = 4  # no other tool has it
    _INSTRUCTION = sys.monitoring.events.INSTRUCTION
_arguments = [ctypes.py_object] * (2 if sys.version_info >= (3, 12) else 3)
_send: Any = ctypes.PYFUNCTYPE(None, *_arguments)(("PyErr_SetInterrupt", ctypes.pythonapi))  # it ignores its arguments


_known: dict[int, tuple[CodeType, dict[int, int]]] = {}  # by identity: the hash of a code object takes long


def _moments(code: CodeType) -> dict[int, int]:
    """Return the offsets, with the lines, of the instructions just before one after which signals are looked for."""
    known = _known.get(id(code))
    if known is None:
        bytecode = dis.Bytecode(code)
        found = {
            one.offset: (following.positions and following.positions.lineno) or code.co_firstlineno
            for one, following in pairwise(bytecode)
            if following.opname.startswith(_CHECKING) and not _is_uncovered(following, bytecode)
        }
        known = _known[id(code)] = code, found
    return known[1]


def _is_uncovered(instruction: dis.Instruction, bytecode: dis.Bytecode) -> bool:
    """Return whether an exception skips the `finally` of its block here: a fault of Python 3.13.0.

    It leaves the end of some loops out of the table of exceptions. No code can make up for that. A signal that comes
    where such a loop asks for its next item may be seen at its end.
    """
    if instruction.opname.startswith("FOR_ITER"):
        ends = [one for one in bytecode if "JUMP_BACKWARD" in one.opname and one.argval == instruction.offset]
        return any(_is_uncovered(end, bytecode) for end in ends)
    if "JUMP_BACKWARD" not in instruction.opname:
        return False
    entries: Any = bytecode.exception_entries  # type: ignore[attr-defined]  # unknown to typeshed
    begin, offset = instruction.argval, instruction.offset
    around = [entry for entry in entries if entry.start <= begin < entry.end]
    return bool(around) and not any(entry.start <= offset < entry.end for entry in entries)


def _all_codes() -> list[CodeType]:
    """Return the code of all functions that are loaded."""
    left = [found.__code__ for found in gc.get_objects() if type(found) is FunctionType]
    codes = dict[CodeType, None]()
    while left:
        code = left.pop()
        if code not in codes:
            codes[code] = None
            left += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return list(codes)
