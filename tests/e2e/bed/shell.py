"""A shell in which the commands of a document are typed, one block after the other."""

import os
import subprocess
import uuid


class Shell:
    """It ends with the first command that fails; its variables and its folder are kept from block to block."""

    def __init__(self, folder, environment):
        self.folder, self.count = folder, 0
        self.errors = open(os.path.join(folder, "shell.log"), "w+b")
        self.process = subprocess.Popen(["bash", "-euo", "pipefail"], cwd=folder, env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)

    def run(self, text):
        """What it printed on standard output."""
        self.count += 1
        path, end = os.path.join(self.folder, f"block-{self.count}.sh"), uuid.uuid4().hex
        with open(path, "w") as file:
            file.write(text)
        self.process.stdin.write(f". {path} </dev/null\nprintf '\\n%s\\n' {end}\n")
        self.process.stdin.flush()
        printed = []
        for line in self.process.stdout:
            if line.strip() == end:
                return "".join(printed)
            printed.append(line)
        raise AssertionError(f"the shell ended with {self.process.wait()}:\n{text}\n-- printed\n{''.join(printed)}\n"
                             f"-- standard error\n{self.said()}")

    def said(self):
        self.errors.flush()
        with open(self.errors.name) as file:
            return file.read()[-6000:]

    def close(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()
