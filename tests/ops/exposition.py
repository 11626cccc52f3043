"""What a daemon exports, and what deploy/metrics.txt says of it: name -> (type, labels)."""

import re
import urllib.request

TYPE_LINE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
SAMPLE = re.compile(r"^(\w+?)(?:\{(.*)\})? \S+$", re.MULTILINE)
LABEL_NAME = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')
HISTOGRAM_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def exposition(daemon):
    """The text at /metrics."""
    with urllib.request.urlopen(f"{daemon}/metrics", timeout=10) as answer:
        return answer.read().decode()


def exported(text):
    """Every metric of the text; labels are sorted, `le` apart."""
    types = dict(TYPE_LINE.findall(text))
    labels = {}
    for name, found in SAMPLE.findall(text):
        base = name if name in types else HISTOGRAM_SUFFIX.sub("", name)
        labels.setdefault(base, set()).update(label for label in LABEL_NAME.findall(found) if label != "le")
    return {name: (kind, tuple(sorted(labels[name]))) for name, kind in types.items()}


def listed(metrics_list, has_broker):
    """Every metric that the list expects of a daemon with or without a broker."""
    expected = {name: line for name, line in metrics_list.items() if has_broker or not line[2]}
    return {name: (kind, tuple(sorted(labels))) for name, (kind, labels, _) in expected.items()}
