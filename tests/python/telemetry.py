# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry set up as in Dify, including its pitfalls, which the collector has to handle."""

import atexit
import logging
import os
import platform
import socket
import sys

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GRPCMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GRPCSpanExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HTTPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HTTPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.propagate import set_global_textmap
from opentelemetry.propagators.b3 import B3MultiFormat
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

VERSION = "1.16.1"
COMMIT = "0123abc"


def is_celery() -> bool:
    return "celery" in sys.argv[0]


def _resource() -> Resource:
    # The bare constructor: no telemetry.sdk.*, no service.instance.id, and OTEL_RESOURCE_ATTRIBUTES is not read.
    pid = {} if os.environ.get("APP_WITHOUT_PID") else {"process.pid": os.getpid()}
    return Resource(
        attributes={
            **pid,
            "service.name": os.environ.get("APPLICATION_NAME", "langgenius/dify"),
            "service.version": f"dify-{VERSION}-{COMMIT}",
            "deployment.environment.name": os.environ.get("DEPLOY_ENV", "PRODUCTION") + "-COMMUNITY",
            "host.name": socket.gethostname(),
            "host.arch": platform.machine(),
            "custom.deployment.git_commit": COMMIT,
            "host.id": socket.gethostname(),
            "os.type": platform.system().lower(),
            "os.description": platform.platform(),
            "os.version": platform.version(),
        }
    )


def _exporters():
    if os.environ.get("OTEL_EXPORTER_TYPE", "otlp") != "otlp":
        return ConsoleSpanExporter(), ConsoleMetricExporter()
    base = os.environ.get("OTLP_BASE_ENDPOINT", "http://localhost:4318")
    key = os.environ.get("OTLP_API_KEY", "")
    if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc":
        headers = (("authorization", f"Bearer {key}"),) if key else None
        options = {"endpoint": base, "headers": headers, "insecure": not base.startswith("https://")}
        return GRPCSpanExporter(**options), GRPCMetricExporter(**options)
    headers = {"Authorization": f"Bearer {key}"} if key else None
    traces = os.environ.get("OTLP_TRACE_ENDPOINT") or base + "/v1/traces"
    measures = os.environ.get("OTLP_METRIC_ENDPOINT") or base + "/v1/metrics"
    return HTTPSpanExporter(endpoint=traces, headers=headers), HTTPMetricExporter(endpoint=measures, headers=headers)


def _milliseconds(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


def _providers() -> None:
    resource = _resource()
    spans, measures = _exporters()
    tracer_provider = TracerProvider(
        resource=resource,
        sampler=ParentBasedTraceIdRatio(float(os.environ.get("OTEL_SAMPLING_RATE", "1.0"))),
    )
    tracer_provider.add_span_processor(
        BatchSpanProcessor(
            spans,
            max_queue_size=int(os.environ.get("OTEL_MAX_QUEUE_SIZE", 2048)),
            schedule_delay_millis=_milliseconds("OTEL_BATCH_EXPORT_SCHEDULE_DELAY", 5000),
            max_export_batch_size=int(os.environ.get("OTEL_MAX_EXPORT_BATCH_SIZE", 512)),
            export_timeout_millis=_milliseconds("OTEL_BATCH_EXPORT_TIMEOUT", 10000),
        )
    )
    reader = PeriodicExportingMetricReader(
        measures,
        export_interval_millis=_milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60000),
        export_timeout_millis=_milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", 30000),
    )
    meter_provider = MeterProvider(resource=resource, metric_readers=[reader])
    if os.environ.get("APP_OTLP_LOGS"):
        _send_logs(resource)
    trace.set_tracer_provider(tracer_provider)
    metrics.set_meter_provider(meter_provider)
    set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), B3MultiFormat()]))
    atexit.register(tracer_provider.shutdown)
    atexit.register(meter_provider.shutdown)


def _send_logs(resource) -> None:
    """Exports the log over OTLP, with the trace of each line. Dify itself does not do this."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider(resource=resource)
    exporter = OTLPLogExporter(endpoint=os.environ["OTLP_BASE_ENDPOINT"] + "/v1/logs")
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=500))
    logging.getLogger().addHandler(LoggingHandler(logging.ERROR, provider))
    atexit.register(provider.shutdown)


class ExceptionLoggingHandler(logging.Handler):
    """Each log record with an exception sets the current span's status, and records the exception there."""

    def emit(self, record: logging.LogRecord) -> None:
        span = get_current_span()
        if not record.exc_info or record.exc_info[1] is None or not span.is_recording():
            return
        span.set_status(Status(StatusCode.ERROR, record.getMessage()))
        span.add_event(
            "log.exception",
            {
                "log.level": record.levelname,
                "log.message": record.getMessage(),
                "log.logger": record.name,
                "log.file.path": record.pathname,
                "log.file.line": record.lineno,
            },
        )
        span.record_exception(record.exc_info[1])
        span.set_attribute("exception.type", record.exc_info[0].__name__)


def _response_hook(counter):
    def hook(span, status: str, _headers: list) -> None:
        # Two pitfalls of Dify: only sampled requests are counted, and every status except 2xx is an error.
        if not span or not span.is_recording():
            return
        if status.startswith("2"):
            span.set_status(StatusCode.OK)
        else:
            span.set_status(StatusCode.ERROR, status)
        code = status.split(" ")[0]
        attributes = span.attributes or {}
        counter.add(
            1,
            {
                "status_code": int(code),
                "status_class": code[0] + "xx",
                "http.route": str(attributes.get("http.route", "")),
                "http.request.method": str(attributes.get("http.method", "")),
            },
        )

    return hook


def instrument(app, engine) -> None:
    """Sets everything up in this process. gunicorn calls it once per worker, through the application's factory."""
    _providers()
    logging.getLogger().addHandler(ExceptionLoggingHandler())
    if is_celery():
        from celery.signals import worker_init

        worker_init.connect(lambda *_args, **_kwargs: CeleryInstrumentor().instrument(), weak=False)
    else:
        counter = metrics.get_meter("http_metrics", version=VERSION).create_counter(
            "http.server.response.count",
            description="Total number of HTTP responses by status code, method and target",
            unit="{response}",
        )
        FlaskInstrumentor().instrument_app(app, response_hook=_response_hook(counter))
        CeleryInstrumentor().instrument()
    SQLAlchemyInstrumentor().instrument(enable_commenter=True, engines=[engine])
    RedisInstrumentor().instrument()
    HTTPXClientInstrumentor().instrument()
