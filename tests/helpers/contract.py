"""Names for the pairs of networks and the laws of the contract, for what a method's test file says of it.

REFUSES = {...}  the pairs of networks that the method refuses; none, where this is left out
NOTES = {...}    the laws that have a note for it; none, where this is left out
"""

TRANSFORMERS = {"a transformer from a CNN", "a CNN from a transformer"}
UNEQUAL_WIDTHS = {"a ResNet from a wider one", "four stages from three", "three stages from four", *TRANSFORMERS}

ZERO_LOSS = "loss must be 0 for identical networks"
ORDER = "the order of the batch does not matter"
GRAPH = "its steps can be captured in a CUDA graph"
CITATION = "the docstring cites the paper"
