"""What holds of the events of a job, whatever brought them: tests of `notify` read them as a careful receiver does.

    told = story.told(events)                   # without repetitions: who sends at least once may send twice
    story.assert_whole(told, ended, schema)     # valid, in order, one end, which is the result document
"""

CA = {"CAISSON_CA_BUNDLE": "/etc/test-ca.pem"}  # in a task's environment: whom the doubles are certified by
COMMANDS = ("mkdir dist; echo hello >dist/index.html; echo built; echo warned >&2",)


def long_build(lines=2000, seconds=2):
    """Tells so much, at once, and goes on for so long: time for something to happen to a receiver."""
    return (f"mkdir dist; for i in $(seq {lines}); do echo line $i; done; sleep {seconds}; echo the last line; "
            "echo x >dist/index.html",)


def long_lines(lines=2000):
    return [f"line {number}" for number in range(1, lines + 1)] + ["the last line"]


def told(events):
    """The first of each id. One that comes again has to be the same."""
    found = {}
    for event in events:
        assert found.setdefault((event["source"], event["id"]), event) == event
    return list(found.values())


def kinds(events):
    return [event["type"].removeprefix("dev.caisson.job.") for event in events]


def lines_of(events):
    return [line for event in events if event["type"].endswith(".log") for line in event["data"]["lines"]]


def output_of(events):
    return [line["text"] for line in lines_of(events) if line["type"] == "output"]


def assert_whole(events, ended, schema):
    assert events, ended
    for event in events:
        schema.validate(event)
    sequences = [event["sequence"] for event in events]
    assert sequences == sorted(sequences), sequences
    assert len({event["id"] for event in events}) == len(events)
    assert {event["source"] for event in events} == {events[0]["source"]}
    names = kinds(events)
    assert (names[0], names[-1]) == ("started", "finished"), names
    assert (names.count("started"), names.count("finished")) == (1, 1), names
    if ended.result is not None:
        said = {key: value for key, value in ended.result.items() if key != "undelivered"}
        told_result = dict(events[-1]["data"]["result"])
        # Each is written when it is made: that somebody is told again may be said between the two, and nothing else.
        for result in (said, told_result):
            result["warnings"] = [text for text in result.get("warnings", []) if not text.startswith("telling ")]
        assert said == told_result, [(key, said.get(key), told_result.get(key)) for key in {*said, *told_result}
                                     if said.get(key) != told_result.get(key)]
    return events


def undelivered(ended, count=1):
    """What the result says was not delivered; the log says it too."""
    entries = ended.result["undelivered"]
    assert len(entries) == count and all(f"not told: {entry}" in ended.text for entry in entries), ended
    return entries[0]
