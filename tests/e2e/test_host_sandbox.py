"""Programs that forbid themselves system calls, and containers that do."""

import pytest

import host
import lab

# The filter is said to be what ended the sampling.
WITHDRAWN = {
    "no_clock": "PR_SET_TSC",
    "no_return_by_prctl": "return from a signal handler",
    "no_return_by_syscall": "return from a signal handler",
    "strict": "strict seccomp",
}
# These see whether there is a filter already.
WITHOUT_A_FILTER = {"probing", "strict"}


@pytest.mark.parametrize("way", host.WAYS)
@pytest.mark.parametrize(
    "case", [case for case in host.cases("host_sandbox") if case != "hello"])
def test_sandboxes(tmp_path, way, case):
    if way == "refused" and case in WITHOUT_A_FILTER:
        pytest.skip("perf events are refused by a filter here")
    watched = host.alike(tmp_path, way, lab.program("host_sandbox"), case)
    assert watched.result.returncode not in (77, -31)
    assert host.has_samples(watched)
    if case in WITHDRAWN and way != "preload":
        assert any(WITHDRAWN[case] in line for line in watched.remarks)


def test_a_sandbox_at_a_high_rate(tmp_path):
    for case in ("killing_by_prctl", "no_return_by_prctl", "one_thread"):
        host.alike(tmp_path, "record", lab.program("host_sandbox"), case,
                   frequency=10000)


@pytest.mark.parametrize("calls", (
    "perf_event_open,process_vm_readv", "socket", "connect", "memfd_create",
    "timer_create,perf_event_open", "sendmsg", "ppoll", "madvise",
    "pidfd_open", "getsockopt"))
def test_calls_refused_before_the_start(tmp_path, calls):
    """The program runs all the same; what it used is accounted for."""
    refuse = (lab.program("refuse_calls"), calls)
    command = (*refuse, lab.program("host_traced"), 2)
    watched = host.alike(tmp_path, "record", *command)
    assert watched.result.returncode == 4
    assert watched.folded().total() > 0
    host.alike(tmp_path, "preload", *command)
