"""Input transformers of EventBridge, as its user guide documents them."""

import json
import re


def look_up(path, made):
    here = made
    for name, index in re.findall(r"\.([A-Za-z_-]+)|\[(\d+)\]", path):
        try:
            here = here[name] if name else here[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    return here


def transform(transformer, made):
    """What the target gets of the event `made`. Within quotes a value stands as text, elsewhere as JSON; what the event
    lacks is empty text."""
    values = {name: look_up(path, made) for name, path in transformer["input_paths"].items()}

    def put(match):
        text = transformer["input_template"][:match.start()]
        inside = len(re.findall(r'(?<!\\)"', text)) % 2 == 1
        value = values[match[1]]
        if inside:
            return "" if value is None else str(value)
        return json.dumps("" if value is None else value)

    return re.sub(r"<(\w+)>", put, transformer["input_template"])
