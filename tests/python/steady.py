# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""Steady traffic from OpenTelemetry's SDK, set up as in Dify, without any server: a trace, a count and a line a second.

    python steady.py NAME FILE SECONDS          until SIGTERM

The file has a line for each span and each log record, when it has ended: "span" and its document's ID, or "line" and its
text. At the end a last line has "count" and the count.
"""

import logging
import signal
import sys
import threading

from opentelemetry import metrics, trace

import telemetry


def main(name: str, path: str, seconds: float) -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    telemetry._providers()
    tracer = trace.get_tracer("extensions.otel.decorators.base")
    meter = metrics.get_meter("steady", version=telemetry.VERSION)
    counter = meter.create_counter("steady.turns")
    duration = meter.create_histogram("steady.duration", unit="ms")
    log = logging.getLogger("steady")
    turns = 0
    with open(path, "w", buffering=1, encoding="utf-8") as file:
        while not stopped.wait(seconds):
            spans = []
            with tracer.start_as_current_span("services.app_generate_service.AppGenerateService.generate") as root:
                spans.append(root)
                for child in ("Start here", "Ask the model", "End"):
                    with tracer.start_as_current_span(child, attributes={"gen_ai.framework": "dify"}) as span:
                        spans.append(span)
                line = f"steady {name} {turns}"
                log.error(line)
            turns += 1
            counter.add(1, {"steady": name})
            duration.record(turns % 100, {"steady": name})
            for span in spans:
                context = span.get_span_context()
                file.write(f"span {context.trace_id:032x}-{context.span_id:016x}\n")
            file.write(f"line {line}\n")
        file.write(f"count {turns}\n")
    # The providers export the rest at the exit.


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
