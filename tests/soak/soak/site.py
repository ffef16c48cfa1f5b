"""A static site that changes from job to job: files come, change and go."""

BUILD = """
sleep 0.$(($$ % 3))
setsid sleep 600 </dev/null >/dev/null 2>&1 &
mkdir dist
cp -R site/. dist/
seq 1 300
"""


class Site:
    def __init__(self, rng):
        self.rng = rng
        self.files = {"index.html": self._page(), "style.css": self._page()}
        for _ in range(25):
            self._add()

    def _page(self):
        return f"<p>{self.rng.getrandbits(64):x}</p>\n".encode() * self.rng.randint(1, 400)

    def _add(self):
        folder = self.rng.choice(["", "assets/", "guide/", "guide/deep/"])
        suffix = self.rng.choice(["html", "js", "css", "png"])
        self.files[f"{folder}f{self.rng.getrandbits(32):08x}.{suffix}"] = self._page()

    def change(self):
        """The next version: {path: bytes}."""
        names = sorted(self.files)
        for name in self.rng.sample(names, self.rng.randint(0, 5)):
            self.files[name] = self._page()
        for name in self.rng.sample([n for n in names if n != "index.html"], self.rng.randint(0, 3)):
            del self.files[name]
        while len(self.files) < 26 or self.rng.random() < 0.5:
            self._add()
        return dict(self.files)


def repository_files(files):
    return {**{f"site/{path}": data for path, data in files.items()}, "build.sh": BUILD}
