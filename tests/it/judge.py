"""Reads a Delta table with pyarrow alone: replays the log, reads the live files, prints what it saw as JSON."""

import json
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

table_dir = pathlib.Path(sys.argv[1])
live, schema, partition_columns = {}, None, None
for entry in sorted((table_dir / "_delta_log").glob("*.json")):
    for line in entry.read_text(encoding="utf-8").splitlines():
        action = json.loads(line)
        if "metaData" in action:
            schema = json.loads(action["metaData"]["schemaString"])
            partition_columns = action["metaData"]["partitionColumns"]
        if "remove" in action:
            live.pop(action["remove"]["path"], None)
        if "add" in action:
            live[action["add"]["path"]] = action["add"]

assert partition_columns == [], partition_columns
names = [field["name"] for field in schema["fields"]]
types = {
    "long": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
rows, summaries, keys = 0, [], set()
for path, add in live.items():
    batch = pq.read_table(table_dir / path)
    assert batch.num_rows == json.loads(add["stats"])["numRecords"], (path, batch.num_rows, add["stats"])
    assert (table_dir / path).stat().st_size == add["size"], path
    for field in schema["fields"]:
        if field["name"] in batch.column_names:
            found = batch.schema.field(field["name"]).type
            assert found == types[field["type"]], (path, field["name"], found, field["type"])
    extra = set(batch.column_names) - set(names)
    assert not extra, (path, extra)
    rows += batch.num_rows
    if "summary" in names:
        for issue_id, summary in zip(batch["issue_id"].to_pylist(), batch["summary"].to_pylist()):
            summaries.append(f"{issue_id}={summary}")
            assert issue_id not in keys, f"issue {issue_id} is there twice"
            keys.add(issue_id)

print(json.dumps({"rows": rows, "columns": len(names), "files": len(live), "summaries": sorted(summaries)}))
