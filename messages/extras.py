"""What brings a library that the first install leaves out; the project comes as a checkout."""


def how_to_install(extra: str) -> str:
    """Give what a person types to get an extra, for the end of a sentence."""
    return f"pip install '.[{extra}]' from the checkout"
