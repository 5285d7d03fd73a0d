"""Get the public data sets that the benchmarks use, where the network allows it.

usage: python benchmarks/fetch.py [--into FOLDER] [--atis atis_intents.csv]

Files go to FOLDER/data (by default what LIKEWISE_SHARED names, else shared/ beside the repository),
each verified by its sha256 before it is put in place; what is there already is left alone. The exit
status is 1 if a data set is missing afterwards, and what to do is said.
"""

import argparse
import csv
import hashlib
import io
import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from results_store import SHARED

SECONDS = 60
NEWS = (
    "https://raw.githubusercontent.com/code-kern-ai/refinery-sample-projects/"
    "9df8ab94e177fe2be95c60490bb084beb73a305d/labeled_data_{split}.json"
)
ATIS_PAGE = "https://www.kaggle.com/datasets/hassanamin/atis-airlinetravelinformationsystem"


@dataclass(frozen=True)
class Source:
    """A file of a data set. Without an address a person has to get it."""

    path: str
    sha256: str
    licence: str
    address: str = ""


SOURCES = (
    Source(
        "agnews/test.json",
        "864f4f482b7a2bd952dc035de331db73419b5fb86334531b149374811e9c9ca7",
        "AG News: research, non-commercial",
        NEWS.format(split="test"),
    ),
    Source(
        "agnews/train.json",
        "0370a76c3838fbb264dd586d7fa1b2f58f5fe26fb7a9c6400339a9e1cc1a4d24",
        "AG News: research, non-commercial",
        NEWS.format(split="train"),
    ),
    Source(
        "agnews/val.json",
        "2ea537b5d1dac599f44e0cdb02f88c15b38865fba47c8b482663d48da3ab0dd7",
        "AG News: research, non-commercial",
        NEWS.format(split="val"),
    ),
    Source(
        "atis/intents.csv",
        "b4099241e48b1d39ac53d165489a7cbe01359c9eda5ea70010ffd820bef3ef3a",
        "ATIS: research",
    ),
)


class NotFetched(Exception):
    """Why a file is not there: a sentence for people."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, default=SHARED)
    parser.add_argument("--atis", type=Path, help=f"the file from {ATIS_PAGE}")
    options = parser.parse_args()
    n_missing = 0
    for source in SOURCES:
        try:
            print(f"{source.path}: {fetch(source, options.into / 'data', options.atis)}")
        except NotFetched as error:
            n_missing += 1
            print(f"{source.path}: {error}", file=sys.stderr)
    return 1 if n_missing else 0


def fetch(source: Source, folder: Path, atis: Path | None = None) -> str:
    """Put one file in place and say what was done. Raises NotFetched."""
    path = folder / source.path
    if path.exists():
        if hashlib.sha256(path.read_bytes()).hexdigest() == source.sha256:
            return "already there"
        raise NotFetched(f"{path} is not the file that the figures were measured on. Move it away.")
    if source.address:
        content = download(source.address)
    elif atis is not None:
        content = convert_atis(atis)
    else:
        raise NotFetched(
            f"Download atis_intents.csv from {ATIS_PAGE} (it asks for an account), then run this "
            f"again with --atis FILE. Expected: {path} with the columns query and intent."
        )
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise NotFetched(
            f"The content has the sha256 {found[:12]}… instead of {source.sha256[:12]}…: it has "
            "changed or was damaged. Nothing was written."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    partial.replace(path)
    return f"written. {source.licence}."


def download(address: str) -> bytes:
    """Return what is at this address. Raises NotFetched."""
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise NotFetched(f"{address} cannot be read: {reason}. Try again with a network.") from None


def convert_atis(file: Path) -> bytes:
    """Return the queries of a file with lines of intent and query as CSV with a header.

    Raises NotFetched if the file cannot be read.
    """
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            rows = [row for row in csv.reader(opened, skipinitialspace=True) if row]
    except OSError as error:
        raise NotFetched(f"{file} cannot be read: {os.strerror(error.errno or 0)}.") from None
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["query", "intent"])
    writer.writerows([",".join(row[1:]).strip(), row[0].strip()] for row in rows)
    return out.getvalue().encode()


if __name__ == "__main__":
    sys.exit(main())
