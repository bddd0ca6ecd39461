# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""Checks payloads for Sentry with Sentry's own code: its normalizer and its SDK's envelope parser.

Each line on stdin is an object with "event", the text of an event or a transaction, or with "envelope", a whole envelope in
base64. The response to each is a line: the list of errors, as JSON. The normalizer reports a removed value (err), a cut or
replaced one (rem, len), or a refused transaction.
"""

import base64
import json
import sys

from sentry_relay.processing import StoreNormalizer
from sentry_sdk.envelope import Envelope

COMPLAINTS = ("err", "rem", "len")
EVENTS = ("event", "transaction")


def complaints(meta, path=""):
    """Yields each error: _meta mirrors the event and has errors under the key ""."""
    if not isinstance(meta, dict):
        return
    own = meta.get("") or {}
    for kind in COMPLAINTS:
        if kind in own:
            yield f"{path}: {kind} {json.dumps(own[kind])}, value {json.dumps(own.get('val'))}"
    for key, inner in meta.items():
        if key:
            yield from complaints(inner, f"{path}.{key}" if path else key)


def judge_event(text):
    normalizer = StoreNormalizer(project_id=1, enable_trimming=True, normalize_spans=True)
    event_id = json.loads(text).get("event_id")
    try:
        event = normalizer.normalize_event(raw_event=text)
    except Exception as error:  # its message is followed by a native stack
        return [f"{event_id} refused: {str(error).splitlines()[0]}"]
    return [f"{event_id} {what}" for what in complaints(event.get("_meta") or {})]


def judge_envelope(body):
    """The parser itself is not strict: what it read must match the headers."""
    envelope = Envelope.deserialize(body)
    found, events = [], 0
    if "sent_at" not in envelope.headers:
        found.append("no sent_at in the envelope's header")
    for item in envelope.items:
        payload = item.payload.get_bytes()
        if item.payload.json is None and len(payload) != item.headers.get("length"):
            found.append(f"{item.type} of {len(payload)} bytes with the header {item.headers}")
        document = json.loads(payload)
        if item.type in EVENTS:
            events += 1
            if (document.get("type") or "event") != item.type or item.data_category not in ("error", "transaction"):
                found.append(f"{item.type} holds a {document.get('type')}")
            if document["event_id"] != envelope.headers.get("event_id"):
                found.append(f"event {document['event_id']} in an envelope of {envelope.headers.get('event_id')}")
            found += judge_event(payload.decode())
        elif item.type == "log" and item.headers.get("item_count") != len(document["items"]):
            found.append(f"{len(document['items'])} logs with the header {item.headers}")
    if events > 1:
        found.append(f"{events} events in one envelope")
    return found


def main():
    for line in sys.stdin:
        case = json.loads(line)
        found = judge_event(case["event"]) if "event" in case else judge_envelope(base64.b64decode(case["envelope"]))
        print(json.dumps(found), flush=True)


main()
