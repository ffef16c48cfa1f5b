"""Runs one server for whoever uses it, and ends it with its last user, also when that one was killed.

    keeper.py FOLDER WORD...     the server's command; FOLDER belongs to this server alone

FOLDER/users is a file that every user holds locked, shared: once nobody does the server is killed. FOLDER/alive is
locked for as long as the server lives, FOLDER/pid says its process group.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time


def lock(path, how):
    """The open file, or None when another holds it."""
    file = open(path, "a")
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
        return file
    except BlockingIOError:
        file.close()
        return None


PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def await_group(group):
    """All of it, for a server's command is often a script that started it: what one of them listens on is closed
    when that one is over, not when the script is."""
    while True:
        try:
            os.waitpid(-group, 0)
        except ChildProcessError:
            return


def main(folder, *command):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    alive = lock(os.path.join(folder, "alive"), fcntl.LOCK_EX)
    assert alive, f"there is a server in {folder} already"
    unused = None
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    with open(os.path.join(folder, "pid"), "w") as file:
        file.write(str(server.pid))
    while server.poll() is None:
        if unused := lock(os.path.join(folder, "users"), fcntl.LOCK_EX):
            break  # held until all is over: who comes now waits, and starts another
        time.sleep(0.1)
    try:
        os.killpg(server.pid, signal.SIGKILL)  # with the children that it has, or left
    except ProcessLookupError:
        pass
    server.wait()
    await_group(server.pid)
    del alive, unused


if __name__ == "__main__":
    main(*sys.argv[1:])
