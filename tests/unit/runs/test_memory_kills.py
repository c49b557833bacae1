"""The kernel's count, read from files as the kernel writes them."""

import pytest

from whisper_tuner.runs import memory_kills


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A function that writes the kernel's files."""
    monkeypatch.setattr(memory_kills, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory_kills, "MOUNT", tmp_path / "mount")
    monkeypatch.setattr(memory_kills, "EVERYWHERE", tmp_path / "vmstat")

    def write(**files: str) -> None:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def test_second_version_of_control_groups(system):
    system(cgroup="0::/app\n", mount__app__memory_DOT_events="low 0\noom 4\noom_kill 3\n")
    assert memory_kills.count() == 3


def test_a_container_sees_its_own_group_as_the_root(system):
    system(cgroup="0::/../elsewhere\n", mount__memory_DOT_events="oom_kill 2\n")
    assert memory_kills.count() == 2


def test_first_version_of_control_groups(system):
    groups = "4:memory:/app\n0::/\n"
    system(cgroup=groups, mount__memory__app__memory_DOT_oom_control="under_oom 0\noom_kill 5\n")
    assert memory_kills.count() == 5


def test_no_control_groups(system):
    system(vmstat="pgfault 12\noom_kill 1\n")
    assert memory_kills.count() == 1


def test_a_system_that_does_not_count(system):
    assert memory_kills.count() == 0
