#!/usr/bin/env python3
"""Writes dashboards/*.json. Run by `make generate`; needs the package grafana-foundation-sdk.

Usage: dashboards.py [FOLDER]

Thresholds are those of ../prometheus/rules, and metrics those of ../../docs/metrics.md; tests compare both. Counts over time are
rates, so that they do not depend on the zoom; totals are over the selected time range. A counter without a series is shown as 0
only where its data source reports something else: otherwise a panel has no data, and says so.
"""

import pathlib
import sys

from panels import (
    BYTES, BYTES_PER_SECOND, CODE_COLORS, COUNT, FAILED_RUNS, GREEN, LOGS, ORANGE, PER_MINUTE, PER_SECOND, PERCENT, RED,
    REQUESTS_PER_SECOND, SECONDS, STATUS_COLORS, TRACES, YELLOW, as_json, board, graph, number, query, rows, runbook, variable,
)

# Filters of the panels. A series without the label `installation` belongs to the only one.
IN = 'installation=~"$installation"'
ROLE = f'{IN}, dify_role=~"$role"'
APP = f'{IN}, dify_workspace_name=~"$workspace", dify_app_name=~"$app"'
LIVE = f'{APP}, dify_workflow_run_triggered_from!~".*debugging"'
QUEUE = f'{IN}, celery_queue=~"$queue"'

# Ranges of response times, with the bounds of Dify's buckets in milliseconds. Prometheus 3 writes 100 as 100.0.
SPANS = [
    ("up to 0.1 s", None, "100(\\\\.0)?"), ("0.1 to 0.5 s", "100(\\\\.0)?", "500(\\\\.0)?"), ("0.5 to 1 s", "500(\\\\.0)?", "1000(\\\\.0)?"),
    ("1 to 5 s", "1000(\\\\.0)?", "5000(\\\\.0)?"), ("more than 5 s", "5000(\\\\.0)?", "[+]Inf"),
]


def roles():
    return variable("role", "Role", f"label_values(http_server_duration_milliseconds_count{{{IN}}}, dify_role)")


def apps():
    return [
        variable("workspace", "Workspace", f"label_values(app_workflow_run_total{{{IN}}}, dify_workspace_name)"),
        variable("app", "App", f'label_values(app_workflow_run_total{{{IN}, dify_workspace_name=~"$workspace"}}, dify_app_name)'),
    ]


def or_zero(failed, total):
    """0 instead of nothing, if there is a total."""
    return f"({failed} or 0 * {total})"


def waiting(where):
    """The length of each queue that was not empty in the selected time range, and the sum of all."""
    length = f"celery_queue_length{{{where}}}"
    return (query(f"{length} and max_over_time({length}[$__range]) > 0", "{{celery_queue}}"),
            query(f"sum({length})", "all queues"))


def overview():
    runs, failed = f"sum(increase(app_workflow_run_total{{{IN}, dify_workflow_run_triggered_from!~\".*debugging\"}}[$__range]))", \
        f"sum(increase(app_workflow_run_failure_total{{{IN}, dify_workflow_run_triggered_from!~\".*debugging\"}}[$__range]))"
    return board(
        "dify-overview", "Dify at a glance", "Is Dify up, is it fast, does it fail, what does it cost, and what waits?", [], [
            number("Is it up?", "Parts of Dify that no longer report, of those that did in the last three days. 0 is good.", COUNT,
                   f"sum(dify:source:missing{{{IN}}})", limit=1, width=4, texts=[("0", "all up", GREEN)], links=[runbook("dify.md")]),
            number("Alerts", "Alerts that fire now.", COUNT,
                   f'count(ALERTS{{alertstate="firing", severity!="none", {IN}}}) or 0 * max(up{{{IN}}})', limit=1, width=4,
                   links=[runbook("README.md")]),
            number("Is it fast?", "95% of the requests of the last five minutes took less time than this; 10 s means 10 s or more. "
                   "Streaming runs count up to their first byte only.", SECONDS, f"max(api_response_time_p95{{{IN}}})", limit=5, warn=2,
                   width=4, links=[runbook("HighResponseTime.md"), ("Response time", "/d/dify-api-response-time")]),
            number("Run duration (p95)", "95% of the runs in the selected time range took less time than this.", SECONDS,
                   f"histogram_quantile(0.95, sum by (le) (rate(app_workflow_run_duration_seconds_bucket{{{IN}}}[$__range])))", width=4,
                   links=[runbook("dify.md#slowruns"), ("Runs", "/d/dify-workflows")]),
            number("Do requests fail?", "Share of requests that Dify's API answered with 5xx in the last five minutes.", PERCENT,
                   f"max(api_error_rate{{{IN}}})", limit=0.1, warn=0.01, width=4, decimals=1,
                   links=[runbook("HighAPIErrorRate.md"), ("Errors", "/d/dify-api-error-rate")]),
            number("Do runs fail?", "Share of the runs that failed in the last 15 minutes, without debugging runs.", PERCENT,
                   f"max(dify:workflow_failure_rate{{{IN}}})", limit=0.2, warn=0.05, width=4, decimals=1,
                   links=[runbook("WorkflowFailureRate.md"), ("Runs", "/d/dify-workflows")]),
            number("Runs", "Runs of workflows and chatflows that ended in the selected time range, without debugging runs.", COUNT, runs,
                   width=4, decimals=0),
            number("Failed runs", "Those of them that failed.", COUNT, or_zero(failed, runs), width=4, limit=1, decimals=0, links=[FAILED_RUNS]),
            number("What does it cost?", "Price of all model calls in the selected time range, as Dify calculates it, by currency.",
                   "currency:", f"sum by (dify_usage_currency) (increase(app_llm_cost_total{{{IN}}}[$__range]))", width=4, decimals=2,
                   legend="{{dify_usage_currency}}", links=[("Tokens and cost", "/d/dify-tokens")]),
            number("Tokens", "Tokens of all model calls in the selected time range.", COUNT,
                   f"sum(increase(app_llm_token_usage_total{{{IN}}}[$__range]))", width=4),
            number("What waits?", "Tasks in Dify's Celery queues now.", COUNT, f"sum(celery_queue_length{{{IN}}})", limit=100, warn=20,
                   width=4, links=[runbook("CeleryQueueBacklog.md"), ("Queues", "/d/dify-queues")]),
            number("Telemetry delay", "How old the newest run in OpenSearch is at most: how far workflow_log is behind.", SECONDS,
                   f"max(otelcol_workflow_log_checkpoint_age_seconds{{{IN}}})", limit=300, warn=60, width=4,
                   links=[runbook("pipeline.md#workflowlogbehind"), ("Pipeline", "/d/dify-pipeline")]),
            graph("Requests", "Requests to Dify's API per second, by status code.", REQUESTS_PER_SECOND, query(
                f"sum by (http_response_status_code) (rate(http_server_response_count_total{{{IN}}}[$__rate_interval]))",
                "{{http_response_status_code}}"), stack=True, colors=CODE_COLORS, links=[TRACES]),
            graph("Runs by status", "Ended runs per minute, by status.", PER_MINUTE, query(
                f"60 * sum by (dify_workflow_run_status) (rate(app_workflow_run_total{{{IN}}}[$__rate_interval]))",
                "{{dify_workflow_run_status}}"), stack=True, colors=STATUS_COLORS, links=[FAILED_RUNS]),
            graph("Response time and run duration (p95)", "The API's response time and the duration of runs.", SECONDS,
                  query(f"max(api_response_time_p95{{{IN}}})", "request"),
                  query(f"histogram_quantile(0.95, sum by (le) (rate(app_workflow_run_duration_seconds_bucket{{{IN}}}[$__rate_interval])))", "run")),
            graph("Waiting tasks", "Tasks in Dify's Celery queues: those that were not empty in the selected time range.", COUNT,
                  *waiting(IN), limit=100),
            rows("Parts of Dify", "A missing part reported in the last three days and no longer does.", COUNT,
                 f"dify:source:missing{{{IN}}}", "State", ["installation", "source"], limit=1, links=[runbook("dify.md")],
                 texts=[("0", "up", GREEN), ("1", "missing", RED)]),
            rows("Firing alerts", "Alerts that fire now; the row Watchdog shows that alerting works.", COUNT,
                 f'count by (alertname, severity, service) (ALERTS{{alertstate="firing"}})', "Count",
                 ["alertname", "severity", "service"], links=[runbook("README.md")]),
        ])


def response_time():
    buckets = f"http_server_duration_milliseconds_bucket{{{ROLE}}}"

    def quantile(q, by="dify_role"):
        return f"histogram_quantile({q}, sum by ({by}, le) (rate({buckets}[$__rate_interval]))) / 1000"

    def between(above, below):
        rates = [f'sum(rate(http_server_duration_milliseconds_bucket{{{ROLE}, le=~"{le}"}}[$__rate_interval]))' for le in (below, above) if le]
        return " - ".join(rates)

    book = runbook("HighResponseTime.md")
    return board(
        "dify-api-response-time", "Dify: API response time",
        "Response time of Dify's API. A streaming request ends with its first byte: see the run's duration instead.", [roles()], [
            number("p95", "95% of the requests of the last five minutes took less time; 10 s means 10 s or more.", SECONDS,
                   f"max(api_response_time_p95{{{ROLE}}})", limit=5, warn=2, links=[book]),
            number("Requests per second", "Requests that ended.", REQUESTS_PER_SECOND,
                   f"sum(rate(http_server_duration_milliseconds_count{{{ROLE}}}[$__rate_interval]))"),
            number("Active requests", "Requests in progress. Streaming requests no longer count after their first byte.", COUNT,
                   f"sum(http_server_active_requests{{{ROLE}}})"),
            number("Error rate (5xx)", "Share of the requests of the last five minutes that failed.", PERCENT,
                   f"max(api_error_rate{{{ROLE}}})", limit=0.1, warn=0.01, decimals=1, links=[runbook("HighAPIErrorRate.md")]),
            graph("p95 by role", "HighResponseTime fires when the value stays above the line for 10 minutes.", SECONDS,
                  query(f"api_response_time_p95{{{ROLE}}}", "{{dify_role}}"), limit=5, links=[book]),
            graph("p50, p90, p99", "Percentiles of all requests.", SECONDS,
                  *[query(quantile(q), f"p{round(q * 100)} {{{{dify_role}}}}", exemplar=q == 0.99) for q in (0.5, 0.9, 0.99)],
                  links=[TRACES]),
            graph("Slowest routes (p95)", "The ten slowest routes.", SECONDS,
                  query(f"topk(10, api_response_time_p95_by_route{{{ROLE}}})", "{{http_route}}"), limit=5, links=[TRACES]),
            graph("Requests by route", "The ten routes with most requests.", REQUESTS_PER_SECOND, query(
                f"topk(10, sum by (http_route) (rate(http_server_duration_milliseconds_count{{{ROLE}}}[$__rate_interval])))",
                "{{http_route}}"), stack=True),
            graph("Requests by duration", "Requests per second that took that long.", REQUESTS_PER_SECOND, *[
                query(between(above, below), name) for name, above, below in SPANS], stack=True, width=24, colors=dict(zip(
                    (name for name, _, _ in SPANS), (GREEN, "#96d98d", YELLOW, ORANGE, RED)))),
        ])


def error_rate():
    errors = f"http_server_error_count_total{{{ROLE}}}"
    book = runbook("HighAPIErrorRate.md")
    return board(
        "dify-api-error-rate", "Dify: API errors", "Requests to Dify's API that failed.", [roles()], [
            number("Error rate (5xx)", "Share of the requests of the last five minutes that failed.", PERCENT,
                   f"max(api_error_rate{{{ROLE}}})", limit=0.1, warn=0.01, decimals=1, links=[book]),
            number("4xx and 5xx per second", "Clients' and Dify's errors.", REQUESTS_PER_SECOND,
                   or_zero(f"sum(rate({errors}[$__rate_interval]))", f"sum(rate(http_server_response_count_total{{{ROLE}}}[$__rate_interval]))")),
            number("Requests per second", "All requests.", REQUESTS_PER_SECOND,
                   f"sum(rate(http_server_response_count_total{{{ROLE}}}[$__rate_interval]))"),
            number("p95", "95% of the requests of the last five minutes took less time.", SECONDS,
                   f"max(api_response_time_p95{{{ROLE}}})", limit=5, warn=2, links=[runbook("HighResponseTime.md")]),
            graph("Error rate (5xx) by role", "HighAPIErrorRate fires when the value stays above the line for 5 minutes.", PERCENT,
                  query(f"api_error_rate{{{ROLE}}}", "{{dify_role}}"), limit=0.1, largest=0.12, links=[book]),
            graph("Error rate (5xx) by route", "The ten routes with the highest share.", PERCENT,
                  query(f"topk(10, api_error_rate_by_route{{{ROLE}}})", "{{http_route}}"), limit=0.1, largest=0.12,
                  links=[TRACES]),
            graph("Responses by status code", "4xx are errors of clients, 5xx of Dify.", REQUESTS_PER_SECOND, query(
                f"sum by (http_response_status_code) (rate(http_server_response_count_total{{{ROLE}}}[$__rate_interval]))",
                "{{http_response_status_code}}"), stack=True, colors=CODE_COLORS, links=[LOGS]),
            rows("Errors in the selected time range", "4xx and 5xx by route.", COUNT,
                 f"sort_desc(sum by (http_response_status_code, http_request_method, http_route) (increase({errors}[$__range])) > 0)",
                 "Requests", ["http_response_status_code", "http_request_method", "http_route"], links=[TRACES]),
        ])


def system():
    who = "{{dify_role}} {{container_name}}{{process_executable_name}}"
    return board(
        "dify-system", "Dify: system resources", "CPU and memory of Dify's containers or processes; disk and network of the host; tables.",
        [], [
            graph("CPU usage, share of what it can use",
                  "A Python process can use one core. HighCPUUsage fires when the value stays above the line for 15 minutes.", PERCENT,
                  query(f"dify:cpu_usage:ratio{{{IN}}}", who), limit=0.8, largest=1, links=[runbook("HighCPUUsage.md")]),
            graph("Memory usage, share of the limit", "HighMemoryUsage fires when the value stays above the line for 15 minutes.", PERCENT,
                  query(f"dify:memory_utilization:ratio{{{IN}}}", who), limit=0.8, largest=1, links=[runbook("HighMemoryUsage.md")]),
            graph("Memory usage", "Without the page cache.", BYTES, query(f"process_memory_usage_bytes{{{IN}}}", who), stack=True),
            graph("Disk usage", "Share of each disk that is in use. Needs overlays/host.yaml.", PERCENT,
                  query(f"system_disk_usage_ratio{{{IN}}}", "{{mountpoint}}"), limit=0.9, largest=1, links=[runbook("pipeline.md#diskfilling")]),
            graph("Network traffic", "Of the host's interfaces. Needs overlays/host.yaml.", BYTES_PER_SECOND,
                  query(f"rate(system_network_io_bytes_total{{{IN}}}[$__rate_interval])", "{{device}} {{direction}}"), width=24),
            graph("Size of Dify's tables", "With indexes. Dify removes old rows only if its cleanup is on.", BYTES,
                  query(f"dify_database_table_size_bytes{{{IN}}}", "{{db_collection_name}}"), stack=True,
                  links=[runbook("pipeline.md#diskfilling")]),
            graph("Dead rows, share of the rows of a table", "Rows that autovacuum has not removed yet, of at least 1,000. PostgreSQL only.", PERCENT,
                  query(f'sum by (installation, db_collection_name) (dify_database_table_rows{{{IN}, state="dead"}})'
                        f' / clamp_min(sum by (installation, db_collection_name) (dify_database_table_rows{{{IN}}}), 1000)', "{{db_collection_name}}"),
                  largest=1, links=[runbook("pipeline.md#diskfilling")]),
        ])


def workflows():
    total, failed = f"app_workflow_run_total{{{APP}}}", f"app_workflow_run_failure_total{{{APP}}}"
    live, live_failed = f"app_workflow_run_total{{{LIVE}}}", f"app_workflow_run_failure_total{{{LIVE}}}"
    buckets = f"app_workflow_run_duration_seconds_bucket{{{APP}}}"
    names = ["dify_workspace_name", "dify_app_name"]
    by = ", ".join(names)

    def rate_of_failure(window):
        whole = f"sum(increase({live}[{window}]))"
        return f"{or_zero(f'sum(increase({live_failed}[{window}]))', whole)} / ({whole} > 0)"

    book = runbook("WorkflowFailureRate.md")
    return board(
        "dify-workflows", "Dify: workflow runs", "Ended runs of workflows and chatflows.", apps(), [
            number("Runs in the selected time range", "All runs that ended, with debugging runs.", COUNT, f"sum(increase({total}[$__range]))",
                   decimals=0),
            number("Failed runs in the selected time range", "With debugging runs.", COUNT,
                   or_zero(f"sum(increase({failed}[$__range]))", f"sum(increase({total}[$__range]))"), limit=1, decimals=0, links=[FAILED_RUNS]),
            number("Failure rate, 15 minutes", "Without debugging runs.", PERCENT, rate_of_failure("15m"), limit=0.2, warn=0.05,
                   decimals=1, links=[book]),
            number("Run duration (p95)", "Of the selected time range.", SECONDS,
                   f"histogram_quantile(0.95, sum by (le) (rate({buckets}[$__range])))", links=[runbook("dify.md#slowruns")]),
            graph("Runs by status", "Ended runs per minute.", PER_MINUTE, query(
                f"60 * sum by (dify_workflow_run_status) (rate({total}[$__rate_interval]))", "{{dify_workflow_run_status}}"), stack=True,
                  colors=STATUS_COLORS, links=[FAILED_RUNS]),
            graph("Failure rate, 15 minutes",
                  "Without debugging runs. WorkflowFailureRate fires when the value stays above the line for 30 minutes.", PERCENT,
                  query(rate_of_failure("15m"), "failure rate"), limit=0.2, largest=0.25, colors={"failure rate": ORANGE}, links=[book]),
            graph("Run duration", "Percentiles over all runs.", SECONDS, *[query(
                f"histogram_quantile({q}, sum by (le) (rate({buckets}[$__rate_interval])))", f"p{round(q * 100)}") for q in (0.5, 0.95)]),
            graph("Runs by trigger", "Ended runs per minute, by what started them.", PER_MINUTE, query(
                f"60 * sum by (dify_workflow_run_triggered_from) (rate({total}[$__rate_interval]))", "{{dify_workflow_run_triggered_from}}"),
                  stack=True),
            graph("Messages by status", "Replies of chat, agent and completion apps that ended, per minute. A failed one is answered with "
                  "status 200.", PER_MINUTE, query(
                      f"60 * sum by (dify_message_status) (rate(app_message_total{{{APP}}}[$__rate_interval]))", "{{dify_message_status}}"),
                  stack=True, colors={"normal": GREEN, "error": RED}, links=[FAILED_RUNS]),
            graph("Runs that wait for a person", "Paused runs, by the reason of the pause.", COUNT, query(
                f"sum by (dify_workflow_pause_reason) (app_workflow_run_waiting{{{IN}}})", "{{dify_workflow_pause_reason}}"),
                  links=[runbook("pipeline.md#stuckruns")]),
            rows("Failed runs by app", "Of the selected time range, with debugging runs.", COUNT,
                 f"topk(20, sum by ({by}) (increase({failed}[$__range])) > 0)", "Failed runs", names, links=[FAILED_RUNS]),
            rows("Slowest apps", "Mean duration of their runs in the selected time range.", SECONDS,
                 f"topk(20, sum by ({by}) (rate(app_workflow_run_duration_seconds_sum{{{APP}}}[$__range]))"
                 f" / (sum by ({by}) (rate(app_workflow_run_duration_seconds_count{{{APP}}}[$__range])) > 0))", "Mean duration", names),
        ], links=(FAILED_RUNS, TRACES))


def tokens():
    used, cost = f"app_llm_token_usage_total{{{APP}}}", f"app_llm_cost_total{{{APP}}}"
    names = ["dify_workspace_name", "dify_app_name"]
    return board(
        "dify-tokens", "Dify: tokens and cost", "Token usage of the models and its cost, as Dify calculates it.", apps(), [
            number("Tokens in the selected time range", "Input and output.", COUNT, f"sum(increase({used}[$__range]))", width=12),
            number("Cost in the selected time range", "By currency.", "currency:",
                   f"sum by (dify_usage_currency) (increase({cost}[$__range]))", width=12, decimals=2, legend="{{dify_usage_currency}}"),
            graph("Tokens by app", "Tokens per minute, the ten apps with most.", COUNT,
                  query(f"topk(10, 60 * sum by (dify_app_name) (rate({used}[$__rate_interval])))", "{{dify_app_name}}"), stack=True),
            graph("Tokens by model", "Tokens per minute. Dify does not store the model of plain workflows.", COUNT,
                  query('label_replace(60 * sum by (gen_ai_provider_name, gen_ai_request_model)'
                        f' (rate({used}[$__rate_interval])), "gen_ai_request_model", "model not stored", "gen_ai_request_model", "")',
                        "{{gen_ai_provider_name}} {{gen_ai_request_model}}"), stack=True),
            graph("Tokens by workspace", "Tokens per minute.", COUNT, query(
                f"60 * sum by (dify_workspace_name) (rate({used}[$__rate_interval]))", "{{dify_workspace_name}}"), stack=True),
            graph("Cost by app", "Cost per hour, the ten apps with most.", "currency:", query(
                f"topk(10, 3600 * sum by (dify_app_name, dify_usage_currency) (rate({cost}[$__rate_interval])))",
                "{{dify_app_name}} {{dify_usage_currency}}"), stack=True),
            rows("Cost of each app", "In the selected time range.", "currency:",
                 f"topk(20, sum by (dify_workspace_name, dify_app_name, dify_usage_currency) (increase({cost}[$__range])) > 0)", "Cost",
                 [*names, "dify_usage_currency"], width=24),
        ], links=(FAILED_RUNS, TRACES))


def models():
    calls = f"plugin_invocations_total{{{IN}}}"
    return board(
        "dify-models", "Dify: models and plugins", "Calls of models and tools, as Dify's plugin daemon counts them.", [], [
            graph("Calls by result", "Calls per minute.", PER_MINUTE, query(
                f"60 * sum by (operation, status) (rate({calls}[$__rate_interval]))", "{{operation}} {{status}}"), stack=True,
                  colors={"/success$/": GREEN, "/error$/": RED}),
            graph("Share of failed calls", "By plugin, in ten minutes. ModelErrors fires when the value stays above the line for 5 minutes.", PERCENT,
                  query(f"dify:plugin_error_rate{{{IN}}}", "{{plugin_id}} {{operation}}"), limit=0.2, largest=0.25,
                  links=[runbook("dify.md#modelerrors")]),
            graph("Duration of embedding calls", "Percentiles by provider.", SECONDS, *[query(
                f"histogram_quantile({q}, sum by (gen_ai_provider_name, le) (rate(app_embedding_duration_seconds_bucket{{{IN}}}[$__rate_interval])))",
                f"p{round(q * 100)} {{{{gen_ai_provider_name}}}}") for q in (0.5, 0.95)], width=24),
        ])


def queues():
    return board(
        "dify-queues", "Dify: Celery queues", "Tasks waiting in Dify's Celery queues. A queue that only grows has no worker that consumes it.",
        [variable("queue", "Queue", f"label_values(celery_queue_length{{{IN}}}, celery_queue)")], [
            number("Waiting tasks", "In the selected queues.", COUNT, f"sum(celery_queue_length{{{QUEUE}}})", width=8,
                   links=[runbook("CeleryQueueBacklog.md")]),
            number("Longest queue", "CeleryQueueBacklog fires above 100.", COUNT, f"max(celery_queue_length{{{QUEUE}}})", limit=100, warn=20, width=8),
            number("Without a consumer", "Of the selected queues: not empty for half an hour, and never shorter.", COUNT,
                   f"count((min_over_time(celery_queue_length{{{QUEUE}}}[30m]) > 0) and resets(celery_queue_length{{{QUEUE}}}[30m]) == 0)"
                   f" or 0 * max(celery_queue_length{{{QUEUE}}})", limit=1, width=8, links=[runbook("pipeline.md#queuenobodyreads")]),
            graph("Waiting tasks by queue", "The queues that were not empty in the selected time range. CeleryQueueBacklog fires when "
                  "one of them stays above the line for 5 minutes.", COUNT,
                  *waiting(QUEUE), limit=100, width=24),
            rows("Queues", "Tasks that wait now.", COUNT, f"sort_desc(celery_queue_length{{{QUEUE}}})", "Tasks", ["celery_queue"], limit=100),
            graph("Documents to index", "Documents of knowledge bases that are neither completed nor paused, by status.", COUNT,
                  query(f'sum by (dify_document_indexing_status) (dify_document_count{{{IN}, '
                        'dify_document_indexing_status!~"completed|paused"})', "{{dify_document_indexing_status}}"),
                  colors={"error": RED}, links=[runbook("dify.md#documentsfail")]),
            graph("Oldest document that is not indexed", "DocumentsStuck fires when it is older than an hour for half an hour.", SECONDS,
                  query(f'max by (dify_document_indexing_status) (dify_document_oldest_age_seconds{{{IN}, '
                        'dify_document_indexing_status=~"waiting|parsing|cleaning|splitting|indexing"})',
                        "{{dify_document_indexing_status}}"), limit=3600, links=[runbook("dify.md#documentsstuck")]),
            graph("Change of the queues", "Tasks per minute by which the queues grow or shrink, together.", PER_MINUTE,
                  query(f"60 * sum(deriv(celery_queue_length{{{QUEUE}}}[$__rate_interval]))", "all queues"), signed=True),
        ])


def worker():
    return board(
        "dify-workers", "Dify: workers", "What Dify's Celery workers do.", [], [
            number("Reserved tasks", "Tasks that workers have received and not acknowledged.", COUNT, f"sum(celery_queue_unacked{{{IN}}})", width=12),
            number("Tasks per minute", "Tasks that ended.", PER_MINUTE, f"60 * sum(rate(flower_task_runtime_seconds_count{{{IN}}}[$__rate_interval]))", width=12),
            graph("Task runtime (p95)", "The ten slowest tasks.", SECONDS, query(
                f"topk(10, histogram_quantile(0.95, sum by (task, le) (rate(flower_task_runtime_seconds_bucket{{{IN}}}[$__rate_interval]))))", "{{task}}")),
            graph("Ended tasks", "Per minute, the ten most frequent.", PER_MINUTE, query(
                f"topk(10, 60 * sum by (task) (rate(flower_task_runtime_seconds_count{{{IN}}}[$__rate_interval])))", "{{task}}"), stack=True),
        ])


def pipeline():
    def per(label, name):
        return f"sum by ({label}) (rate(otelcol_{name}_total{{{IN}}}[$__rate_interval]))"

    def of_all_signals(label, name):
        # `or` merges series with equal labels, so each gets its signal as a label.
        rates = (f'label_replace(rate(otelcol_{name}_{signal}_total{{{IN}}}[$__rate_interval]), "signal", "{signal}", "", "")'
                 for signal in ("log_records", "spans", "metric_points"))
        return f"sum by ({label}, signal) ({' or '.join(rates)})"

    usage = f"otelcol_exporter_queue_size{{{IN}}} / otelcol_exporter_queue_capacity{{{IN}}}"
    return board(
        "dify-pipeline", "Dify: telemetry pipeline", "From Dify to the back ends: what is received, sent, queued and dropped.", [], [
            number("Collectors up", "Collectors that Prometheus can scrape.", COUNT, f'sum(up{{job="otelcol-dify", {IN}}})', limit=1, low=True,
                   links=[runbook("pipeline.md#collectordown")]),
            number("Fullest queue", "A full queue refuses data or, for Sentry, drops it.", PERCENT, f"max({usage})", limit=0.8, warn=0.5,
                   decimals=1,
                   links=[runbook("pipeline.md#exportqueuefilling")]),
            number("Delay of workflow runs", "How far workflow_log is behind.", SECONDS,
                   f"max(otelcol_workflow_log_checkpoint_age_seconds{{{IN}}})", limit=300, warn=60, links=[runbook("pipeline.md#workflowlogbehind")]),
            number("Requests blocked by OpenSearch", "Requests that are retried now.", COUNT,
                   f"sum(otelcol_opensearch_bulk_blocked_requests{{{IN}}})", limit=1, links=[runbook("pipeline.md#opensearchholds")]),
            graph("Received", "Accepted items by receiver.", PER_SECOND, query(of_all_signals("receiver", "receiver_accepted"), "{{receiver}} {{signal}}")),
            graph("Sent", "Delivered items by exporter.", PER_SECOND, query(of_all_signals("exporter", "exporter_sent"), "{{exporter}} {{signal}}")),
            graph("Refused and failed", "Items that a receiver refused, or that an exporter could not deliver.", PER_SECOND,
                  query(of_all_signals("receiver", "receiver_refused"), "refused: {{receiver}} {{signal}}"),
                  query(of_all_signals("exporter", "exporter_send_failed"), "failed: {{exporter}} {{signal}}"), colors={"/^failed/": RED},
                  links=[runbook("pipeline.md#refuseddata")]),
            graph("Queue usage", "ExportQueueFilling fires when the value stays above the line for 10 minutes.", PERCENT, query(
                usage, "{{exporter}} {{data_type}}"), limit=0.8, largest=1),
            graph("Documents by outcome", "What became of the documents for OpenSearch.", PER_SECOND,
                  query(per("outcome", "opensearch_bulk_items"), "{{outcome}}"), colors=STATUS_COLORS),
            graph("Noise dropped by rule", "Items that a rule of dify_filter names.", PER_SECOND, query(per("rule", "dify_filter_dropped_items"), "{{rule}}")),
            graph("Accepted by Sentry", "Items by category.", PER_SECOND, query(per("category", "exporter_sentry_sent"), "{{category}}")),
            graph("Not sent to Sentry by reason", "Reasons such as ignored and sample_rate are configured; others are losses.", PER_SECOND,
                  query(per("reason", "exporter_sentry_discarded"), "{{reason}}"), links=[runbook("pipeline.md#sentrydiscards")]),
            graph("Runs read from the database by outcome", "Runs that workflow_log processed.", PER_SECOND,
                  query(per("outcome", "workflow_log_runs"), "{{outcome}}"), colors=STATUS_COLORS),
            graph("Collector memory", "Resident memory.", BYTES, query(f"otelcol_process_memory_rss_bytes{{{IN}}}", "{{instance}}")),
        ])


BOARDS = [overview, response_time, error_rate, system, workflows, tokens, models, queues, worker, pipeline]


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "dashboards"
    for make in BOARDS:
        made = make()
        (folder / f"{made.uid}.json").write_text(as_json(made), encoding="utf-8")


if __name__ == "__main__":
    main()
