"""Model files made to do harm, each with a right checksum: only the checks stand between them and the reader."""

from __future__ import annotations

import hashlib
import json
from typing import Any

BEGIN = '{"__metadata__":{"format":"scratchnet","version":"%s","sha256":"%s","content":%s}%s}'


def forge(content: Any, entries: str = "", data: bytes = b"", version: Any = 1) -> bytes:
    """A file with the right checksum, whatever is in it: ``content`` a JSON text, ``entries`` more of the header."""
    text = BEGIN % (version, "0" * 64, json.dumps(content), entries and "," + entries)
    header = text.encode("utf-8", "surrogatepass")
    start = len(header).to_bytes(8, "little")
    digest = hashlib.sha256(start + header + data).hexdigest()
    return start + header.replace(b"0" * 64, digest.encode(), 1) + data


def entry(name: str, dtype: str = '"F32"', shape: str = "[2]", offsets: str = "[0,8]") -> str:
    """The description of one array, as JSON."""
    return f'"{name}":{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}}}'


def architecture(*inner: Any, cls: str = "Sequential", **config: Any) -> str:
    """The content of a model file with this network, as JSON."""
    return json.dumps({
        "kind": "model", "weights": ["a"], "input_shape": [3], "optimizer": None,
        "architecture": {"class_name": cls, "config": {"name": "m", "dtype": "float32", "layers": inner, **config}},
    })  # fmt: skip


def dense(units: Any, **config: Any) -> dict[str, Any]:
    """A Dense layer as a file describes it."""
    return {"class_name": "Dense", "config": {"units": units, **config}}


EIGHT = b"\0" * 8
A = entry("a")
DEEP: dict = {"class_name": "Sequential", "config": {"layers": []}}
for _ in range(100):
    DEEP = {"class_name": "Sequential", "config": {"layers": [DEEP]}}
CRAFTED = {
    "nothing": b"",
    "seven bytes": b"\1" * 7,
    "zeros": bytes(4096),
    "a header of 2^63": (2**63).to_bytes(8, "little") + b"{}",
    "a header beyond the file": (10**6).to_bytes(8, "little") + b"{}",
    "a header beyond what is allowed": forge("{}", entry("a" * (9 << 20)), EIGHT),
    "text": b"epoch,loss\n0,1.0\n" * 9,
    "zip": b"PK\x03\x04" + bytes(100),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "pickle": b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
    "another library's": (2).to_bytes(8, "little") + b"{}",
    "a newer format": forge("{}", version=2),
    "format 0": forge("{}", version=0),
    "an absurd version": forge("{}", version="9" * 30),
    "content that is no JSON": forge("{", A, EIGHT),
    "content that is no text": forge(7, A, EIGHT),
    "content that is a number": forge("7", A, EIGHT),
    "content without a kind": forge("{}", A, EIGHT),
    "lone surrogate": forge("\ud800", A, EIGHT),
    "not UTF-8": forge("{}", entry("b").replace("b", "\udcff"), EIGHT),
    "overlap": forge("{}", A + "," + entry("b", offsets="[4,12]"), EIGHT + EIGHT),
    "twice the same place": forge("{}", A + "," + entry("b"), EIGHT),
    "a gap": forge("{}", A + "," + entry("b", offsets="[16,24]"), EIGHT * 3),
    "beyond the end": forge("{}", entry("a", shape="[4]", offsets="[0,16]"), EIGHT),
    "bytes left over": forge("{}", A, EIGHT + b"more"),
    "backwards": forge("{}", entry("a", shape="[0]", offsets="[8,0]"), b""),
    "2^40 numbers": forge("{}", entry("a", shape=f"[{2**40}]", offsets=f"[0,{2**42}]"), EIGHT),
    "shape and place disagree": forge("{}", entry("a", shape="[3]"), EIGHT),
    "product overflows to 2": forge("{}", entry("a", shape=f"[{2**63},{2**63},2]"), EIGHT),
    "a thousand axes": forge("{}", entry("a", shape="[" + ",".join(["1"] * 1000) + ",2]"), EIGHT),
    "negative extent": forge("{}", entry("a", shape="[-1,-2]"), EIGHT),
    "NaN extent": forge("{}", entry("a", shape="[NaN]"), EIGHT),
    "infinite extent": forge("{}", entry("a", shape="[Infinity]"), EIGHT),
    "float extent": forge("{}", entry("a", shape="[2.0]"), EIGHT),
    "true extent": forge("{}", entry("a", shape="[true,2]"), EIGHT),
    "an extent of 5000 digits": forge("{}", entry("a", shape=f"[{'9' * 5000}]"), EIGHT),
    "shape is a text": forge("{}", entry("a", shape='"2"'), EIGHT),
    "shape is null": forge("{}", entry("a", shape="null"), EIGHT),
    "three offsets": forge("{}", entry("a", offsets="[0,4,8]"), EIGHT),
    "unknown dtype": forge("{}", entry("a", dtype='"O"'), EIGHT),
    "dtype is a list": forge("{}", entry("a", dtype="[]"), EIGHT),
    "entry is a list": forge("{}", '"a":[1,2]', EIGHT),
    "entry lacks its dtype": forge("{}", '"a":{"shape":[2],"data_offsets":[0,8]}', EIGHT),
    "entry has more": forge("{}", A[:-1] + ',"code":1}', EIGHT),
    "a name twice": forge("{}", A + "," + A, EIGHT),
    "metadata twice": forge("{}", '"__metadata__":{},' + A, EIGHT),
    "nested 100,000 deep": forge("[" * 10**5 + "]" * 10**5, A, EIGHT),
    "header nested deep": forge("{}", '"a":' + "[" * 10**5 + "]" * 10**5, EIGHT),
    "lists that swell": forge("[" + "[]," * 10**6 + "[]]", A, EIGHT),
    "dicts that swell": forge("{}", '"a":[' + "{}," * 10**6 + "{}]", EIGHT),
    "array that is not there": forge('{"kind":{"__array__":"b"}}', A, EIGHT),
    "array with no name": forge('{"kind":{"__array__":[]}}', A, EIGHT),
    "kind is unknown": forge('{"kind":"code"}', A, EIGHT),
    "weights is a number": forge('{"kind":"weights","weights":5}', A, EIGHT),
    "weights that are not there": forge('{"kind":"model","weights":["b"]}', A, EIGHT),
    "network of 2^40 units": forge(architecture(dense(2**40)), A, EIGHT),
    "network of 2^20 by 2^20": forge(architecture(dense(2**20), dense(2**20)), A, EIGHT),
    "network of -1 units": forge(architecture(dense(-1)), A, EIGHT),
    "network of NaN units": forge(architecture(dense(float("nan"))), A, EIGHT),
    "units is a dict": forge(architecture(dense({})), A, EIGHT),
    "an unknown argument": forge(architecture(dense(2, hook="os.system")), A, EIGHT),
    "os.system": forge(architecture(cls="os.system"), A, EIGHT),
    "a dunder": forge(architecture(dense(2, __class__="x")), A, EIGHT),
    "an activation by path": forge(architecture(dense(2, activation="os.system")), A, EIGHT),
    "an initializer by path": forge(
        architecture(dense(2, kernel_initializer={"class_name": "os.system", "config": {"command": "id"}})), A, EIGHT
    ),
    "a Dense that is no Sequential": forge(architecture(cls="Dense", units=3), A, EIGHT),
    "layers nested 100 deep": forge(architecture(DEEP), A, EIGHT),
    "layers is a text": forge(architecture(layers="Dense"), A, EIGHT),
    "layers are numbers": forge(architecture(1, 2), A, EIGHT),
    "dtype of the model": forge(architecture(dense(2), dtype="object"), A, EIGHT),
    "input of 2^62": forge(architecture(dense(2)).replace('"input_shape": [3]', f'"input_shape": [{2**62}]'), A, EIGHT),
    "input of NaN": forge(architecture(dense(2)).replace('"input_shape": [3]', '"input_shape": [NaN]'), A, EIGHT),
    "input is a text": forge(architecture(dense(2)).replace('"input_shape": [3]', '"input_shape": "3"'), A, EIGHT),
    "no input": forge(architecture(dense(2)).replace('"input_shape": [3]', '"input_shape": null'), A, EIGHT),
}
