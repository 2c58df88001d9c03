"""Hypothesis without a time limit per example: a busy machine is not a failure."""

import os

from hypothesis import settings

settings.register_profile(
    "watchkeeper", deadline=None, max_examples=2_000 if os.getenv("WATCHKEEPER_STRESS") else 25
)
settings.load_profile("watchkeeper")
