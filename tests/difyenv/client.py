# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""The telemetry of a process of Dify's API: serves requests, each with a model's span, exports everything and exits.

    python client.py APP_ID REQUESTS PROMPT_BYTES

It reads Dify's variables and nothing else. Its log is on stderr.
"""

import logging
import os
import sys

import sqlalchemy
from flask import Flask, jsonify
from opentelemetry import trace

import telemetry


def main(app_id, requests, prompt_bytes):
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    app = Flask("app")

    @app.get(f"/v1/apps/{app_id}")
    def answer():
        tracer = trace.get_tracer("core.app.workflow.layers.observability")
        attributes = {"dify.app_id": app_id, "node.type": "llm", "gen_ai.span.kind": "LLM", "gen_ai.prompt": "p" * prompt_bytes}
        with tracer.start_as_current_span("Ask the model", attributes=attributes):
            return jsonify(answer="yes")

    if os.environ.get("ENABLE_OTEL", "false") == "true":  # as Dify's extension asks first
        telemetry.instrument(app, sqlalchemy.create_engine("sqlite://"))
    client = app.test_client()
    for _ in range(requests):
        assert client.get(f"/v1/apps/{app_id}").status_code == 200
    # At exit both providers are shut down, which sends what is left.


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
