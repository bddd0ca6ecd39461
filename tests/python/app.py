# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""A small application with the telemetry of Dify: Flask under gunicorn, tasks in Celery, spans with Dify's names.

    gunicorn --config gunicorn.conf.py app:flask_app
    celery --app app:celery_app worker --pool gevent --queues workflow_based_app_execution
    python app.py enqueue QUEUE COUNT           tasks without a consumer, for a backlog

It reads Dify's variables (DB_*, CELERY_BROKER_URL, OTLP_*, OTEL_*).
"""

import functools
import json
import logging
import os
import sys
import time
import uuid

import httpx
import redis
import sqlalchemy
from celery import Celery
from flask import Flask, jsonify, request
from opentelemetry import trace

import failures
import telemetry

QUEUE = "workflow_based_app_execution"
TENANT = "7d4b1f0e-0000-4000-8000-000000000001"
APP = "7d4b1f0e-0000-4000-8000-000000000002"
WORKFLOW = "7d4b1f0e-0000-4000-8000-000000000003"
USER = "7d4b1f0e-0000-4000-8000-000000000004"
# Is part of all user content; the tests search for it in what arrives.
CONTENT = "user-content-that-must-not-arrive"

flask_app = Flask("app")
celery_app = Celery("app", broker=os.environ["CELERY_BROKER_URL"])
celery_app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
celery_app.conf.beat_schedule = {
    "poll": {"task": "schedule.workflow_schedule_task.poll_workflow_schedules", "schedule": 1.0}
}
failures.register(flask_app, celery_app, QUEUE)
engine = sqlalchemy.create_engine(
    sqlalchemy.URL.create(
        "postgresql+psycopg2",
        username=os.environ.get("DB_USERNAME", "postgres"),
        password=os.environ.get("DB_PASSWORD", ""),
        host=os.environ.get("DB_HOST", "localhost"),
        port=int(os.environ.get("DB_PORT", "5432")),
        database=os.environ.get("DB_DATABASE", "dify"),
    )
)
cache = redis.Redis.from_url(os.environ["CELERY_BROKER_URL"].rsplit("/", 1)[0] + "/0")


class PluginDaemonInnerError(Exception):
    pass


def traced(name):
    """A span around a method, named as Dify's decorator names it."""

    def decorator(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            tracer = trace.get_tracer("extensions.otel.decorators.base")
            attributes = {
                "dify.app_id": APP,
                "dify.tenant_id": TENANT,
                "gen_ai.user.id": USER,
                "dify.streaming": False,
                "dify.workflow_id": WORKFLOW,
            }
            with tracer.start_as_current_span(name, attributes=attributes):
                return function(*args, **kwargs)

        return wrapper

    return decorator


def node(title, kind, **attributes):
    tracer = trace.get_tracer("core.app.workflow.layers.observability")
    attributes = {
        "node.id": "1700000000000",
        "node.execution_id": str(uuid.uuid4()),
        "gen_ai.framework": "dify",
        "gen_ai.span.kind": kind,
        **{key.replace("__", "."): value for key, value in attributes.items()},
    }
    return tracer.start_as_current_span(title, attributes=attributes)


@traced("core.app.apps.workflow.app_runner.WorkflowAppRunner.run")
def run_workflow(run_id, model_seconds=0):
    outputs = json.dumps({"sys.workflow_run_id": run_id, "query": CONTENT})
    with node("Start here", "TASK", node__type="start", **{"output.value": outputs}):
        pass
    with node("Ask the model", "LLM", node__type="llm", **{"input.value": CONTENT, "output.value": CONTENT}) as span:
        span.set_attributes(
            {
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.provider.name": "openai",
                "gen_ai.usage.input_tokens": 11,
                "gen_ai.usage.output_tokens": 31,
                "gen_ai.usage.total_tokens": 42,
                "gen_ai.prompt": CONTENT,
                "gen_ai.completion": CONTENT,
                "gen_ai.input.messages": "[]",
                "gen_ai.output.messages": "[]",
            }
        )
        time.sleep(model_seconds)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT :n"), {"n": 1})
        cache.get("provider_model_credentials:" + TENANT)
    with node("Fetch", "TASK", node__type="http-request"):
        httpx.get(os.environ["APP_HTTP_TARGET"] + "?token=" + CONTENT)
    with node("End", "TASK", node__type="end"):
        pass


@traced("core.app.apps.workflow.app_runner.WorkflowAppRunner.run")
def fail_workflow():
    try:
        {}["model"]
    except KeyError as error:
        raise PluginDaemonInnerError("plugin daemon is not reachable") from error


@celery_app.task(name="tasks.app_generate.workflow_execute_task.workflow_based_app_execution_task", queue=QUEUE)
def execute(run_id, model_seconds=0):
    run_workflow(run_id, model_seconds)


@celery_app.task(name="tasks.backlog", queue=QUEUE)
def backlog():
    pass


@celery_app.task(name="schedule.workflow_schedule_task.poll_workflow_schedules", queue="schedule_poller")
def poll():
    pass


@celery_app.task(name="tasks.document_indexing_task.document_indexing_task", queue="dataset")
def index(seconds):
    time.sleep(seconds)


@flask_app.get("/health")
def health():
    return jsonify(pid=os.getpid(), status="ok", version=telemetry.VERSION)


@flask_app.get("/v1/info")
def info():
    return jsonify(name="demo", pid=os.getpid())


@flask_app.route("/v1/slow", methods=["GET", "POST"])
def slow():
    seconds, where = float(request.args["seconds"]), request.args.get("where")
    if where == "database":
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT pg_sleep(:n)"), {"n": seconds})
    elif where == "plugin":
        httpx.post(os.environ["APP_HTTP_TARGET"].replace("/health", f"/v1/slow?seconds={seconds}"), timeout=60)
    else:
        time.sleep(seconds)
    return jsonify(pid=os.getpid())


@flask_app.post("/v1/workflows/run")
@traced("services.app_generate_service.AppGenerateService.generate")
def workflows_run():
    run_id = str(uuid.uuid4())
    trace.get_current_span().set_attribute("dify.user_type", "EndUser")
    if request.json.get("response_mode") == "streaming":
        execute.delay(run_id, request.json.get("model_seconds", 0))  # since 1.13.0 the worker runs what is streamed
    else:
        run_workflow(run_id)
    return jsonify(workflow_run_id=run_id, trace_id=f"{trace.get_current_span().get_span_context().trace_id:032x}")


@flask_app.post("/v1/datasets/document")
def create_document():
    index.delay(request.json["seconds"])
    return jsonify(pid=os.getpid())


@flask_app.post("/v1/workflows/fail")
@traced("services.app_generate_service.AppGenerateService.generate")
def workflows_fail():
    fail_workflow()


@flask_app.errorhandler(PluginDaemonInnerError)
def internal_error(error):
    flask_app.logger.error("Internal server error", exc_info=error)
    return jsonify(code="internal_server_error", status=500), 500


def enqueue(queue, count):
    for _ in range(count):
        backlog.apply_async(queue=queue)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] != "enqueue":
        sys.exit(__doc__)
    enqueue(sys.argv[2], int(sys.argv[3]))
else:
    logging.basicConfig(level=logging.INFO)
    failures.init_sentry()
    telemetry.instrument(flask_app, engine)
