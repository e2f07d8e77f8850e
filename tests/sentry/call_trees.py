"""Call trees as Sentry's own worker builds them (vroomrs), beside folded stacks.

    call_trees.py X.envelope X.folded

Every chunk of the envelope is parsed by the library that Sentry's worker uses,
the times of its call trees are summed up by stack, and compared with what the
folded file of the same profile says. vroomrs rounds times to a microsecond's
neighbourhood, twice for every stretch: that much may differ, and nothing else.
"""

import collections
import json
import sys


def items(path):
    """The (header, payload) pairs of an envelope."""
    data = open(path, "rb").read()
    at = data.index(b"\n") + 1
    while at < len(data):
        end = data.index(b"\n", at)
        header = json.loads(data[at:end])
        at = end + 1 + header["length"]
        yield header, data[end + 1 : at]
        assert data[at : at + 1] in (b"\n", b""), "no newline after an item"
        at += 1


def chunks(path):
    for header, payload in items(path):
        if header["type"] == "profile_chunk":
            yield payload.decode()


def with_all_functions(chunk):
    """The same, so that vroomrs tells each function of its trees.

    It leaves out what has a single sample, so each has a second one half way;
    and it counts what the system's functions take for the program's own that
    calls them, so all are the system's.
    """
    profile = chunk["profile"]
    by_thread = collections.defaultdict(list)
    for sample in sorted(profile["samples"], key=lambda s: s["timestamp"]):
        by_thread[sample["thread_id"]].append(sample)
    for samples in by_thread.values():
        for at, then in zip(samples, samples[1:]):
            if profile["stacks"][at["stack_id"]]:
                half = (at["timestamp"] + then["timestamp"]) / 2
                profile["samples"].append(dict(at, timestamp=half))
    profile["samples"].sort(key=lambda s: s["timestamp"])
    for frame in profile["frames"]:
        frame["in_app"] = False
    return chunk


def call_trees(payload):
    """{(root, ..., leaf): ns} of one chunk, by vroomrs."""
    import vroomrs

    # What Sentry adds before its worker sees a chunk.
    whole = dict(
        with_all_functions(json.loads(payload)),
        organization_id=1, project_id=1, received=0.0, retention_days=90)
    chunk = vroomrs.profile_chunk_from_json_str_and_version(
        json.dumps(whole), "2")
    chunk.normalize()
    functions = chunk.extract_functions_metrics(
        min_depth=0, filter_system_frames=False, max_unique_functions=None,
        filter_non_leaf_functions=False, generate_stack_fingerprints=True)
    by_print = {}
    for function in functions:
        by_print[function.get_stack_fingerprint()] = (
            function.get_function(), function.get_parent_fingerprint())
    times = collections.Counter()
    for function in functions:
        path, at = [], function.get_stack_fingerprint()
        while at in by_print:
            name, at = by_print[at]
            path.append(name)
        times[tuple(reversed(path))] += function.get_sum_self_time_ns()
    return +times


def times_by_rule(payload):
    """The same by the worker's rule alone: a sample stands until its thread's
    next one."""
    profile = json.loads(payload)["profile"]
    frames, stacks = profile["frames"], profile["stacks"]
    times, last = collections.Counter(), {}
    for sample in sorted(profile["samples"], key=lambda s: s["timestamp"]):
        before = last.get(sample["thread_id"])
        if before is not None and stacks[before["stack_id"]]:
            path = tuple(frames[frame]["function"]
                         for frame in reversed(stacks[before["stack_id"]]))
            times[path] += round(
                (sample["timestamp"] - before["timestamp"]) * 1e9)
        last[sample["thread_id"]] = sample
    for sample in last.values():
        assert not stacks[sample["stack_id"]], "a thread ends without going idle"
    return +times


def folded(path):
    """The same of a folded file of one process, without its process frame."""
    times = collections.Counter()
    for line in open(path, encoding="utf-8"):
        stack, ns = line.rstrip("\n").rsplit(" ", 1)
        frames = stack.split(";")[1:]
        times[tuple(f[:-4] if f.endswith("_[k]") else f for f in frames)] += int(ns)
    return +times


def compare(ours, theirs, slack_ns):
    """Sentences about what differs by more than the slack."""
    wrong = []
    for path in sorted(set(ours) | set(theirs)):
        if abs(ours[path] - theirs[path]) > slack_ns:
            wrong.append("%s: folded %d ns, vroomrs %d ns"
                         % (";".join(path), ours[path], theirs[path]))
    return wrong


def main(envelope, folded_path):
    theirs, samples = collections.Counter(), 0
    for payload in chunks(envelope):
        samples += len(json.loads(payload)["profile"]["samples"])
        for path, ns in call_trees(payload).items():
            theirs[tuple(f.replace(";", ":") for f in path)] += ns
    ours = folded(folded_path)
    wrong = compare(ours, theirs, 1000 + 1000 * samples // 2)
    tight = compare(ours, theirs, 10000)
    print("%d stacks, %d samples, %.6f s folded, %.6f s by vroomrs; "
          "%d stacks differ by more than 10 us"
          % (len(ours), samples, sum(ours.values()) / 1e9,
             sum(theirs.values()) / 1e9, len(tight)))
    for sentence in (wrong or tight)[:20]:
        print(sentence)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
