# SPDX-License-Identifier: PostgreSQL
"""Checks a summary against summary.schema.json: as much of JSON Schema as that file uses."""

import json
import pathlib

PATH = pathlib.Path(__file__).with_name("summary.schema.json")
_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
          "integer": int, "number": (int, float)}
_KNOWN = {"$schema", "$defs", "$ref", "title", "description", "type", "required", "additionalProperties",
          "properties", "items", "enum", "const", "minimum", "anyOf"}


class _Checker:
    def __init__(self, root):
        self.root = root
        self.found = []

    def check(self, value, schema, where):
        """Add what is wrong with a value to found."""
        assert set(schema) <= _KNOWN, f"unknown keywords in {schema}"
        if "$ref" in schema:
            return self.check(value, self.root["$defs"][schema["$ref"].removeprefix("#/$defs/")], where)
        self._simple(value, schema, where)
        if isinstance(value, dict):
            self._object(value, schema, where)
        if isinstance(value, list):
            for number, item in enumerate(value):
                self.check(item, schema.get("items", {}), f"{where}[{number}]")
        return None

    def _simple(self, value, schema, where):
        kind = schema.get("type")
        if kind and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
            self.found.append(f"{where}: {value!r} is no {kind}")
        elif "minimum" in schema and value < schema["minimum"]:
            self.found.append(f"{where}: {value!r} is less than {schema['minimum']}")
        if value not in schema.get("enum", [value]) or schema.get("const", value) != value:
            self.found.append(f"{where}: {value!r} is not one of those there are")
        if "anyOf" in schema and not any(not problems(value, other, self.root) for other in schema["anyOf"]):
            self.found.append(f"{where}: is nothing of what it may be")

    def _object(self, value, schema, where):
        properties = schema.get("properties", {})
        self.found += [f"{where}: has no {name}" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            if name in properties:
                self.check(item, properties[name], f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                self.found.append(f"{where}: {name} is not known")


def problems(value, schema=None, root=None):
    """What is wrong with a summary: a list of texts, empty if nothing is."""
    root = root or json.loads(PATH.read_text())
    checker = _Checker(root)
    checker.check(value, schema or root, "summary")
    return checker.found
