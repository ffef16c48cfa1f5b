"""What /proc says of processes."""

import os
import threading


def peak_kib(pid):
    """Peak resident memory of a process that lives, in KiB; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def children_of(parent):
    """Ids of the processes whose parent it is; orphans are those of their subreaper."""
    found = set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.add(int(name))
    return found


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return f"{pid}: {file.read().replace(bytes(1), b' ').decode(errors='replace')}"
    except OSError:
        return str(pid)


class OurMemory:
    """Peak memory of our processes in a container, those that run the program of its PID 1, while it is watched. Those
    of another container have a file system, and so a program, of their own."""

    def __init__(self, container):
        self.pid, self.peaks, self.done = container.pid(), {}, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self.done.wait(0.05):
            try:
                with open(f"/proc/{self.pid}/comm", encoding="ascii", errors="replace") as name:
                    if name.read() != "caisson\n":
                        continue  # before it is the program
                program = os.stat(f"/proc/{self.pid}/exe")
            except OSError:
                continue  # after its end
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    if os.path.samestat(os.stat(f"/proc/{pid}/exe"), program):
                        self.peaks[int(pid)] = max(self.peaks.get(int(pid), 0), peak_kib(pid))
                except OSError:
                    continue  # it has ended

    def stop(self):
        """Of the largest, in MiB."""
        self.done.set()
        self.thread.join()
        return max(self.peaks.values(), default=0) / 1024

    def of_pid_1(self):
        return self.peaks.get(self.pid, 0) / 1024

    def of_workers(self):
        """Of the largest process that is not PID 1."""
        return max((peak for pid, peak in self.peaks.items() if pid != self.pid), default=0) / 1024
