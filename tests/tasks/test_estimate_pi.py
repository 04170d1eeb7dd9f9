import math

from jobs import Checkpoint, Progress
from jobs.tasks.estimate_pi import CHUNK, KEPT_EVERY, estimate_pi


def test_the_estimate_lies_within_its_error() -> None:
    result = estimate_pi(400_000, progress=Progress(), checkpoint=Checkpoint())
    assert abs(result["estimate"] - math.pi) < 6 * result["standard_error"]
    assert 0.001 < result["standard_error"] < 0.01


def test_progress_moves_to_the_end() -> None:
    reports: list[float | None] = []
    estimate_pi(
        2 * CHUNK + 1, progress=Progress(lambda fraction, _note: reports.append(fraction)), checkpoint=Checkpoint()
    )
    assert reports == sorted(reports, key=lambda share: share or 0)
    assert len(reports) == 3
    assert reports[-1] == 1.0


def test_it_goes_on_where_it_was() -> None:
    kept: list[tuple[int, int]] = []
    estimate_pi(KEPT_EVERY, progress=Progress(), checkpoint=Checkpoint(save=kept.append))
    assert [thrown for thrown, _inside in kept] == [KEPT_EVERY]
    all_inside = Checkpoint((KEPT_EVERY, KEPT_EVERY))
    result = estimate_pi(KEPT_EVERY + 1, progress=Progress(), checkpoint=all_inside)
    assert result["estimate"] > 3.99, "the points thrown before count"
