#!/usr/bin/env python3
"""messages.py SOURCE: every error that the program can set, from its sources: class, reason, message, hint.

The list is kept in tests/vectors/error-messages.txt, so that a change of what people read at night shows in a review
and every message can be read in one sitting. Update: tests/build/messages.py . > tests/vectors/error-messages.txt
"""
import pathlib
import re
import sys

CALL = re.compile(r"\berror_(set|set_errno|hint)\(")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def arguments(text, start):
    """The arguments of the call whose "(" ends at start, split at top-level commas."""
    depth, inside, begin, parts, i = 1, False, start, [], start
    while depth:
        char = text[i]
        if inside:
            if char == "\\":
                i += 1
            elif char == '"':
                inside = False
        elif char == '"':
            inside = True
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        if (depth == 1 and char == "," and not inside) or depth == 0:
            parts.append(text[begin:i].strip())
            begin = i + 1
        i += 1
    return parts


def words(argument):
    literals = LITERAL.findall(argument)
    if not literals:
        return " ".join(argument.split())
    return "".join(literals) if argument.lstrip().startswith('"') else " | ".join(literals)


def messages(root):
    found = set()
    for path in sorted(pathlib.Path(root, "src").rglob("*.c")):
        text = path.read_text()
        for call in CALL.finditer(text):
            if text.rfind("\n", 0, call.start()) + 1 == call.start() or path.name == "error.c":
                continue
            parts = arguments(text, call.end())
            if call[1] == "hint":
                found.add(f"{path.parent.name}  hint  {words(parts[1])}")
            else:
                at = 4 if call[1] == "set_errno" else 3
                end = ": (errno)" if call[1] == "set_errno" else ""
                found.add(f"{path.parent.name}  {words(parts[1])}  {words(parts[2])}  {words(parts[at])}{end}")
    return sorted(found)


if __name__ == "__main__":
    print("\n".join(messages(sys.argv[1])))
