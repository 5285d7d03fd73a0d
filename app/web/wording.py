"""Numbers in sentences."""


def format_count(n: int, noun: str, plural: str = "") -> str:
    """Write a number and what is counted: 1 record, 2,000 records."""
    return f"1 {noun}" if n == 1 else f"{n:,} {plural or noun + 's'}"
