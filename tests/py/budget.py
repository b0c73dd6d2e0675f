"""What the property tests have in common: the same examples in every run, kept nowhere."""

from __future__ import annotations

from hypothesis import Phase, settings

DETERMINISTIC = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a failure's inputs are small as they are
)
