"""The benchmark's visitor does on the real page what a browser does; its figures show a leak."""

from types import SimpleNamespace

from benchmarks.turns import REPOSITORY
from benchmarks.visits import Subject, figures


def test_a_visit_prepares_the_example(tmp_path):
    subject = Subject(REPOSITORY, tmp_path)
    try:
        subject.visit()
        (report,) = (tmp_path / "runs").glob("*/dataset/report.json")
        assert subject.rss_mb() > subject.memory_mb[0] > 100
    finally:
        subject.page.kill()
    assert '"n_train": 120' in report.read_text()


def test_growth_is_counted_behind_the_first_visits():
    memory = {0: 190.0, 10: 250.0, 50: 290.0}
    told = figures(SimpleNamespace(memory_mb=memory, rss_mb=lambda: 260.0), 50)
    assert told["mb_a_visit"] == 1.0
    assert told["mb_a_minute_later"] == 260.0
