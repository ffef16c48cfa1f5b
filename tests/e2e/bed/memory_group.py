"""A control group for the memory of one container, as every platform gives one.

Without it the kernel's count of processes killed for memory would be the whole machine's, and a test that uses up its
memory would look like one in every other.
"""

import os
import time

VERSION_1, VERSION_2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"


class MemoryGroup:
    """`folder` is None where no group can be made here; the container then does without."""

    def __init__(self, name, limit=None):
        self.folder, self.mount_point = None, None
        for root, path, counter, limiter in self._places():
            folder = os.path.join(root + path.rstrip("/"), name)
            try:
                os.mkdir(folder)
            except OSError:
                continue
            self.folder, self.mount_point = folder, root
            if os.path.exists(os.path.join(folder, counter)) and self._limit(limiter, limit):
                return
            self.remove()

    @staticmethod
    def _places():
        with open("/proc/self/cgroup") as file:
            groups = [line.rstrip("\n").split(":", 2) for line in file]
        for _, controllers, path in groups:
            if "memory" in controllers.split(","):
                yield VERSION_1, path, "memory.oom_control", "memory.limit_in_bytes"
            elif controllers == "":
                yield VERSION_2, path, "memory.events", "memory.max"

    def _limit(self, limiter, limit):
        if limit is None:
            return True
        try:
            with open(os.path.join(self.folder, limiter), "w") as file:
                file.write(str(limit))
            return True
        except OSError:
            return False

    def mounts(self):
        """What the container sees of it: its own group, at the usual place, read-only."""
        if self.folder is None:
            return []
        base = {"destination": VERSION_2, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}
        group = {"destination": self.mount_point, "type": "bind", "source": self.folder, "options": ["bind", "ro"]}
        return [group] if self.mount_point == VERSION_2 else [base, group]

    def kills(self):
        """Processes of the group that were killed for its limit."""
        for counter in ("memory.oom_control", "memory.events"):
            try:
                with open(os.path.join(self.folder or "/nonexistent", counter)) as file:
                    return int(dict(line.split() for line in file)["oom_kill"])
            except (OSError, KeyError):
                continue
        return 0

    def remove(self):
        for _ in range(100):
            if self.folder is None:
                return
            try:
                os.rmdir(self.folder)
                self.folder = None
            except FileNotFoundError:
                self.folder = None
            except OSError:  # its processes are still going
                time.sleep(0.02)
