# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""Gives events and transactions, one JSON a line on stdin, to Sentry's own normaliser and prints what it objects to.

Exit code 1 if it removed a value (err), cut or replaced one (rem, len), or refused a transaction.
"""

import json
import sys

from sentry_relay.processing import StoreNormalizer

COMPLAINTS = ("err", "rem", "len")


def complaints(meta, path=""):
    """Yields (path, what) for each objection: _meta mirrors the event, objections stand under the key ""."""
    if not isinstance(meta, dict):
        return
    own = meta.get("") or {}
    for kind in COMPLAINTS:
        if kind in own:
            yield path, f"{kind} {json.dumps(own[kind])}, value {json.dumps(own.get('val'))}"
    for key, inner in meta.items():
        if key:
            yield from complaints(inner, f"{path}.{key}" if path else key)


def check(text):
    normalizer = StoreNormalizer(project_id=1, enable_trimming=True, normalize_spans=True)
    try:
        event = normalizer.normalize_event(raw_event=text)
    except Exception as error:  # its message is followed by a native stack
        return [("", f"refused: {str(error).splitlines()[0]}")]
    return list(complaints(event.get("_meta") or {}))


def main():
    failed = count = 0
    for line in filter(None, map(str.strip, sys.stdin)):
        count += 1
        for path, what in check(line):
            failed += 1
            print(f"{json.loads(line).get('event_id')}: {path}: {what}")
    print(f"{count} checked, {failed} complaints")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
