"""How many examples property tests try.

By default few, the same in every run, so that the whole suite takes half an hour on two cores.
`make test-nightly` has OMB_EXAMPLES=10: ten times as many, others in each run. They are kept
nowhere.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_FACTOR = int(os.environ.get("OMB_EXAMPLES", "1"))

DETERMINISTIC = settings(
    deadline=None,
    derandomize=_FACTOR == 1,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a failure's inputs are small as they are
)


def examples(count: int, *suppressed: HealthCheck) -> settings:
    """So many examples, where OMB_EXAMPLES doesn't say otherwise."""
    return settings(
        DETERMINISTIC,
        max_examples=count * _FACTOR,
        # That making the inputs takes long says something of the machine, which may be busy.
        suppress_health_check=[HealthCheck.too_slow, *suppressed],
    )
