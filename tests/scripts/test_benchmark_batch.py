"""benchmark_batch.py prints its measurements; their values depend on the machine."""

import benchmark_batch
import pytest


@pytest.mark.slow
def test_speed_and_memory_are_measured(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each pair and the median are printed, then memory for few and many films, and its growth."""
    options = ["--films", "2", "--repeats", "1", "--few", "2", "--many", "4", "--jobs", "1"]
    monkeypatch.setattr("sys.argv", ["benchmark_batch.py", *options])
    benchmark_batch.main()
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("2 films: ")
    assert lines[1].startswith("two workers do ")
    assert lines[2].startswith("2 films: the run's own process reached ")
    assert lines[4].startswith("growth: ")
