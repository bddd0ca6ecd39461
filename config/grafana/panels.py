"""The parts of dashboards.py: queries, panels, variables, links, annotations. Needs the package grafana-foundation-sdk."""

import json
import string
import urllib.parse

from grafana_foundation_sdk.builders import common as common_builder
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model

PROMETHEUS = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "https://github.com/otelcol-dify/otelcol-dify/blob/main/docs/runbooks/"

PERCENT, SECONDS, BYTES, BYTES_PER_SECOND, COUNT = "percentunit", "s", "bytes", "Bps", "short"
PER_SECOND, REQUESTS_PER_SECOND, PER_MINUTE = "suffix:/s", "reqps", "suffix:/min"

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "#8e8e8e"

# A series that stands for success, failure or something in between always has the same color.
STATUS_COLORS = {
    "succeeded": GREEN, "partial-succeeded": YELLOW, "failed": RED, "stopped": GREY, "paused": BLUE,
    "delivered": GREEN, "stored": BLUE, "duplicate": GREY, "deferred": YELLOW, "dead_letter_stored": ORANGE, "dead_letter": RED,
    "failure": RED, "before_start": GREY, "too_old": GREY, "unknown": ORANGE, "stuck": ORANGE, "rejected": RED,
}
CODE_COLORS = {"/^1/": GREY, "/^2/": GREEN, "/^3/": BLUE, "/^4/": YELLOW, "/^5/": RED}

# Readable headings of tables.
HEADINGS = {
    "dify_workspace_name": "Workspace", "dify_app_name": "App", "dify_app_id": "App ID", "dify_role": "Role",
    "http_response_status_code": "Status code", "http_request_method": "Method", "http_route": "Route",
    "celery_queue": "Queue", "gen_ai_request_model": "Model", "gen_ai_provider_name": "Provider",
    "dify_usage_currency": "Currency", "alertname": "Alert", "severity": "Severity", "service": "Service",
    "installation": "Installation", "source": "Part", "mountpoint": "Mount point", "container_name": "Container",
}


def explore(query):
    """A link into Grafana's Explore for documents in OpenSearch that match a Lucene query, with the dashboard's time range."""
    pane = {
        "datasource": "opensearch",
        "queries": [{"refId": "A", "query": query, "luceneQueryType": "Logs", "datasource": {"uid": "opensearch"}}],
        "range": {"from": "FROM", "to": "TO"},
    }
    text = urllib.parse.quote(json.dumps({"a": pane}, separators=(",", ":")), safe=":,")
    return "/explore?schemaVersion=1&orgId=1&panes=" + text.replace("FROM", "${__from}").replace("TO", "${__to}")


def link(title, url):
    kind = dashboard.DashboardLink(title).type(model.DashboardLinkType.LINK).url(url)
    return kind.target_blank(True) if url.startswith("https:") or url.startswith("/explore") else kind.keep_time(True).include_vars(True)


LOGS = ("Logs and runs", explore("_index:workflow-logs-* OR severity.number:>=13"))
FAILED_RUNS = ("Failed runs", explore('attributes.event.name:"dify.workflow.run" AND attributes.dify.workflow_run.status:failed'))
TRACES = ("Traces with errors", explore('_index:dify-traces-* AND (status.code:Error OR attributes.http.response.status_code:>=500)'))


def runbook(page):
    return ("Runbook", RUNBOOKS + page)


def query(expr, legend="", exemplar=False, instant=False, as_table=False):
    q = prometheus.Dataquery().expr(expr).datasource(PROMETHEUS).legend_format(legend or "__auto").ref_id("A")
    if exemplar:
        q = q.exemplar(True)
    if instant:
        q = q.instant()
    if as_table:
        q = q.format("table")
    return q


def limits(limit, low=False, warn=None):
    """Green on the good side of an alert's limit and red on the other; blue without a limit, since nothing is judged."""
    if limit is None:
        steps = [model.Threshold(value=None, color=BLUE)]
    elif low:
        steps = [model.Threshold(value=None, color=RED), model.Threshold(value=limit, color=GREEN)]
    else:
        steps = [model.Threshold(value=None, color=GREEN)]
        if warn is not None:
            steps.append(model.Threshold(value=warn, color=ORANGE))
        steps.append(model.Threshold(value=limit, color=RED))
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def fixed(color):
    return [model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})]


def with_links(panel, links):
    return panel.links([link(*one) for one in links]) if links else panel


def graph(title, description, unit, *queries, limit=None, width=12, stack=False, colors=None, links=(), largest=None, signed=False):
    p = (
        timeseries.Panel().title(title).description(description).datasource(PROMETHEUS).unit(unit).span(width).height(8)
        .thresholds(limits(limit)).fill_opacity(30 if stack else 10).line_width(1).show_points(common_model.VisibilityMode.NEVER)
        .no_value("no data").color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
        .legend(common_builder.VizLegendOptions().show_legend(True).placement(common_model.LegendPlacement.BOTTOM)
                .display_mode(common_model.LegendDisplayMode.LIST))
        .tooltip(common_builder.VizTooltipOptions().mode(common_model.TooltipDisplayMode.MULTI)
                 .sort(common_model.SortOrder.DESCENDING))
    )
    if not signed:
        p = p.min(0)
    if limit is not None:
        p = p.thresholds_style(common_builder.GraphThresholdsStyleConfig().mode(common_model.GraphTresholdsStyleMode.DASHED))
    if largest is not None:
        p = p.axis_soft_max(largest)
    if stack:
        p = p.stacking(common_builder.StackingConfig().mode(common_model.StackingMode.NORMAL))
    for name, color in (colors or {}).items():
        p = p.override_by_regexp(name, fixed(color)) if name.startswith("/") else p.override_by_name(name, fixed(color))
    for letter, q in zip(string.ascii_uppercase, queries):
        p = p.with_target(q.ref_id(letter))
    return with_links(p, links)


def number(title, description, unit, expr, limit=None, warn=None, low=False, width=6, height=4, links=(), texts=None, decimals=None, legend=""):
    p = (
        stat.Panel().title(title).description(description).datasource(PROMETHEUS).unit(unit).span(width).height(height)
        .no_value("no data").thresholds(limits(limit, low, warn)).color_mode(common_model.BigValueColorMode.VALUE)
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .graph_mode(common_model.BigValueGraphMode.NONE).reduce_options(common_builder.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(query(expr, legend, instant=True))
    )
    if decimals is not None:
        p = p.decimals(decimals)
    if legend:
        p = p.text_mode(common_model.BigValueTextMode.VALUE_AND_NAME)
    if texts:
        p = p.mappings(texts_of(texts))
    return with_links(p, links)


def texts_of(texts):
    """Value mappings: {value: (text, color)}."""
    return [model.ValueMap(options={
        value: model.ValueMappingResult(text=text, color=color, index=i) for i, (value, text, color) in enumerate(texts)
    })]


def rows(title, description, unit, expr, value, labels, width=12, height=8, links=(), limit=None, texts=None):
    """A table of the labels with one value, largest first."""
    names = {label: HEADINGS[label] for label in labels}
    p = (
        table.Panel().title(title).description(description).datasource(PROMETHEUS).span(width).height(height)
        .thresholds(limits(limit))
        .with_target(query(expr, instant=True, as_table=True))
        .with_transformation(model.DataTransformerConfig(id_val="organize", options={
            "excludeByName": {"Time": True}, "indexByName": {name: i for i, name in enumerate([*labels, "Value"])},
            "renameByName": {**names, "Value": value},
        }))
        .sort_by([common_builder.TableSortByFieldState().display_name(value).desc(True)])
    )
    overrides = [model.DynamicConfigValue(id_val="unit", value=unit)]
    if unit == COUNT:
        overrides.append(model.DynamicConfigValue(id_val="decimals", value=0))
    if texts or limit is not None:
        overrides.append(model.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}))
    if texts:
        p = p.mappings(texts_of(texts))
    return with_links(p.override_by_name(value, overrides), links)


def variable(name, label, values):
    return (
        dashboard.QueryVariable(name).label(label).query(values).datasource(PROMETHEUS).include_all(True).multi(True)
        .all_value(".*").refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
        .current(model.VariableOption(text="All", value="$__all"))
    )


def annotations():
    """Marks the start of a new version of Dify, and times in which an alert fired."""
    return [
        {"name": "Dify's version", "enable": True, "iconColor": "blue", "titleFormat": "Dify {{dify_version}} started",
         "datasource": {"type": "prometheus", "uid": "${datasource}"}, "step": "60s",
         "expr": 'group by (dify_version) (target_info{dify_version!="", installation=~"$installation"})'
                 ' unless group by (dify_version) (last_over_time(target_info{dify_version!="", installation=~"$installation"}[10m] offset 1m))'},
        {"name": "Alerts", "enable": True, "iconColor": "red", "titleFormat": "{{alertname}}", "tagKeys": "severity,service",
         "datasource": {"type": "prometheus", "uid": "${datasource}"}, "step": "60s",
         "expr": 'ALERTS{alertstate="firing", severity!="none", installation=~"$installation"}'},
    ]


def board(uid, title, description, variables, panels, links=(LOGS, TRACES)):
    b = (
        dashboard.Dashboard(title).uid(uid).description(description).tags(["dify"]).timezone("browser").refresh("30s").readonly()
        .time("now-6h", "now").tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(dashboard.DashboardLink("Dify").type(model.DashboardLinkType.DASHBOARDS).tags(["dify"]).as_dropdown(True)
              .include_vars(True).keep_time(True))
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
                       .current(model.VariableOption(text="Prometheus", value="prometheus")))
        .with_variable(variable("installation", "Installation", "label_values({__name__=~'up|target_info'}, installation)"))
    )
    for one in links:
        b = b.link(link(*one))
    for v in variables:
        b = b.with_variable(v)
    for number_of_panel, p in enumerate(panels, start=1):
        b = b.with_panel(p.id(number_of_panel))
    return b.build()


def as_json(made):
    value = json.loads(JSONEncoder(sort_keys=True).encode(made))
    value["annotations"] = {"list": annotations()}
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
