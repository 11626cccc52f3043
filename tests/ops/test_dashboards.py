"""The dashboards, looked at without a daemon and without Grafana, which cannot be installed where the tests run."""

import re

import pytest
from dashboard import VALUES, all_expressions, panel_queries, substituted, variable_queries
from prometheus import Prometheus

METRIC = re.compile(r"\bheliograph_\w+")
SELECTOR = re.compile(r"(heliograph_\w+)\{([^}]*)\}")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
COUNTER_IN_RATE = re.compile(r"(?:rate|increase)\(heliograph_\w+(?:_total|_bucket|_sum|_count)\{")
COUNTER = re.compile(r"heliograph_\w+(?:_total|_bucket|_sum|_count)\{")
RANGE = re.compile(r"\[([^\]]+)\]")
EVERYWHERE = {"job", "instance", "le"}
VARIABLES = ["datasource", "job", "team", "priority"]
GRID_WIDTH = 24


def base_name(metric, listed):
    """A histogram's series without its suffix."""
    trimmed = re.sub(r"_(bucket|sum|count)$", "", metric)
    return trimmed if listed.get(trimmed, ("",))[0] == "histogram" else metric


@pytest.fixture(scope="module")
def parser():
    with Prometheus() as prometheus:
        yield prometheus


def test_every_expression_parses(dashboards, parser):
    for dashboard in dashboards.values():
        for expression in all_expressions(dashboard):
            parser.format_query(substituted(expression))


def test_every_metric_is_listed_and_every_label_is_one_that_it_has(dashboards, metrics_list):
    for name, dashboard in dashboards.items():
        for expression in all_expressions(dashboard):
            metrics = METRIC.findall(expression)
            assert metrics, expression
            for metric in metrics:
                assert base_name(metric, metrics_list) in metrics_list, f"{name}: {metric}"
            for metric, matchers in SELECTOR.findall(expression):
                known = EVERYWHERE | set(metrics_list[base_name(metric, metrics_list)][1])
                assert set(LABEL.findall(matchers)) <= known, f"{name}: {metric}{{{matchers}}}"


def test_every_panel_says_what_it_shows_and_in_which_unit(dashboards):
    for dashboard in dashboards.values():
        titles = [panel["title"] for panel in dashboard["panels"]]
        assert len(set(titles)) == len(titles) and len({panel["id"] for panel in dashboard["panels"]}) == len(titles)
        for panel in dashboard["panels"]:
            assert panel["title"] and panel["description"].endswith("."), panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            assert panel["targets"] and panel["datasource"]["uid"] == "${datasource}", panel["title"]


def test_panels_stay_on_the_grid_and_do_not_overlap(dashboards):
    for dashboard in dashboards.values():
        taken = {}
        for panel in dashboard["panels"]:
            grid = panel["gridPos"]
            assert grid["x"] + grid["w"] <= GRID_WIDTH, panel["title"]
            for cell in ((x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])):
                assert cell not in taken, f"{panel['title']} lies on {taken.get(cell)}"
                taken[cell] = panel["title"]


def test_a_dashboard_has_a_fixed_uid_is_not_editable_and_has_the_four_variables(dashboards):
    uids = [dashboard["uid"] for dashboard in dashboards.values()]
    assert len(set(uids)) == len(uids) and all(uid.startswith("heliograph-") for uid in uids)
    for dashboard in dashboards.values():
        assert dashboard["editable"] is False
        assert [variable["name"] for variable in dashboard["templating"]["list"]] == VARIABLES
        assert len(variable_queries(dashboard)) == len(VARIABLES) - 1


def test_counters_stand_under_rate_or_increase_and_rates_use_the_rate_interval(dashboards):
    for dashboard in dashboards.values():
        for _, _, expression in panel_queries(dashboard):
            assert len(COUNTER.findall(expression)) == len(COUNTER_IN_RATE.findall(expression)), expression
            for range_ in RANGE.findall(expression):
                assert range_ in ("$__rate_interval", "1d"), expression


def test_a_variable_that_nobody_defines_is_found():
    assert substituted('x{job=~"$job"}[${__rate_interval}]') == 'x{job=~".*"}[1m]'
    with pytest.raises(KeyError):
        substituted("x[$undefined]")
    assert "undefined" not in VALUES
