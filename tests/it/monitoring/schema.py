"""Says what of a dashboard is lost in Grafana's own types, and ends with 1 if anything is."""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def lost(given, kept, path=""):
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if value is not None:
                yield from lost(value, kept.get(key), f"{path}.{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for place, (one, other) in enumerate(zip(given, kept)):
            yield from lost(one, other, f"{path}[{place}]")
    elif given != kept:
        yield f"{path}: {given!r} became {kept!r}"


def unmixed(panel):
    """The types of questions go by the panel's data source: one panel for each question."""
    if panel.get("datasource", {}).get("uid") != "-- Mixed --":
        return [panel]
    targets = panel["targets"]
    return [{**panel, "datasource": one["datasource"], "targets": [one]} for one in targets]


def as_panel(layer):
    """What an annotation asks is any question of its data source; the types know it in panels only."""
    target = layer.pop("target")
    return {"type": "table", "datasource": layer["datasource"], "targets": [target]}


register_default_plugins()
with open(sys.argv[1], encoding="utf-8") as file:
    board = json.load(file)
board["panels"] = [part for panel in board["panels"] for part in unmixed(panel)]
board["panels"] += [as_panel(layer) for layer in board["annotations"]["list"]]
kept = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
findings = list(lost(board, kept))
print("\n".join(findings))
sys.exit(1 if findings else 0)
