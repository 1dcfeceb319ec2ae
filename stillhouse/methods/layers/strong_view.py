"""The networks' outputs for the second, strongly augmented view of each image."""

from ...taps import Outputs


def strong_outputs(student: Outputs, teacher: Outputs) -> tuple[Outputs, Outputs]:
    """Return the outputs of the two networks for the strong view."""
    for who, outputs in (("student", student), ("teacher", teacher)):
        if outputs.strong is None:
            raise ValueError(f"the {who} must be run on the strong view as well; call `net.forward_batch(batch)`")
    assert student.strong is not None
    assert teacher.strong is not None
    return student.strong, teacher.strong
