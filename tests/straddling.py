"""Whether windows hold frames of two episodes."""
from tf_agents.trajectories import time_step as ts


def assert_none_straddles(batch):
    """Each frame is what the one before it said would follow, or a boundary frame repeated; none begins anew."""
    kinds, following = batch.step_type.numpy(), batch.next_step_type.numpy()
    repeated = (kinds[:, :-1] == ts.StepType.LAST) & (kinds[:, 1:] == ts.StepType.LAST)
    assert (repeated | (following[:, :-1] == kinds[:, 1:])).all()
    assert not (kinds[:, 1:] == ts.StepType.FIRST).any()
