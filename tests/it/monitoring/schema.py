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


register_default_plugins()
with open(sys.argv[1], encoding="utf-8") as file:
    board = json.load(file)
kept = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
findings = list(lost(board, kept))
print("\n".join(findings))
sys.exit(1 if findings else 0)
