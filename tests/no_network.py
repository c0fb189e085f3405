"""Connections forbidden by the kernel, to this process and all that it starts, native code included."""

from __future__ import annotations

import ctypes
import platform
import socket
import struct

# For each processor: what the kernel calls it, and the number of socket(2).
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def forbid_connections() -> bool:
    """Have SIGSYS end whoever makes a socket that is not local from now on; return whether this system can do that."""
    if platform.system() != "Linux" or platform.machine() not in _MACHINES:
        return False
    machine, number = _MACHINES[platform.machine()]
    instructions = (
        (_LOAD, 0, 0, 4),  # the processor
        (_JUMP_IF_EQUAL, 0, 5, machine),
        (_LOAD, 0, 0, 0),  # the number of the call
        (_JUMP_IF_EQUAL, 0, 3, number),
        (_LOAD, 0, 0, 16),  # its first argument, the domain
        (_JUMP_IF_EQUAL, 1, 0, socket.AF_UNIX),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_RETURN, 0, 0, _ALLOW),
    )
    program = _Program(len(instructions), b"".join(struct.pack("HBBI", *line) for line in instructions))
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program), 0, 0) == 0
