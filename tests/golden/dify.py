# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""Dify's instrumentation from 1.3 to 1.16 in one small application. DIFY_VERSION selects the version.

    python dify.py                              the API, on APP_PORT
    celery --app dify:celery_app worker …       the worker

main.go runs both, sends requests, and keeps what OpenTelemetry exported. Each feature depends on the version
that introduced it. Names, attributes and pitfalls are Dify's; the traffic is chosen so that each of them is shown once.
"""

import contextvars
import functools
import json
import logging
import os
import signal
import sys

import flask
import httpx
import redis
import sqlalchemy
from celery import Celery
from opentelemetry import context, metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.propagate import set_global_textmap
from opentelemetry.propagators import b3
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

VERSION = os.environ["DIFY_VERSION"]
COMMIT = "0123abc"
TENANT = "7d4b1f0e-0000-4000-8000-000000000001"
APP = "7d4b1f0e-0000-4000-8000-000000000002"
WORKFLOW = "7d4b1f0e-0000-4000-8000-000000000003"
USER = "7d4b1f0e-0000-4000-8000-000000000004"
RUN = "7d4b1f0e-0000-4000-8000-000000000005"
FAILED_RUN = "7d4b1f0e-0000-4000-8000-000000000006"
# The text of langfuse._utils.parse_error.defaultErrorResponse.
LANGFUSE = "Unexpected error occurred. Please check your request and contact support: https://langfuse.com/support."
QUEUE = "workflow_based_app_execution"

IS_CELERY = "celery" in sys.argv[0]
flask_app = flask.Flask("app")
celery_app = Celery("app", broker=os.environ["CELERY_BROKER_URL"])
celery_app.conf.update(
    task_ignore_result=True, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False
)
engine = sqlalchemy.create_engine(os.environ["DATABASE_URL"])
cache = redis.Redis.from_url(os.environ["CELERY_BROKER_URL"].rsplit("/", 1)[0] + "/0")
logger = logging.getLogger("services.demo")


def since(version):
    return tuple(map(int, VERSION.split("."))) >= tuple(map(int, version.split(".")))


def resource():
    environment = "deployment.environment.name" if since("1.13.1") else "deployment.environment"
    return Resource(
        attributes={
            "service.name": "langgenius/dify",
            "service.version": f"dify-{VERSION}-{COMMIT}",
            "process.pid": os.getpid(),
            environment: "PRODUCTION-SELF_HOSTED",
            "host.name": "dify-worker" if IS_CELERY else "dify-api",
            "host.arch": "x86_64",
            "custom.deployment.git_commit": COMMIT,
            "host.id": "dify-worker" if IS_CELERY else "dify-api",
            "os.type": "linux",
            "os.description": "Linux-6.1.0-18-amd64-x86_64-with-glibc2.36",
            "os.version": "#1 SMP",
        }
    )


class ExceptionSpanHandler(logging.Handler):
    """Up to 1.11.2: a separate span for each record with an exception."""

    def emit(self, record):
        if not record.exc_info:
            return
        tracer = trace.get_tracer_provider().get_tracer("dify.exception.logging")
        with tracer.start_as_current_span("log.exception", attributes=log_attributes(record)) as span:
            span.set_status(StatusCode.ERROR)
            span.record_exception(record.exc_info[1])
            span.set_attribute("exception.type", record.exc_info[0].__name__)
            span.set_attribute("exception.message", str(record.exc_info[1]))


class ExceptionEventHandler(logging.Handler):
    """Since 1.11.3: events and the status of the current span."""

    def emit(self, record):
        span = trace.get_current_span()
        if not record.exc_info or not span.is_recording():
            return
        span.set_status(StatusCode.ERROR, record.getMessage())
        span.add_event("log.exception", attributes=log_attributes(record))
        span.record_exception(record.exc_info[1])
        span.set_attribute("exception.type", record.exc_info[0].__name__)


def log_attributes(record):
    return {
        "log.level": record.levelname,
        "log.message": record.getMessage(),
        "log.logger": record.name,
        "log.file.path": record.pathname,
        "log.file.line": record.lineno,
    }


def response_hook(counter):
    def hook(span, status, _headers):
        if not span or not span.is_recording():
            return
        if status.startswith("2"):
            span.set_status(StatusCode.OK)
        else:
            span.set_status(StatusCode.ERROR, status)
        code = int(status.split(" ")[0])
        attributes = {"status_code": code, "status_class": f"{code // 100}xx"}
        if since("1.4.0"):
            target, method = ("http.route", "http.request.method") if since("1.13.1") else ("http.target", "http.method")
            if flask.request.url_rule:
                attributes[target] = flask.request.url_rule.rule
            attributes[method] = flask.request.method
        counter.add(1, attributes)

    return hook


def instrument():
    base = os.environ["OTLP_BASE_ENDPOINT"]
    tracer_provider = TracerProvider(resource=resource())
    tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=base + "/v1/traces")))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=base + "/v1/metrics"), 3600_000)
    trace.set_tracer_provider(tracer_provider)
    metrics.set_meter_provider(MeterProvider(resource=resource(), metric_readers=[reader]))
    multi = b3.B3MultiFormat() if since("1.13.1") else b3.B3Format()
    set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), multi]))
    logging.getLogger().addHandler(ExceptionEventHandler() if since("1.11.3") else ExceptionSpanHandler())
    if IS_CELERY:
        from celery.signals import worker_init

        worker_init.connect(lambda *_args, **_kwargs: CeleryInstrumentor().instrument(), weak=False)
    else:
        counter = metrics.get_meter("http_metrics", version=VERSION).create_counter(
            "http.server.response.count", description="Total number of HTTP responses", unit="{response}"
        )
        FlaskInstrumentor().instrument_app(flask_app, response_hook=response_hook(counter))
        CeleryInstrumentor().instrument()
    SQLAlchemyInstrumentor().instrument(enable_commenter=True, engines=[engine])
    if since("1.7.2"):
        RedisInstrumentor().instrument()
        HTTPXClientInstrumentor().instrument()


def traced(name, version, **more):
    """Dify's decorator span, from the version that has it."""

    def decorator(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            if not since(version):
                return function(*args, **kwargs)
            attributes = {
                "dify.app_id": APP,
                "dify.tenant_id": TENANT,
                "gen_ai.user.id": USER,
                "dify.streaming": False,
                "dify.workflow_id": WORKFLOW,
                **{key.replace("__", "."): value for key, value in more.items()},
            }
            tracer = trace.get_tracer("extensions.otel.decorators.base")
            with tracer.start_as_current_span(name, attributes=attributes) as span:
                result = function(*args, **kwargs)
                span.set_status(StatusCode.OK)
                return result

        return wrapper

    return decorator


def node(title, kind, span_kind, **rich):
    """A node's span: named by its title since 1.11.2, with content since 1.12.0."""
    if not since("1.11.2"):
        return trace.use_span(trace.get_current_span(), record_exception=False, set_status_on_exception=False)
    number = sum(map(ord, kind))
    attributes = {
        "node.id": f"17000000{number:05}",
        "node.execution_id": f"7d4b1f0e-0000-4000-9000-{number:012}",
        "node.type": kind,
    }
    if since("1.12.0"):
        attributes |= {"gen_ai.framework": "dify", "gen_ai.span.kind": span_kind}
        attributes |= {key.replace("__", "."): value for key, value in rich.items()}
    return trace.get_tracer("core.app.workflow.layers.observability").start_as_current_span(title, attributes=attributes)


class PluginDaemonInnerError(Exception):
    pass


def langfuse_trouble():
    try:
        raise RuntimeError(LANGFUSE)
    except RuntimeError as error:
        logger.exception("%s", error)


def detach_trouble():
    """OpenTelemetry's own "Failed to detach context": a token that was created in another context."""
    token = contextvars.copy_context().run(lambda: context.attach(context.set_value("streaming", True)))
    context.detach(token)


@traced("core.app.apps.workflow.app_runner.WorkflowAppRunner.run", "1.11.0")
def run_workflow(run, fail):
    start = json.dumps({"sys.user_id": "mail@example.org", "sys.workflow_run_id": run, "q": "what the user asked"})
    with node("Beginn", "start", "TASK", input__value='{"q": "what the user asked"}', output__value=start):
        pass
    with node("Find the answer", "knowledge-retrieval", "RETRIEVER", retrieval__query="what the user asked",
              retrieval__document='[{"content": "a secret page"}]'):
        retrieve()
    with node("Ask 智者", "llm", "LLM", input__value="what the user asked", output__value="what the model said",
              gen_ai__request__model="gpt-4o-mini", gen_ai__provider__name="langgenius/openai/openai",
              gen_ai__usage__input_tokens=11, gen_ai__usage__output_tokens=31, gen_ai__usage__total_tokens=42,
              gen_ai__prompt="what the user asked", gen_ai__completion="what the model said",
              gen_ai__input__messages="[]", gen_ai__output__messages='[{"content": "what the model said"}]'):
        ask(fail)
    with node("Weather", "tool", "TOOL", gen_ai__tool__name="Weather", gen_ai__tool__type="builtin",
              gen_ai__tool__call__arguments='{"city": "Ulm"}', gen_ai__tool__call__result="rain"):
        httpx.get(os.environ["APP_URL"] + "/v1/weather?city=Ulm&api_key=abcdef0123456789")
    if since("1.16.0"):
        trace.get_current_span().set_attribute("dify.workflow.abort.reason", "stopped by user")
        trace.get_current_span().add_event("dify.workflow.aborted", {"dify.workflow.abort.reason": "stopped by user"})


@traced("core.rag.retrieval.dataset_retrieval.DatasetRetrieval.retrieve", "1.16.1")
def retrieve():
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT 'mail@example.org' AS who, CAST(:app AS uuid) AS app"), {"app": APP})


def ask(fail):
    cache.get("provider_model_credentials:" + TENANT)
    if fail:
        try:
            {}["model"]
        except KeyError as error:
            raise PluginDaemonInnerError("401 for Authorization: Bearer app-0123456789abcdefABCDEF01") from error


@celery_app.task(name="tasks.app_generate.workflow_execute_task.workflow_based_app_execution_task", queue=QUEUE)
def execute(run):
    run_workflow(run, fail=False)
    detach_trouble()


@celery_app.task(name="tasks.ops_trace_task.process_trace_tasks", queue="ops_trace")
def ops_trace(_info):
    langfuse_trouble()


@celery_app.task(name="tasks.document_indexing_task.document_indexing_task", queue="dataset")
def index_document(document):
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT content FROM no_such_table WHERE id = :id"), {"id": document})


def log_in():
    """Sets the caller from an API key, as Dify's login hook does."""
    if flask.request.headers.get("Authorization") != "Bearer app-0123456789abcdefABCDEF01":
        return
    span = trace.get_current_span()
    old = not since("1.10.2")
    span.set_attribute("service.tenant.id" if old else "dify.tenant_id", TENANT)
    span.set_attribute("service.user.id" if old else "gen_ai.user.id", USER)


@flask_app.get("/health")
def health():
    return {"status": "ok"}


@flask_app.get("/v1/weather")
def weather():
    return {"weather": "rain"}


@flask_app.get("/v1/info")
def info():
    if "Authorization" not in flask.request.headers:
        flask.abort(401)
    return {"name": "demo"}


@flask_app.get("/v1/lock")
def lock():
    """redis-py releases a lock by a script that Redis does not know yet."""
    cache.script_flush()
    with cache.lock("lock"):
        pass
    return {}


@flask_app.post("/v1/workflows/run")
@traced("services.app_generate_service.AppGenerateService.generate", "1.11.0", dify__user_type="EndUser")
def workflows_run():
    body = flask.request.json
    if body.get("fail"):
        run_workflow(FAILED_RUN, fail=True)
    elif since("1.13.0"):
        execute.delay(RUN)
    else:
        run_workflow(RUN, fail=False)
        detach_trouble()
    ops_trace.delay({"file_id": "1"})
    return {"workflow_run_id": RUN}


@flask_app.post("/v1/datasets")
def datasets():
    index_document.delay("a document of mail@example.org")
    raise ValueError("name 'what the user asked' is taken")


@flask_app.errorhandler(ValueError)
def invalid_param(error):
    logger.exception("value_error in request handler", exc_info=error)
    return {"code": "invalid_param", "status": 400}, 400


@flask_app.errorhandler(PluginDaemonInnerError)
def internal_error(error):
    logger.exception("Internal server error", exc_info=error)
    return {"code": "internal_server_error", "status": 500}, 500


logging.basicConfig(level=logging.INFO)
instrument()
flask_app.before_request(log_in)  # after the instrumentation, which opens the span
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(0))  # so that what is left is exported
    flask_app.run("127.0.0.1", int(os.environ["APP_PORT"]), threaded=True)
