#!/usr/bin/env python3
"""Writes dashboards/*.json. Run by `make generate`; needs the package grafana-foundation-sdk.

Usage: dashboards.py [FOLDER]

Thresholds are those of ../prometheus/rules/alerts.yaml, and metrics those of ../../docs/metrics.md; tests compare both.
"""

import pathlib
import string
import sys

from grafana_foundation_sdk.builders import common as common_builder
from grafana_foundation_sdk.builders import dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model

PROMETHEUS = model.DataSourceRef(type_val="prometheus", uid="prometheus")
LOGS = "http://localhost:5601/app/data-explorer/discover"

# Filters of the panels over requests and over runs.
ROLE = 'dify_role=~"$role"'
APP = 'dify_workspace_name=~"$workspace", dify_app_name=~"$app"'

PERCENT, SECONDS, MILLISECONDS, BYTES, BYTES_PER_SECOND, PER_SECOND, COUNT = (
    "percentunit", "s", "ms", "bytes", "Bps", "reqps", "short",
)


def query(expr, legend="", exemplar=False, instant=False, as_table=False):
    q = prometheus.Dataquery().expr(expr).datasource(PROMETHEUS).legend_format(legend or "__auto").ref_id("A")
    if exemplar:
        q = q.exemplar(True)
    if instant:
        q = q.instant()
    if as_table:
        q = q.format("table")
    return q


def limits(limit):
    """Green below the limit of an alert and red above it; all green without a limit."""
    steps = [model.Threshold(value=None, color="green")]
    if limit is not None:
        steps.append(model.Threshold(value=limit, color="red"))
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def graph(title, unit, *queries, limit=None, width=12, stack=False, description=""):
    p = (
        timeseries.Panel().title(title).description(description).datasource(PROMETHEUS).unit(unit).min(0).span(width).height(8)
        .thresholds(limits(limit)).fill_opacity(10)
        .legend(common_builder.VizLegendOptions().show_legend(True).placement(common_model.LegendPlacement.BOTTOM)
                .display_mode(common_model.LegendDisplayMode.LIST))
        .tooltip(common_builder.VizTooltipOptions().mode(common_model.TooltipDisplayMode.MULTI)
                 .sort(common_model.SortOrder.DESCENDING))
    )
    if limit is not None:
        p = p.thresholds_style(common_builder.GraphThresholdsStyleConfig().mode(common_model.GraphTresholdsStyleMode.LINE))
    if stack:
        p = p.stacking(common_builder.StackingConfig().mode(common_model.StackingMode.NORMAL))
    for letter, q in zip(string.ascii_uppercase, queries):
        p = p.with_target(q.ref_id(letter))
    return p


def number(title, unit, expr, limit=None, width=6, description="", none="no data"):
    return (
        stat.Panel().title(title).description(description).datasource(PROMETHEUS).unit(unit).span(width).height(4).no_value(none)
        .thresholds(limits(limit)).color_mode(common_model.BigValueColorMode.VALUE)
        .reduce_options(common_builder.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(query(expr, instant=True))
    )


def rows(title, unit, expr, width=12, description=""):
    return (
        table.Panel().title(title).description(description).datasource(PROMETHEUS).unit(unit).span(width).height(8)
        .with_target(query(expr, instant=True, as_table=True))
        .with_transformation(model.DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}}))
    )


def durations(title, expr, width=12):
    return (
        heatmap.Panel().title(title).datasource(PROMETHEUS).span(width).height(8)
        .with_target(query(expr, "{{le}}").format("heatmap"))
    )


def variable(name, label, values):
    return (
        dashboard.QueryVariable(name).label(label).query(values).datasource(PROMETHEUS).include_all(True).multi(True)
        .all_value(".*").refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
        .current(model.VariableOption(text="All", value="$__all"))
    )


def roles():
    return variable("role", "Role", "label_values(http_server_duration_milliseconds_count, dify_role)")


def apps():
    return [
        variable("workspace", "Workspace", "label_values(app_workflow_run_total, dify_workspace_name)"),
        variable("app", "App", 'label_values(app_workflow_run_total{dify_workspace_name=~"$workspace"}, dify_app_name)'),
    ]


def board(uid, title, description, variables, panels):
    b = (
        dashboard.Dashboard(title).uid(uid).description(description).tags(["dify"]).timezone("browser").refresh("30s").readonly()
        .time("now-6h", "now").tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(dashboard.DashboardLink("Dify").type(model.DashboardLinkType.DASHBOARDS).tags(["dify"]).as_dropdown(True)
              .include_vars(True).keep_time(True))
        .link(dashboard.DashboardLink("Logs").type(model.DashboardLinkType.LINK).url(LOGS).target_blank(True))
    )
    for v in variables:
        b = b.with_variable(v)
    for number_of_panel, p in enumerate(panels, start=1):
        b = b.with_panel(p.id(number_of_panel))
    return b.build()


def response_time():
    buckets = f"http_server_duration_milliseconds_bucket{{{ROLE}}}"

    def quantile(q, by="dify_role"):
        return f"histogram_quantile({q}, sum by ({by}, le) (rate({buckets}[$__rate_interval]))) / 1000"

    return board(
        "dify-api-response-time", "Dify: API response time", "Response time of Dify's API.", [roles()], [
            number("p95", SECONDS, f"max(api_response_time_p95{{{ROLE}}})", limit=5, description="10 s means 10 s or more"),
            number("Requests per second", PER_SECOND, f"sum(rate(http_server_duration_milliseconds_count{{{ROLE}}}[$__rate_interval]))"),
            number("Active requests", COUNT, f"sum(http_server_active_requests{{{ROLE}}})"),
            number("Error rate (5xx)", PERCENT, f"max(api_error_rate{{{ROLE}}})", limit=0.1),
            graph("p95 by role", SECONDS, query(f"api_response_time_p95{{{ROLE}}}", "{{dify_role}}"), limit=5,
                  description="HighResponseTime fires when the value stays above the line for 10 minutes."),
            graph("p50, p90, p99", SECONDS, *[query(quantile(q), f"p{round(q * 100)} {{{{dify_role}}}}", exemplar=q == 0.99)
                                              for q in (0.5, 0.9, 0.99)]),
            graph("Slowest routes (p95)", SECONDS, query(f"topk(10, api_response_time_p95_by_route{{{ROLE}}})", "{{http_route}}"), limit=5),
            graph("Requests by route", PER_SECOND, query(
                f"topk(10, sum by (http_route) (rate(http_server_duration_milliseconds_count{{{ROLE}}}[$__rate_interval])))",
                "{{http_route}}")),
            durations("Request durations (ms)", f"sum by (le) (increase({buckets}[$__rate_interval]))", width=24),
        ])


def error_rate():
    errors = f"http_server_error_count_total{{{ROLE}}}"
    return board(
        "dify-api-error-rate", "Dify: API errors", "Requests to Dify's API that failed.", [roles()], [
            number("Error rate (5xx)", PERCENT, f"max(api_error_rate{{{ROLE}}})", limit=0.1),
            number("4xx and 5xx per second", PER_SECOND, f"sum(rate({errors}[$__rate_interval])) or vector(0)"),
            number("Requests per second", PER_SECOND, f"sum(rate(http_server_response_count_total{{{ROLE}}}[$__rate_interval]))"),
            number("p95", SECONDS, f"max(api_response_time_p95{{{ROLE}}})", limit=5),
            graph("Error rate (5xx) by role", PERCENT, query(f"api_error_rate{{{ROLE}}}", "{{dify_role}}"), limit=0.1,
                  description="HighAPIErrorRate fires when the value stays above the line for 5 minutes."),
            graph("Error rate (5xx) by route", PERCENT, query(f"topk(10, api_error_rate_by_route{{{ROLE}}} > 0)", "{{http_route}}"), limit=0.1),
            graph("Responses by status code", PER_SECOND, query(
                f"sum by (http_response_status_code) (rate(http_server_response_count_total{{{ROLE}}}[$__rate_interval]))",
                "{{http_response_status_code}}"), stack=True),
            rows("Errors in the selected time range", COUNT,
                 f"sort_desc(sum by (http_response_status_code, http_request_method, http_route) (increase({errors}[$__range])) > 0)"),
        ])


def system():
    who = "{{dify_role}} {{container_name}}{{process_executable_name}}"
    return board(
        "dify-system", "Dify: system resources",
        "CPU and memory of Dify's containers or processes; disk and network of the host (overlays containers.yaml and host.yaml).",
        [], [
            graph("CPU usage, share of the limit", PERCENT, query("process_cpu_usage_ratio", who), limit=0.8,
                  description="HighCPUUsage fires when the value stays above the line for 15 minutes."),
            graph("Memory usage, share of the limit", PERCENT, query("process_memory_utilization_ratio", who), limit=0.8,
                  description="HighMemoryUsage fires when the value stays above the line for 15 minutes."),
            graph("Memory usage", BYTES, query("process_memory_usage_bytes", who), stack=True),
            graph("Disk usage", PERCENT, query("system_disk_usage_ratio", "{{mountpoint}}")),
            graph("Network traffic", BYTES_PER_SECOND, query("rate(system_network_io_bytes_total[$__rate_interval])", "{{device}} {{direction}}"), width=24),
        ])


def workflows():
    total, failed = f"app_workflow_run_total{{{APP}}}", f"app_workflow_run_failure_total{{{APP}}}"
    buckets = f"app_workflow_run_duration_seconds_bucket{{{APP}}}"
    return board(
        "dify-workflows", "Dify: workflow runs", "Ended runs of workflows and chatflows.", apps(), [
            number("Runs in the selected time range", COUNT, f"sum(increase({total}[$__range]))"),
            number("Failed runs in the selected time range", COUNT, f"sum(increase({failed}[$__range]))"),
            number("Failure rate, 15 minutes", PERCENT, f"sum(increase({failed}[15m])) / (sum(increase({total}[15m])) > 0)", limit=0.2),
            number("Run duration (p95)", SECONDS, f"histogram_quantile(0.95, sum by (le) (rate({buckets}[$__range])))"),
            graph("Runs by status", COUNT, query(
                f"sum by (dify_workflow_run_status) (increase({total}[$__rate_interval]))", "{{dify_workflow_run_status}}"), stack=True),
            graph("Failure rate, 15 minutes", PERCENT, query(
                f"sum(increase({failed}[15m])) / (sum(increase({total}[15m])) > 0)", "failure rate"), limit=0.2,
                  description="WorkflowFailureRate, which excludes debugging runs, fires when the value stays above the line for 30 minutes."),
            graph("Run duration", SECONDS, *[query(
                f"histogram_quantile({q}, sum by (le) (rate({buckets}[$__rate_interval])))", f"p{round(q * 100)}") for q in (0.5, 0.95)]),
            graph("Runs by trigger", COUNT, query(
                f"sum by (dify_workflow_run_triggered_from) (increase({total}[$__rate_interval]))", "{{dify_workflow_run_triggered_from}}"),
                stack=True),
            rows("Failed runs by app", COUNT, f"topk(20, sum by (dify_workspace_name, dify_app_name) (increase({failed}[$__range])) > 0)"),
            rows("Slowest apps (mean run duration)", SECONDS,
                 f"topk(20, sum by (dify_workspace_name, dify_app_name) (rate(app_workflow_run_duration_seconds_sum{{{APP}}}[$__range]))"
                 f" / (sum by (dify_workspace_name, dify_app_name) (rate(app_workflow_run_duration_seconds_count{{{APP}}}[$__range])) > 0))"),
        ])


def tokens():
    used, cost = f"app_llm_token_usage_total{{{APP}}}", f"app_llm_cost_total{{{APP}}}"
    return board(
        "dify-tokens", "Dify: tokens and cost", "Token usage of the models and its cost.", apps(), [
            number("Tokens in the selected time range", COUNT, f"sum(increase({used}[$__range]))", width=12),
            number("Cost in the selected time range", COUNT, f"sum by (dify_usage_currency) (increase({cost}[$__range]))", width=12,
                   description="One value per currency."),
            graph("Tokens by app", COUNT, query(f"topk(10, sum by (dify_app_name) (increase({used}[$__rate_interval])))", "{{dify_app_name}}"), stack=True),
            graph("Tokens by model", COUNT, query(
                f"sum by (gen_ai_provider_name, gen_ai_request_model) (increase({used}[$__rate_interval]))",
                "{{gen_ai_provider_name}} {{gen_ai_request_model}}"), stack=True,
                description="Dify does not store the model of plain workflows in its database."),
            graph("Tokens by workspace", COUNT, query(
                f"sum by (dify_workspace_name) (increase({used}[$__rate_interval]))", "{{dify_workspace_name}}"), stack=True),
            graph("Cost by app", COUNT, query(
                f"topk(10, sum by (dify_app_name, dify_usage_currency) (increase({cost}[$__rate_interval])))",
                "{{dify_app_name}} {{dify_usage_currency}}"), stack=True),
            graph("Duration of embedding calls", SECONDS, *[query(
                f"histogram_quantile({q}, sum by (gen_ai_provider_name, le) (rate(app_embedding_duration_seconds_bucket[$__rate_interval])))",
                f"p{round(q * 100)} {{{{gen_ai_provider_name}}}}") for q in (0.5, 0.95)], width=24,
                description="Measured by the plugin daemon."),
        ])


def queues():
    return board(
        "dify-queues", "Dify: Celery queues", "Tasks waiting in Dify's Celery queues. A queue that only grows has no worker that consumes it.",
        [variable("queue", "Queue", "label_values(celery_queue_length, celery_queue)")], [
            number("Waiting tasks", COUNT, "sum(celery_queue_length)", width=8),
            number("Longest queue", COUNT, "max(celery_queue_length)", limit=100, width=8),
            number("Unacknowledged tasks", COUNT, "sum(celery_queue_unacked)", width=8),
            graph("Waiting tasks by queue", COUNT, query('celery_queue_length{celery_queue=~"$queue"}', "{{celery_queue}}"), limit=100, width=24,
                  description="CeleryQueueBacklog fires when the value stays above the line for 5 minutes."),
            rows("Queues without a consumer for half an hour", COUNT,
                 "min_over_time(celery_queue_length[30m]) > 0 and resets(celery_queue_length[30m]) == 0", width=12),
            graph("Task runtime (p95)", SECONDS, query(
                "histogram_quantile(0.95, sum by (task, le) (rate(flower_task_runtime_seconds_bucket[$__rate_interval])))", "{{task}}")),
        ])


def pipeline():
    def per(label, name):
        return f"sum by ({label}) (rate(otelcol_{name}_total[$__rate_interval]))"

    def of_all_signals(label, name):
        # `or` merges series with equal labels, so each gets its signal as a label.
        rates = (f'label_replace(rate(otelcol_{name}_{signal}_total[$__rate_interval]), "signal", "{signal}", "", "")'
                 for signal in ("log_records", "spans", "metric_points"))
        return f"sum by ({label}, signal) ({' or '.join(rates)})"

    return board(
        "dify-pipeline", "Dify: telemetry pipeline", "From Dify to the back ends: what is received, sent, queued and dropped.", [], [
            number("Collectors up", COUNT, 'sum(up{job="otelcol-dify"})'),
            number("Fullest queue", PERCENT, "max(otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)", limit=0.8),
            number("Delay of workflow runs", SECONDS, "max(otelcol_workflow_log_checkpoint_age_seconds)", limit=300),
            number("Requests blocked by OpenSearch", COUNT, "sum(otelcol_opensearch_bulk_blocked_requests)", limit=1),
            graph("Received", PER_SECOND, query(of_all_signals("receiver", "receiver_accepted"), "{{receiver}} {{signal}}")),
            graph("Sent", PER_SECOND, query(of_all_signals("exporter", "exporter_sent"), "{{exporter}} {{signal}}")),
            graph("Refused and failed", PER_SECOND,
                  query(of_all_signals("receiver", "receiver_refused"), "refused: {{receiver}} {{signal}}"),
                  query(of_all_signals("exporter", "exporter_send_failed"), "failed: {{exporter}} {{signal}}")),
            graph("Queue usage", PERCENT, query(
                "otelcol_exporter_queue_size / otelcol_exporter_queue_capacity", "{{exporter}} {{data_type}}"), limit=0.8,
                  description="ExportQueueFilling fires when the value stays above the line for 10 minutes."),
            graph("Documents by outcome", PER_SECOND, query(per("outcome", "opensearch_bulk_items"), "{{outcome}}")),
            graph("Noise dropped by rule", PER_SECOND, query(per("rule", "dify_filter_dropped_items"), "{{rule}}")),
            graph("Accepted by Sentry", PER_SECOND, query(per("category", "exporter_sentry_sent"), "{{category}}")),
            graph("Not sent to Sentry by reason", PER_SECOND, query(per("reason", "exporter_sentry_discarded"), "{{reason}}")),
            graph("Runs read from the database by outcome", PER_SECOND, query(per("outcome", "workflow_log_runs"), "{{outcome}}")),
            graph("Collector memory", BYTES, query("otelcol_process_memory_rss_bytes", "{{instance}}")),
        ])


BOARDS = [response_time, error_rate, system, workflows, tokens, queues, pipeline]


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "dashboards"
    for make in BOARDS:
        made = make()
        (folder / f"{made.uid}.json").write_text(JSONEncoder(sort_keys=True, indent=2).encode(made) + "\n")


if __name__ == "__main__":
    main()
