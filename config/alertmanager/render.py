#!/usr/bin/env python3
"""Prints alertmanager.yaml with the variables of the environment, as compose expands them.

Usage: render.py [FILE]
"""

import os
import pathlib
import sys


def expand(text):
    """Replaces ${A}, ${A:-default} and ${A:+value}. Defaults and values may contain variables and balanced braces."""
    out = ""
    while (at := text.find("${")) >= 0:
        depth, end = 1, at + 2
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        name, _, rest = text[at + 2:end - 1].partition(":")
        value = os.environ.get(name, "")
        if rest.startswith("-"):
            value = value or expand(rest[1:])
        elif rest.startswith("+"):
            value = value and expand(rest[1:])
        out, text = out + text[:at] + value, text[end:]
    return out + text


if __name__ == "__main__":
    file = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "alertmanager.yaml"
    sys.stdout.write(expand(file.read_text(encoding="utf-8")))
