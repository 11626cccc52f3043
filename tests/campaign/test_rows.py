"""The short form of each row: the same faults, fewer of them."""

import pytest
from rows import ROWS

SEED = 1


@pytest.mark.parametrize("row", ROWS)
def test_a_row_in_its_short_form_breaks_no_promise(node, row):
    outcome = ROWS[row].leg(node, SEED, True)
    print(f"\n{row}: {outcome.figures} at most {outcome.worst}")
    assert outcome.violations == [], outcome.folder
