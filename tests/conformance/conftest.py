"""The case that a test is run with."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import conformance_cases as cases
import pytest


def _fixture(fast):
    rest = [name for name in (*cases.FAST, *cases.SLOW) if name not in fast]
    params = [*fast, *(pytest.param(name, marks=pytest.mark.slow) for name in rest)]
    return pytest.fixture(scope="module", params=params)


@_fixture(cases.FAST)
def case(request):
    """For tests of a second: four presets always, the others with the slow tests."""
    return cases.case_of(request.param)


@_fixture(("reactive-discrete", "predictive-discrete"))
def heavy_case(request):
    """For tests that trace a lot."""
    return cases.case_of(request.param)


@_fixture(("reactive-discrete",))
def heaviest_case(request):
    """For tests that take ten seconds on a graph of predictive nodes."""
    return cases.case_of(request.param)
