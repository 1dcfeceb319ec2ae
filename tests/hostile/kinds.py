"""All kinds of hostile files."""

from tests.hostile import images, named, pickles, places, tables, weights
from tests.hostile.trial import Maker

KINDS: dict[str, Maker] = {
    **images.KINDS,
    **pickles.KINDS,
    **weights.KINDS,
    **tables.KINDS,
    **places.KINDS,
    **named.KINDS,
}
