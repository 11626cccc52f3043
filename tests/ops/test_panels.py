"""A real Prometheus scrapes a real daemon under load: no panel and no variable is empty, and the metrics are those listed."""

import time

from dashboard import panel_queries, substituted, variable_queries
from exposition import exported, exposition, listed
from prometheus import promtool

FILLED_WITHIN_SECONDS = 90


# A forecast is judged 72 hours after it was made, which is longer than the demo runs: until then it has series and no number.
JUDGED_LATER = "heliograph_forecast_error_ratio"


def is_filled(expression):
    """Keeps series that have a number: NaN is what a quantile of nothing gives."""
    if JUDGED_LATER in expression:
        return f"count({expression}) > 0"
    return f"({expression}) >= -Inf"


def test_no_panel_is_empty(prometheus, dashboards):
    deadline = time.monotonic() + FILLED_WITHIN_SECONDS
    empty = [
        f"{name}: {title} {reference}: {expression}"
        for name, dashboard in dashboards.items()
        for title, reference, expression in panel_queries(dashboard)
        if not prometheus.await_query(is_filled(substituted(expression)), deadline - time.monotonic())
    ]
    assert empty == []


def test_no_variable_is_empty(prometheus, dashboards):
    for dashboard in dashboards.values():
        for variable, series, label in variable_queries(dashboard):
            assert prometheus.await_query(substituted(series), FILLED_WITHIN_SECONDS), variable
            assert prometheus.get(f"label/{label}/values", **{"match[]": substituted(series)}), variable


def test_promtool_finds_nothing_wrong_with_the_metrics(daemon):
    run = promtool("check", "metrics", stdin=exposition(daemon))
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_daemon_without_a_broker_has_the_listed_metrics_with_their_types_and_labels(daemon, prometheus, metrics_list):
    assert exported(exposition(daemon)) == listed(metrics_list, has_broker=False)
