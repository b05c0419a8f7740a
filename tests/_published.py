"""Tiny files in each published layout, for the tests of the loaders."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FLIGHT_HEADER = (
    '"Month","DayofMonth","DayOfWeek","DepTime","UniqueCarrier","Origin","Dest","Distance","dep_delayed_15min"'
)
KDD12_HEADER = (
    '"click","impression","url_hash","ad_id","advertiser_id","depth","position","query_id","keyword_id",'
    '"title_id","description_id","user_id"'
)
AVAZU_HEADER = (
    "id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,app_category,device_id,"
    "device_ip,device_model,device_type,device_conn_type,C14,C15,C16,C17,C18,C19,C20,C21"
)
KKBOX_HEADER = (
    "msno,song_id,source_system_tab,source_screen_name,source_type,label,city,gender,registered_via,language,"
    "genre_ids,artist_name,isrc,bd,song_length"
)
DATASHOP_HEADER = (
    "Row\tAnon Student Id\tProblem Hierarchy\tProblem Name\tProblem View\tStep Name\tStep Start Time\t"
    "First Transaction Time\tCorrect Transaction Time\tStep End Time\tStep Duration (sec)\t"
    "Correct Step Duration (sec)\tError Step Duration (sec)\tCorrect First Attempt\tIncorrects\tHints\tCorrects\t"
    "KC(SubSkills)\tOpportunity(SubSkills)"
)


def pack(text: str, ending: str = "") -> bytes:
    """Return text as a file with the given ending holds it."""
    raw = text.encode()
    packers: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
    }
    return packers[ending](raw)


def put(folder: Path, name: str, text: str, ending: str = "") -> Path:
    """Write ``<folder>/<name><ending>``, making the folders."""
    path = folder / (name + ending)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pack(text, ending))
    return path


def lines(rows: list[str], header: str | None = None) -> str:
    return "\n".join([*([] if header is None else [header]), *rows]) + "\n"


def labels(n: int, seed: int = 0) -> np.ndarray:
    """0/1 labels, both always there several times."""
    return np.random.default_rng(seed).permutation(np.arange(n) % 3 == 0).astype(int)


def higgs(n: int = 60) -> str:
    values = np.random.default_rng(1).normal(size=(n, 28)).astype(np.float32)
    return lines([f"{y}," + ",".join(f"{v:.9g}" for v in row) for y, row in zip(labels(n), values, strict=True)])


def flight(n: int = 60, seed: int = 0) -> str:
    rows = [
        f'"c-{i % 12 + 1}","c-{i % 31 + 1}","c-{i % 7 + 1}",{600 + i},"AA","AP{i % 5}","DFW",{700 + i},"{"NY"[y]}"'
        for i, y in enumerate(labels(n, seed))
    ]
    return lines(rows, FLIGHT_HEADER)


def libsvm(n: int = 40, seed: int = 0) -> str:
    rows = [f"{y} {1 + i % 5}:0.5 {10 + i}:1 29890095:0.25" for i, y in enumerate(labels(n, seed))]
    return lines(rows)


def student_log(n: int = 60) -> str:
    rows = [f"{i // 20}\t{1000 + i % 7}\t{100 * (i % 20)}\t{y}\t{i % 3}" for i, y in enumerate(labels(n))]
    return lines(rows, "user_id\titem_id\ttimestamp\tcorrect\tskill_id")


def datashop(n: int = 60) -> str:
    rows = [
        f'{i + 1}\tst{i // 20}\tUnit A, Section {i % 2}\tP{i % 4}\t1\tx+{i % 6}="2"\t2005-09-09 12:23:34.0'
        f"\t2005-09-09 12:24:07.0\t\t2005-09-09 12:26:34.0\t30\t30\t\t{y}\t0\t0\t1\t"
        f"{'' if i % 5 == 0 else f'skill {i % 3}'}\t{i}"
        for i, y in enumerate(labels(n))
    ]
    return lines(rows, DATASHOP_HEADER)


def kdd12_log(n: int = 60) -> str:
    rows = [
        f'"{y}",1,{10710025208886284288 + i % 9},"{20000000 + i % 8}","{i % 7}",3,{i % 3 + 1},{i // 3},"{i % 4}",'
        f'"1","2","{i}"'
        for i, y in enumerate(labels(n))
    ]
    return lines(rows, KDD12_HEADER)


def kdd12_training(n: int = 60) -> str:
    rows = [
        f"{3 * y}\t{5 + i}\t{10710025208886284288 + i % 9}\t{20000000 + i % 8}\t7\t3\t1\t{i // 3}\t4\t1\t2\t{i}"
        for i, y in enumerate(labels(n))
    ]
    return lines(rows)


def criteo_x1(n: int = 30, seed: int = 0) -> str:
    numbers, ids = [f"I{k}" for k in range(1, 14)], [f"C{k}" for k in range(1, 27)]
    rows = [
        f"{y}," + ",".join("" if k == 2 and i % 4 == 0 else f"{0.01 * (i + k)}" for k in range(13)) + ","
        + ",".join(str(1000 * k + i % 3) for k in range(26))
        for i, y in enumerate(labels(n, seed))
    ]  # fmt: skip
    return lines(rows, ",".join(["label", *numbers, *ids]))


def criteo_raw(n: int = 30, header: bool = False) -> str:
    names = ["label", *(f"I{k}" for k in range(1, 14)), *(f"C{k}" for k in range(1, 27))]
    rows = [
        f"{y}\t" + "\t".join("" if (i + k) % 5 == 0 else str(i * k) for k in range(13)) + "\t"
        + "\t".join("" if (i + k) % 6 == 0 else f"{0x68FD1E64 + i % 4 + k:08x}" for k in range(26))
        for i, y in enumerate(labels(n))
    ]  # fmt: skip
    return lines(rows, "\t".join(names) if header else None)


def avazu_x1(n: int = 30, seed: int = 0) -> str:
    rows = [f"{y}," + ",".join(str(100 * k + i % 4) for k in range(22)) for i, y in enumerate(labels(n, seed))]
    return lines(rows, ",".join(["label", *(f"feat_{k}" for k in range(1, 23))]))


def avazu_raw(n: int = 30) -> str:
    rows = [
        f"{10000169349117863715 + i},{y},141021{i % 24:02d},1005,0,1fbe01fe,f3845767,28905ebd,ecad2386,7801e8d9,"
        f"07d7df22,a99f214a,{0xDDD2926E + i:08x},44956a24,1,2,15706,320,50,1722,0,35,-1,{i % 3}"
        for i, y in enumerate(labels(n))
    ]
    return lines(rows, AVAZU_HEADER)


def kkbox_x1(n: int = 30, seed: int = 0) -> str:
    rows = [
        f'u{i % 6}=,s{i}=,my library,"Local, playlist",local-library,{y},{i % 5},{"" if i % 3 else "female"},9,3.0,'
        f'465|{i % 4},"The ""Band"" {i % 3}",TW,{i % 8},{200000 + i}'
        for i, y in enumerate(labels(n, seed))
    ]
    return lines(rows, KKBOX_HEADER)


def kkbox_raw(n: int = 30) -> dict[str, str]:
    rows = [f"u{i % 6}=,s{i % 9}=,explore,Explore,online-playlist,{y}" for i, y in enumerate(labels(n))]
    members = [f"u{i}=,{i},{20 + i},{'' if i % 2 else 'male'},7,20110820,20170920" for i in range(5)]
    songs = [f's{i}=,{247640 + i},46{i % 2},"Singer, ""{i}""\nand friends",,Someone,3.0' for i in range(9)]
    return {
        "train.csv": lines(rows, "msno,song_id,source_system_tab,source_screen_name,source_type,target"),
        "members.csv": lines(members, "msno,city,bd,gender,registered_via,registration_init_time,expiration_date"),
        "songs.csv": lines(songs, "song_id,song_length,genre_ids,artist_name,composer,lyricist,language"),
    }


def movielens_x1(n: int = 30, seed: int = 0) -> str:
    rows = [f"{y},{i % 7},{100 + i % 5},{1000 + i % 11}" for i, y in enumerate(labels(n, seed))]
    return lines(rows, "label,user_id,item_id,tag_id")


def movielens_afn(n: int = 30, seed: int = 0) -> str:
    return lines([f"{y} {i % 7}:1 {100 + i % 5}:1 {1000 + i % 11}:1" for i, y in enumerate(labels(n, seed))])


def movielens_ratings(n: int = 60) -> str:
    stars = np.where(labels(n) == 1, 4 + np.arange(n) % 2, 1 + np.arange(n) % 3)
    rows = [f"{i % 3}\t{100 + i % 5}\t{s}\t{881250949 + 7 * (i * 37 % n)}" for i, s in enumerate(stars)]
    return lines(rows, "user_id:token\titem_id:token\trating:float\ttimestamp:float")


def zipped(files: dict[str, str], folder: str = "") -> bytes:
    """Return a zip archive with the files, below a folder if given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(folder + name, text)
    return buffer.getvalue()


def many_clicks(folder: Path) -> dict[str, Any]:
    """Put Criteo-like rows with numbers of few distinct values, missing ones, small and large categories.

    Returns the arguments for `datasets.load`; with blocks of 30,000 bytes they become 9 or more row groups.
    """
    rng = np.random.default_rng(0)
    n = 3_000
    numbers = np.where(rng.random((n, 13)) < 0.2, "", rng.integers(0, 60, (n, 13)).astype(str))
    ids = rng.integers(0, 9, (n, 26))
    ids[:, 3] = rng.integers(0, 900, n)
    ids = np.where(rng.random((n, 26)) < 0.1, "", ids.astype(str))
    signal = np.where(numbers[:, 0] == "", 0, 1) + (ids[:, 0] == "3") + rng.normal(size=n)
    columns = ["label", *(f"I{k}" for k in range(1, 14)), *(f"C{k}" for k in range(1, 27))]
    frame = pd.DataFrame(np.column_stack([(signal > 1.2).astype(int).astype(str), numbers, ids]), columns=columns)
    put(folder / "criteo", "train.txt", frame.to_csv(index=False, sep="\t", header=False))
    return {"name": "criteo", "split": "train", "seed": 1, "data_dir": folder}
