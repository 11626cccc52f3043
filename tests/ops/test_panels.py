"""A real Prometheus scrapes a real daemon under load: no panel and no variable is empty, and the metrics are those listed."""

import re
import time
import urllib.request

from conftest import DEPLOY
from dashboard import panel_queries, substituted, variable_queries
from prometheus import promtool

FILLED_WITHIN_SECONDS = 90
TYPE_LINE = re.compile(r"^# TYPE (heliograph_\w+) (\w+)$", re.MULTILINE)
SAMPLE = re.compile(r"^(heliograph_\w+?)(?:\{(.*)\})? \S+$", re.MULTILINE)
LABEL_NAME = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')
HISTOGRAM_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def exposition(daemon):
    with urllib.request.urlopen(f"{daemon}/metrics", timeout=10) as answer:
        return answer.read().decode()


def is_filled(expression):
    """Keeps series that have a number: NaN is what a quantile of nothing gives."""
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


def test_the_daemon_has_the_listed_metrics_with_their_types_and_labels(daemon, prometheus, metrics_list):
    text = exposition(daemon)
    types = dict(TYPE_LINE.findall(text))
    labels = {}
    for name, found in SAMPLE.findall(text):
        base = name if name in types else HISTOGRAM_SUFFIX.sub("", name)
        labels.setdefault(base, set()).add(tuple(label for label in LABEL_NAME.findall(found or "") if label != "le"))
    assert set(types) <= set(metrics_list), f"not in {DEPLOY / 'metrics.txt'}: {sorted(set(types) - set(metrics_list))}"
    for name, (kind, listed_labels, needs_broker) in metrics_list.items():
        if needs_broker and name not in types:
            continue
        assert types.get(name) == kind, f"{name} is {types.get(name)}, listed as {kind}"
        for found in labels.get(name, set()):
            assert sorted(found) == sorted(listed_labels), f"{name} has {found}, listed with {listed_labels}"
