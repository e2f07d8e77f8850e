"""Starts programs whose arguments just fit without our variables, in all ways."""

import ctypes
import os
import subprocess

PROGRAM = "/bin/true"
OURS = ("LD_PRELOAD", "WATCHFIRE_SESSION")
SYS_EXECVE, AT_FDCWD = 59, -100

libc = ctypes.CDLL(None)
full = dict(os.environ)
bare = {name: value for name, value in full.items() if name not in OURS}


def arguments(size):
    return [PROGRAM] + ["x" * 100000] * 15 + ["x" * 1000] * (size // 1000) + [
        "x" * (size % 1000)]


def fits(size):
    try:
        return subprocess.run(arguments(size), env=bare)
    except OSError:
        return None


def most():
    low, high = 0, 10**6
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low - 64  # the file's name may take some more


def array(words):
    encoded = [word.encode() for word in words]
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


words = arguments(most())
argv = array(words)
envp = array(f"{name}={value}" for name, value in full.items())
path = PROGRAM.encode()


def in_child(start):
    child = os.fork()
    if child == 0:
        try:
            start()
        finally:
            os._exit(99)
    return child


WAYS = {
    "execve": lambda: in_child(lambda: os.execve(PROGRAM, words, full)),
    "execvpe": lambda: in_child(lambda: libc.execvpe(path, argv, envp)),
    "fexecve": lambda: in_child(lambda: os.execve(
        os.open(PROGRAM, os.O_RDONLY), words, full)),
    "execveat": lambda: in_child(lambda: libc.execveat(
        AT_FDCWD, path, argv, envp, 0)),
    "syscall": lambda: in_child(lambda: libc.syscall(
        SYS_EXECVE, path, argv, envp)),
    "posix_spawn": lambda: os.posix_spawn(PROGRAM, words, full),
    "posix_spawnp": lambda: os.posix_spawnp("true", words, full),
}
for name, start in WAYS.items():
    try:
        print(name, os.waitpid(start(), 0)[1])
    except OSError as error:
        print(name, error.strerror)
