"""A guest changes nothing: each program here would notice."""

import pytest

import lab


def alike(tmp_path, *command, frequency=997, is_long=True, **options):
    """Run plainly and watched; both must look the same from outside. Remarks
    of ours are for what is too short to be sampled."""
    path = tmp_path / "x.folded"
    plain = lab.run(*command, **options)
    watched = lab.record([path], *command, frequency=frequency, **options)
    assert watched.returncode == plain.returncode
    assert watched.stdout == plain.stdout
    _, remarks = lab.summary_and_remarks(watched.stderr, plain.stderr)
    assert not (remarks and is_long), remarks
    return lab.Folded(path)


def test_nothing_new_is_visible_to_the_program(tmp_path):
    alike(tmp_path, lab.program("mirror"))


def test_nothing_new_is_visible_with_descriptors_closed(tmp_path):
    alike(tmp_path, "sh", "-c", f"exec {lab.program('mirror')} 0<&- 2>&-")


def test_nothing_new_is_visible_under_preload_alone(tmp_path):
    plain = lab.run(lab.program("mirror"))
    watched = lab.run(lab.program("mirror"), env=lab.clean_environment(
        LD_PRELOAD=str(lab.LIBRARY),
        WATCHFIRE_OUTPUT=str(tmp_path / "x.folded")))
    assert watched.stdout == plain.stdout
    assert watched.returncode == plain.returncode


def test_wait_sees_the_programs_own_children(tmp_path):
    alike(tmp_path, lab.program("wait_loop"))


def test_wait_sees_the_programs_own_children_under_preload_alone(tmp_path):
    plain = lab.run(lab.program("wait_loop"))
    watched = lab.run(lab.program("wait_loop"), env=lab.clean_environment(
        LD_PRELOAD=str(lab.LIBRARY),
        WATCHFIRE_OUTPUT=str(tmp_path / "x.folded")))
    assert (watched.stdout, watched.returncode) == (
        plain.stdout, plain.returncode)


def test_exceptions_fly_as_before(tmp_path):
    folded = alike(tmp_path, lab.program("throw"))
    assert any("Unwind_RaiseException" in name for name in folded.inclusive())


def test_processes_are_made_in_every_way(tmp_path):
    folded = alike(tmp_path, lab.program("chain"))
    roots = {stack[0] for stack, _ in folded.stacks}
    assert len({root for root in roots if root.startswith("chain")}) == 5


def test_a_hundred_execs_in_a_row_survive_a_high_rate(tmp_path):
    script = 'i=$1; [ $i -gt 0 ] || exit 42; exec sh -c "$0" "$0" $((i - 1))'
    alike(tmp_path, "sh", "-c", script, script, 100, frequency=4999,
          is_long=False)


def test_libraries_at_one_address_are_kept_apart(tmp_path):
    folded = alike(tmp_path, lab.program("reload"))
    weights = folded.inclusive()
    both = weights["reload_first"] + weights["reload_second"]
    assert weights["reload_first"] / both == pytest.approx(0.5, abs=0.03)
    assert both / folded.total() > 0.85


def test_threads_made_late_are_sampled(tmp_path):
    # Beside what main() does, not beside how long the loader takes. Either is
    # sampled once in a period: 1100 of them, each thread off by less than one.
    weights = alike(tmp_path, lab.program("late_threads")).inclusive()
    share = weights["late_worker"] / (weights["late_worker"] + weights["main"])
    assert share == pytest.approx(10 / 11, abs=0.03)


def test_the_programs_own_signals_are_its_own(tmp_path):
    alike(tmp_path, lab.program("own_signals"))


def test_signals_are_inherited_as_the_program_set_them(tmp_path):
    alike(tmp_path, lab.program("inherit_signals"))


def test_programs_started_after_the_duration_are_left_alone(tmp_path):
    path = tmp_path / "x.folded"
    script = "sleep 0.4; /bin/true; /bin/true; exec sh -c 'exit 5'"
    watched = lab.run(lab.WATCHFIRE, "record", "-d", "0.2", "-o", path, "--",
                      "sh", "-c", script)
    assert watched.returncode == 5
    assert path.exists()


def test_blocked_signals_cost_nobody_his_life(tmp_path):
    folded = alike(tmp_path, lab.program("blocked"))
    weights = folded.inclusive()
    assert weights["burn_open"] / folded.total() > 0.4


def test_a_filter_installed_later_kills_nobody(tmp_path):
    alike(tmp_path, lab.program("seccomp_later"))


def test_no_signal_is_queued(tmp_path):
    folded = alike(tmp_path, lab.program("no_sigpending"))
    assert folded.inclusive()["main"] / folded.total() > 0.8


def test_no_sleep_is_cut_and_no_read_is_short(tmp_path):
    alike(tmp_path, lab.program("patient"))


def test_small_stacks_of_the_programs_own(tmp_path):
    folded = alike(tmp_path, lab.program("fibers"))
    assert folded.inclusive()["fiber_work"] / folded.total() > 0.9


def test_all_descriptors_closed(tmp_path):
    folded = alike(tmp_path, lab.program("close_all"))
    assert folded.inclusive()["main"] / folded.total() > 0.8


def test_leaving_without_destructors(tmp_path):
    folded = alike(tmp_path, lab.program("leave"), 4)
    assert folded.inclusive()["main"] / folded.total() > 0.8


def test_pid_1_of_a_namespace(tmp_path):
    folded = alike(tmp_path, *lab.in_a_namespace(lab.program("pid1")))
    assert folded.of_program("pid1").inclusive()["main"] > 0


def test_pid_1_of_a_namespace_under_preload_alone(tmp_path):
    path = tmp_path / "x.folded"
    plain = lab.run(*lab.in_a_namespace(lab.program("pid1")))
    watched = lab.run(*lab.in_a_namespace(
        "env", f"LD_PRELOAD={lab.LIBRARY}", f"WATCHFIRE_OUTPUT={path}",
        lab.program("pid1")))
    assert (watched.stdout, watched.returncode) == (
        plain.stdout, plain.returncode)
    # As PID 1 it waits for its collector, which dies with it.
    assert lab.Folded(path).inclusive()["main"] > 0
