import math

from jobs import Progress
from jobs.tasks.estimate_pi import CHUNK, estimate_pi


def test_the_estimate_lies_within_its_error() -> None:
    result = estimate_pi(400_000, progress=Progress())
    assert abs(result["estimate"] - math.pi) < 6 * result["standard_error"]
    assert 0.001 < result["standard_error"] < 0.01


def test_progress_moves_to_the_end() -> None:
    reports: list[float | None] = []
    estimate_pi(2 * CHUNK + 1, progress=Progress(lambda fraction, _note: reports.append(fraction)))
    assert reports == sorted(reports, key=lambda share: share or 0)
    assert len(reports) == 3
    assert reports[-1] == 1.0
