"""Opens what landed with pm4py: the event log from the Delta table, the object-centric log from its SQLite file. Prints what it saw as JSON."""

import contextlib
import json
import pathlib
import sqlite3
import sys

with contextlib.redirect_stdout(sys.stderr):
    import pandas as pd
    import pm4py
    from pm4py.objects.ocel.validation import ocel20_rel_validation

table_dir, ocel_file = pathlib.Path(sys.argv[1]), sys.argv[2]


def read_delta(folder):
    live = set()
    for entry in sorted((folder / "_delta_log").glob("*.json")):
        for line in entry.read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            if "remove" in action:
                live.discard(action["remove"]["path"])
            if "add" in action:
                live.add(action["add"]["path"])
    return pd.concat([pd.read_parquet(folder / path) for path in sorted(live)], ignore_index=True)


def event_log():
    frame = read_delta(table_dir)
    frame["is_later"] = frame["source"] != "create"
    frame = frame.sort_values(["timestamp", "is_later", "history_id", "item_index"])
    log = pm4py.format_dataframe(frame, case_id="case_id", activity_key="activity", timestamp_key="timestamp")
    net, initial, final = pm4py.discover_petri_net_inductive(log, noise_threshold=0.2)
    return {
        "events": len(log),
        "cases": log["case:concept:name"].nunique(),
        "activities": log["concept:name"].value_counts().to_dict(),
        "start_activities": pm4py.get_start_activities(log),
        "transitions": sorted(t.label for t in net.transitions if t.label is not None),
        "is_workflow_net": pm4py.check_is_workflow_net(net),
    }


def object_centric_log():
    satisfied, unsatisfied = ocel20_rel_validation.apply(ocel_file)
    ocel = pm4py.read_ocel2_sqlite(ocel_file)
    graph = pm4py.discover_ocdfg(ocel)
    issues = pm4py.filter_ocel_object_types(ocel, ["issue", "epic", "sprint"])
    net = pm4py.discover_oc_petri_net(issues)
    with sqlite3.connect(ocel_file) as database:
        objects = dict(database.execute("select ocel_type, count(*) from object group by 1"))
        relations = dict(database.execute("select ocel_qualifier, count(*) from event_object group by 1"))
        dangling = database.execute("pragma foreign_key_check").fetchall()
    return {
        "satisfied": len(satisfied),
        "unsatisfied": list(unsatisfied) + dangling,
        "events": len(ocel.events),
        "activities": ocel.events["ocel:activity"].value_counts().to_dict(),
        "relations_read": len(ocel.relations),
        "objects": objects,
        "relations": relations,
        "changes": len(ocel.object_changes),
        "graph_activities": sorted(graph["activities"]),
        "net_types": sorted(net["object_types"]),
    }


with contextlib.redirect_stdout(sys.stderr):
    seen = {"event_log": event_log(), "ocel": object_centric_log()}
print(json.dumps(seen))
