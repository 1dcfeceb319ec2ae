"""The second, strongly augmented view of each image, for those who cannot do without."""

from ...taps import Outputs


def strong_outputs(student: Outputs, teacher: Outputs) -> tuple[Outputs, Outputs]:
    """What the two networks said about the strong view."""
    for who, outputs in (("student", student), ("teacher", teacher)):
        if outputs.strong is None:
            raise ValueError(f"the {who} was not asked about the strong view; ask with `net.forward_batch(batch)`")
    assert student.strong is not None
    assert teacher.strong is not None
    return student.strong, teacher.strong
