"""The matrix of the row `steps` is whole."""

import steps


def test_the_matrix_has_every_failpoint_of_the_sources_and_no_other():
    assert set(steps.POINTS) == steps.points_in_sources()
    assert len(steps.matrix()) == 3 * len(steps.POINTS)
