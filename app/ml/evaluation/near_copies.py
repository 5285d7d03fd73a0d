"""Near-copies: texts that differ in case, digits, punctuation, symbols or white space alone.

Evaluation hides them together: a model that has seen one of them knows the answer for the others.
"""

import hashlib
import unicodedata

KEY_BYTES = 16


class _LettersOnly(dict[int, str]):
    """For `str.translate`: letters and the marks on them stay, all else becomes a blank."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kept = character if unicodedata.category(character)[0] in "LM" else " "
        self[code] = kept
        return kept


_LETTERS_ONLY = _LettersOnly()


def compute_near_copy_key(text: str) -> bytes:
    """Return a digest of 16 bytes that is equal for near-copies.

    A text without any letter is compared as it is, but for case and white space.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = folded.translate(_LETTERS_ONLY).split() or folded.split()
    content = " ".join(words).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()
