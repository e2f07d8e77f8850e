"""
Whether a suite has the same results under watchfire as without it.

Each unit runs once without us and once in each way under us. A case whose
results differ is run again, in turn without us and under us:

    different  it varies more often under us than chance explains (Fisher's
               exact test of the reruns, one-sided)
    unsteady   it varies without us as well: a matter of the suite
    seldom     it varied under us alone, too seldom to tell whose matter it is
    excepted   it cannot be equal, for a reason that `exceptions` states

The run that brought a case here is no evidence: of a thousand cases that vary
once in a hundred runs, ten come here each time. Of those that vary by
themselves, one in a thousand is called different: 1 in 20 000 at each of up to
20 looks.
"""

import dataclasses
import fnmatch
import math
from pathlib import Path

from unit import WHOLE
from ways import PLAIN

DIFFERENT, UNSTEADY, SELDOM = "different", "unsteady", "seldom"
EXCEPTED = "excepted"
ABSENT = "absent"

# Reruns, each once without us and once under us.
FEWEST, MOST = 5, 20
CHANCE = 5e-5


@dataclasses.dataclass(frozen=True)
class Finding:
    unit: str
    case: str
    way: str
    plain: str  # the result without us
    watched: str
    kind: str
    evidence: str
    output: str  # of the run that differed


def load_exceptions(path):
    """[(suite, pattern of unit/case, reason)]: three columns of a text file."""
    found = []
    for line in Path(path).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            suite, pattern, reason = line.split(None, 2)
            found.append((suite, pattern, reason))
    return found


def differing(plain, watched):
    odd = {
        case for case in plain.keys() | watched.keys()
        if plain.get(case, ABSENT) != watched.get(case, ABSENT)
    }
    # The exit status says no more than the cases do, unless it is a crash.
    if len(odd) > 1 and watched[WHOLE].startswith("exit"):
        odd.discard(WHOLE)
    return odd


def by_chance(plain_count, watched_count, runs):
    """Probability of so uneven a split of all failures, were we harmless."""
    failures = plain_count + watched_count
    ways = math.comb(2 * runs, failures)
    return sum(
        math.comb(runs, k) * math.comb(runs, failures - k)
        for k in range(watched_count, min(runs, failures) + 1)) / ways


def rerun(bench, unit, way, cases):
    """{case: (reruns, odd ones without us, odd ones under us)}; odd is what
    the first run without us was not."""
    expected = cases
    narrowed = unit.narrow(unit, sorted(cases)) if unit.narrow else unit
    plain_odd = dict.fromkeys(cases, 0)
    watched_odd = dict.fromkeys(cases, 0)
    for rounds in range(1, MOST + 1):
        for this_way, odd in ((PLAIN, plain_odd), (way, watched_odd)):
            results, _ = bench.run(narrowed, this_way)
            for case, result in expected.items():
                odd[case] += results.get(case, ABSENT) != result
        if rounds >= FEWEST and all(
            plain_odd[case] > 0 and watched_odd[case] <= plain_odd[case] + 1
            or by_chance(plain_odd[case], watched_odd[case], rounds) < CHANCE
            for case in cases):
            break
    return {
        case: (rounds, plain_odd[case], watched_odd[case]) for case in cases}


def judge(rounds, plain_odd, watched_odd):
    if by_chance(plain_odd, watched_odd, rounds) < CHANCE:
        return DIFFERENT
    return UNSTEADY if plain_odd > 0 else SELDOM


def examine(bench, suite, unit, ways, exceptions):
    """The cases without us, and what differs under us."""
    plain, plain_output = bench.run(unit, PLAIN)
    findings = []
    for way in ways:
        watched, output = bench.run(unit, way)
        odd = differing(plain, watched)
        excepted = {
            case for case in odd
            if any(suite == of and fnmatch.fnmatchcase(
                f"{unit.name}/{case}", pattern)
                for of, pattern, _ in exceptions)
        }
        if len(odd - excepted) == 0:
            verdicts = {}
        else:
            verdicts = rerun(bench, unit, way, {
                case: plain.get(case, ABSENT) for case in odd - excepted})
        for case in sorted(odd):
            kind, evidence = EXCEPTED, ""
            if case in verdicts:
                rounds, plain_odd, watched_odd = verdicts[case]
                kind = judge(rounds, plain_odd, watched_odd)
                evidence = (
                    f"rerun {rounds} times each: otherwise {plain_odd} times "
                    f"without us, {watched_odd} under us")
            findings.append(Finding(
                unit.name, case, way, plain.get(case, ABSENT),
                watched.get(case, ABSENT), kind, evidence, output))
    return plain, findings
