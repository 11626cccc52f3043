"""Reads the queries out of a dashboard, as Grafana would send them."""

import re

RANGE_SECONDS = 86_400
# What Grafana puts in for a data source that scrapes every second, and for a variable with All chosen.
VALUES = {"__rate_interval": "1m", "__interval": "15s", "__range": f"{RANGE_SECONDS}s", "job": ".*", "team": ".*", "priority": ".*"}
VARIABLE = re.compile(r"\$\{?(\w+)\}?")
LABEL_VALUES = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")


def substituted(expression):
    """The expression with every variable replaced; a variable that nobody defines raises KeyError."""
    return VARIABLE.sub(lambda match: VALUES[match[1]], expression)


def panel_queries(dashboard):
    """Every (panel title, reference, expression) of a dashboard."""
    return [(panel["title"], target["refId"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]


def variable_queries(dashboard):
    """Every (variable, series, label) of a dashboard's query variables."""
    found = []
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            match = LABEL_VALUES.fullmatch(variable["query"]["query"])
            found.append((variable["name"], match["series"], match["label"]))
    return found


def all_expressions(dashboard):
    """Every expression of a dashboard: panels, variables and annotations."""
    return [
        *(expression for _, _, expression in panel_queries(dashboard)),
        *(series for _, series, _ in variable_queries(dashboard)),
        *(annotation["expr"] for annotation in dashboard["annotations"]["list"]),
    ]
