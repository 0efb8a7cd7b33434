"""The case that a test is run with."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import conformance_cases as cases
import pytest


@pytest.fixture(
    scope="module",
    params=[*cases.FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in cases.SLOW)],
)
def case(request):
    return cases.Case(request.param)
