import pytest

from app.accounts.passwords import hash_password, validate_password, verify_password
from app.errors import Invalid


def test_a_long_password_of_any_characters_is_fine() -> None:
    assert validate_password("four plain words here") == "four plain words here"
    assert validate_password("пароль из слов", "Ada") == "пароль из слов"
    assert len(validate_password("x9" + "äbc!" * 31)) == 126


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short one 1", "at least 12"),
        ("long " * 30, "at most 128"),
        ("aaaaaaaaaaaaaa", "too easy to guess"),
        ("Password1234", "too easy to guess"),
        ("Likewise2026", "too easy to guess"),
        ("lovelace-1815", "too easy to guess"),
    ],
)
def test_a_password_that_is_easily_guessed_is_refused(password: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        validate_password(password, "Lovelace")


def test_passwords_are_stored_as_salted_argon2id_hashes() -> None:
    first, second = hash_password("a sentence to remember"), hash_password("a sentence to remember")

    assert first.startswith("$argon2id$")
    assert first != second
    assert verify_password(first, "a sentence to remember")
    assert not verify_password(first, "a sentence to remember ")
    assert not verify_password("not a hash", "a sentence to remember")


def test_nobodys_password_is_never_right() -> None:
    assert not verify_password(None, "the password of a user who does not exist")
