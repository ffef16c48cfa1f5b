"""What must hold at the end of a job, whatever happened to it."""

import gzip
import json
import time

from bed import story

from .job import LINES

STATUS = {0: "succeeded", 130: "cancelled", 143: "interrupted"}
STOPPED = (-15, -2, -1)  # by a signal, before there was a program to take it
NOT_BEGUN = "not begun"
FLEET_S = 15 * 60  # so far apart clocks may be for S3


def outcome(job, schemas):
    """For the table."""
    with open(job.log_path, encoding="utf-8") as file:
        log = file.read()
    if job.code in STOPPED:
        assert log == "", "a signal has ended it after it had begun"
        return NOT_BEGUN
    assert job.code in job.fault.codes, f"exit code {job.code}, not one of {job.fault.codes}"
    result = job.receivers.result(job.id)
    if result is None:  # stopped before it had read where the document goes: the log has it
        result = _last_result(log)
        assert result["step"] == "load" and result["exit_code"] == job.code in (130, 143), result
        return f"{result['status']} before the spec was read"
    schemas["result"].validate(result)
    assert result["exit_code"] == job.code and result["status"] == STATUS.get(job.code, "failed"), result
    assert all(0 <= part["seconds"] <= job.seconds for part in (result, *result["steps"])), result
    undelivered = result.pop("undelivered", [])
    missed = {entry.split()[0] for entry in undelivered}
    assert missed <= set(job.fault.may_miss), undelivered
    _told(job, result, missed, schemas["events"])
    if result["status"] == "succeeded":
        assert job.receivers.published(job.id) == {"index.html": b"x\n"}
        ahead_s = job.receivers.claim(job.id)["created_at_ms"] / 1000 - time.time()
        assert -FLEET_S < ahead_s < 1, f"its claim is {ahead_s:.0f} s ahead: others would be kept out until then"
        _stored_log(job)
    said = result["status"] if result["status"] != "failed" else f"failed, {result['class']}"
    return said + (f", {', '.join(sorted(missed))} not told and named" if missed else "")


def _last_result(log):
    last = [line for line in log.splitlines() if " result {" in line]
    assert last, "the log ends without a result"
    return json.loads(last[-1].partition(" result ")[2])


def _told(job, result, missed, schema):
    mistakes = [said for said in job.receivers.hook.mistakes if not (job.fault.clock and "timestamp" in said)]
    assert mistakes == []
    ends = set()
    for name, events in job.receivers.told().items():
        if name in missed:
            continue
        by_id = {}
        for event in events:
            assert by_id.setdefault(event["id"], event) == event, "another event of the same id"
        ends.add(_one_end(name, list(by_id.values()), result))
        sequences = [event["sequence"] for event in by_id.values()]
        assert sequences == sorted(sequences), f"{name}: {sequences}"
        for event in by_id.values():
            schema.validate(event)
        if result["status"] == "succeeded" and not job.fault.gaps:
            lines = [text for text in story.output_of(list(by_id.values())) if text.startswith("line ")]
            assert lines == [f"line {number + 1}" for number in range(LINES)], f"{name} was told other lines: {lines}"
    assert len(ends) == 1, ends


def _one_end(name, events, result):
    last = [event for event in events if event["type"].endswith(".finished")]
    assert len(last) == 1, f"{name} was told {len(last)} ends"
    told = dict(last[0]["data"]["result"])
    # Who was not told is one more warning, of which the others cannot be told; and one that comes between the first
    # writing and the telling is told alone.
    warnings, written = told.pop("warnings", []), result.get("warnings", [])
    shared = min(len(warnings), len(written))
    assert warnings[:shared] == written[:shared], result
    known = {key: value for key, value in result.items() if key != "warnings"}
    assert told == known, f"{name} was told another result: {told}, not {known}"
    assert last[0] is events[-1], f"{name} was told more after the end"
    return last[0]["id"]


def _stored_log(job):
    text = gzip.decompress(job.receivers.stored_log(job.id)).decode()
    lines = [line for line in text.splitlines() if "| line " in line]
    assert len(lines) == LINES or job.fault.gaps, f"the stored log has {len(lines)} lines"
