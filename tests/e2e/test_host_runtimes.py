"""Who lives by faults gets each of them once, and is told what is so."""

import shutil

import pytest

import host
import lab

CASES = host.cases("host_runtimes")

# Under record a sample is most likely to meet a fault at a high rate.
RATES = {"record": 10000, "refused": 997, "preload": 997}


def alike(tmp_path, way, *command, frequency=None):
    watched = host.alike(
        tmp_path, way, *command, frequency=frequency or RATES[way])
    assert watched.result.returncode == 0
    assert host.has_samples(watched)
    assert way == "preload" or host.adds_up(watched)


def runtime(name):
    """A large runtime: used where there is one, not worth being installed."""
    path = shutil.which(name, path=lab.clean_environment()["PATH"])
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.mark.parametrize("way", host.WAYS)
@pytest.mark.parametrize("case", CASES)
def test_faults(tmp_path, way, case):
    alike(tmp_path, way, lab.program("host_runtimes"), case)


@pytest.fixture(scope="module")
def java(tmp_path_factory):
    """The command that runs the Java program."""
    machine, compiler = runtime("java"), runtime("javac")
    folder = tmp_path_factory.mktemp("java")
    made = lab.run(compiler, "-d", folder, lab.SOURCES / "Runtimes.java")
    assert made.returncode == 0, made.stderr
    # Without what it would keep under /tmp for other tools.
    return (machine, "-Xmx64m", "-XX:-UsePerfData", "-cp", folder, "Runtimes")


@pytest.mark.parametrize("way", host.WAYS)
def test_java(tmp_path, java, way):
    alike(tmp_path, way, *java)


@pytest.mark.parametrize("way", host.WAYS)
def test_node(tmp_path, way):
    alike(tmp_path, way, runtime("node"), lab.SOURCES / "runtimes.js")
