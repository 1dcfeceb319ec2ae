"""Text and tables in Markdown: names are shown, never run."""

import pytest

from stillhouse.report.markdown import escaped, row, table


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<script>", "&lt;script&gt;"),
        ("*bold* `code`", r"\*bold\* \`code\`"),
        ("two\nlines", "two lines"),
        ("[a](http://b)", r"\[a\](http://b)"),
        (3, "3"),
    ],
)
def test_signs_are_shown_letter_by_letter(name: object, shown: str) -> None:
    assert escaped(name) == shown


def test_a_table_has_its_headings_and_a_line_for_each_row() -> None:
    assert table(("a", "b"), [("x|y", 1)]) == "| a | b |\n| --- | --- |\n| x\\|y | 1 |"
    assert row(["**bold**"]) == "| **bold** |"
