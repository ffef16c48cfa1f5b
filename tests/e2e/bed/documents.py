"""Documents whose code is run: the fenced blocks of a Markdown file, and whether what a command printed is what the
document says."""

import re
from dataclasses import dataclass

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)
REST = "…"  # a line of its own: any lines; at the end of a line: the rest of it
# What differs from run to run, and is one word in both texts. The order matters.
CHANGING = [
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<commit>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<task>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b(subnet|vpc|sg|acl)-[0-9a-f]{8,17}\b"), r"<\1>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "<time>"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|min)\b"), "<seconds>"),
    (re.compile(r"\b\d+(\.\d+)? [KMG]iB\b"), "<size>"),
]


@dataclass
class Block:
    section: str  # the heading above
    language: str
    text: str
    line: int


def blocks(path):
    """All of them, in order."""
    text = path.read_text()
    headings = [(match.start(), match[2]) for match in HEADING.finditer(FENCE.sub(lambda m: " " * len(m[0]), text))]
    return [Block(next((title for start, title in reversed(headings) if start < match.start()), ""), match[1], match[2],
                  text.count("\n", 0, match.start()) + 1) for match in FENCE.finditer(text)]


def section(path, title):
    """The text below a heading, up to the next one of its rank or above."""
    text = path.read_text()
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, f"{path.name} has no section {title!r}"
    end = re.search(rf"^#{{1,{len(found[1])}}} ", text[found.end():], re.MULTILINE)
    return text[found.end():found.end() + end.start()] if end else text[found.end():]


def plain(text):
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def differences(printed, documented):
    """What the document says was printed, and was not: lines, in their order."""
    lines, missing, position, skipping = plain(printed), [], 0, False
    for wanted in plain(documented):
        if wanted.strip() == REST:
            skipping = True
            continue
        here = [at for at in range(position, len(lines)) if same(lines[at], wanted)]
        if not here or (not skipping and here[0] != position):
            missing.append(f"{wanted!r}, where {lines[position:position + 1]} was printed")
        position = here[0] + 1 if here else position
        skipping = False
    if not skipping and position < len(lines) and not missing:
        missing.append(f"nothing more, where {lines[position:position + 3]} was printed")
    return missing


def same(line, wanted):
    return line.startswith(wanted[:-1].rstrip()) if wanted.endswith(REST) else line == wanted
