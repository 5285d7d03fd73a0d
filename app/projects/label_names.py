"""Names of labels: which are valid, and which are the same.

Apart from labels.py, so that the process that reads a file for its preview loads no database.
"""

import unicodedata

from app.errors import Invalid

LONGEST_NAME = 200


def name_key(name: str) -> str:
    """Normalize a name for comparison: case-folded and composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def clean_name(name: str) -> str:
    """Normalize spaces in the name. Raises Invalid if it is empty or too long."""
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    if not clean or len(clean) > LONGEST_NAME:
        raise Invalid(f"A label's name must have 1 to {LONGEST_NAME} characters.")
    return clean
