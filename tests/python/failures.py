# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""Ways in which Dify fails, with Dify's own Sentry setup, so that the SDK and the telemetry report the same failure.

    POST /v1/failures/KIND      fails in the request
    POST /v1/failures/task      fails in a Celery task
"""

import logging
import os

import httpx
import sentry_sdk
from flask import Blueprint, abort, current_app, jsonify
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.flask import FlaskIntegration
from werkzeug.exceptions import HTTPException

import telemetry

LANGFUSE = "Unexpected error occurred. Please check your request and contact support: https://langfuse.com/support."

logger = logging.getLogger("core.plugin.impl.base")
blueprint = Blueprint("failures", __name__)


class PluginDaemonInnerError(Exception):
    def __init__(self, code, message):
        self.code = code
        self.message = message


class InvokeRateLimitError(Exception):
    pass


def init_sentry():
    """As Dify's api/extensions/ext_sentry.py does."""
    if not os.environ.get("SENTRY_DSN"):
        return

    def before_send(event, hint):
        if "exc_info" in hint and LANGFUSE in str(hint["exc_info"][1]):
            return None
        return event

    sentry_sdk.init(
        dsn=os.environ["SENTRY_DSN"],
        integrations=[FlaskIntegration(), CeleryIntegration()],
        ignore_errors=[HTTPException, ValueError, FileNotFoundError, InvokeRateLimitError, LANGFUSE],
        traces_sample_rate=float(os.environ.get("SENTRY_TRACES_SAMPLE_RATE", "1.0")),
        profiles_sample_rate=float(os.environ.get("SENTRY_PROFILES_SAMPLE_RATE", "1.0")),
        environment=os.environ.get("DEPLOY_ENV", "PRODUCTION"),
        release=f"dify-{telemetry.VERSION}-{telemetry.COMMIT}",
        before_send=before_send,
    )


def lookup(table):
    return table["model"]


def nested():
    try:
        lookup({})
    except KeyError as error:
        raise RuntimeError("no model for 7d4b1f0e-0000-4000-8000-000000000001") from error


def plugin_daemon():
    """The plugin daemon does not listen: logged where it happens, raised again as another class."""
    try:
        httpx.post("http://127.0.0.1:1/plugin/dispatch")
    except httpx.RequestError as error:
        logger.exception("Request to Plugin Daemon Service failed")
        raise PluginDaemonInnerError(code=-500, message="Request to Plugin Daemon Service failed") from error


def unhandled():
    nested()


def logged():
    try:
        nested()
    except RuntimeError:
        logger.exception("Unknown Error when workflow entry running")


def logged_twice():
    """Recorded where it is noticed and where the request is handled."""
    try:
        nested()
    except RuntimeError as error:
        logger.exception("Failed to run node")
        logging.getLogger("app_factory").error("Failed to run workflow", exc_info=error)


def group():
    members = []
    for f in (nested, lambda: lookup({})):
        try:
            f()
        except Exception as error:
            members.append(error)
    try:
        raise ExceptionGroup("two nodes failed", members)
    except ExceptionGroup:
        logger.exception("Parallel branches failed")


def value_error():
    raise ValueError("Workflow not published")


def json_error():
    try:
        httpx.Response(200, text="{bad").json()
    except ValueError:
        logger.exception("Failed to parse the answer")


def rate_limit():
    try:
        raise InvokeRateLimitError("quota")
    except InvokeRateLimitError:
        logger.exception("Rate limit")


def not_found():
    abort(404)


def langfuse():
    try:
        raise RuntimeError(LANGFUSE)
    except RuntimeError:
        logger.exception("Error occurred in Langfuse: %s", LANGFUSE)


def message():
    """An error line without an exception."""
    logger.error("Node %s failed with %s strategy", "code", "ABORT")


KINDS = {
    f.__name__: f
    for f in (
        plugin_daemon, unhandled, logged, logged_twice, group, value_error, json_error, rate_limit, not_found, langfuse,
        message,
    )
}


@blueprint.post("/v1/failures/<kind>")
def fail(kind):
    if kind == "task":
        current_app.extensions["failing_task"].delay()
    else:
        KINDS[kind]()
    return jsonify(kind=kind)


def register(flask_app, celery_app, queue):
    """Adds the routes and the task to an application."""
    flask_app.register_blueprint(blueprint)

    @celery_app.task(name="tasks.failing_task", queue=queue)
    def failing_task():
        nested()

    flask_app.extensions["failing_task"] = failing_task

    @flask_app.errorhandler(PluginDaemonInnerError)
    def bad_gateway(error):
        return jsonify(code="plugin_daemon", status=502), 502

    @flask_app.errorhandler(ValueError)
    def bad_request(error):
        flask_app.logger.warning("value_error in request handler", exc_info=error)
        return jsonify(code="invalid_param", status=400), 400
