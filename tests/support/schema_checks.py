"""What the tests of schemas share: YAML as our parser reads it, the parser's answers, and counts of checks."""

import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml


class Loader(yaml.SafeLoader):
    """Plain words as in YAML 1.2 (and in our parser): `yes` is a string, 0o17 a number."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("tag:yaml.org,2002:null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("tag:yaml.org,2002:int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", list("-+0123456789")),
    ("tag:yaml.org,2002:float", r"[-+]?(?:[.][0-9]+|[0-9]+[.][0-9]*)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
]:
    Loader.add_implicit_resolver(tag, re.compile(f"^{pattern}$"), first)


def integer(loader, node):
    text = node.value
    return int(text, 8) if text.startswith("0o") else int(text, 16) if text.startswith("0x") else int(text)


Loader.add_constructor("tag:yaml.org,2002:int", integer)


class Schema:
    def __init__(self, content):
        jsonschema.Draft7Validator.check_schema(content)
        self.content = content
        self.validator = jsonschema.Draft7Validator(content)

    def error(self, text):
        """None: it takes the document."""
        found = next(self.validator.iter_errors(yaml.load(text, Loader=Loader)), None)
        return None if found is None else found.message


class Checks:
    """`checker` is the program check-policy."""

    def __init__(self, checker):
        self.checker = checker
        self.failures = 0
        self.checks = 0

    def expect(self, what, condition, detail=""):
        self.checks += 1
        if not condition:
            self.failures += 1
            print(f"failed: {what} {detail}".rstrip())

    def parser_error(self, kind, text):
        """None: it takes the document."""
        with tempfile.TemporaryDirectory() as place:
            path = pathlib.Path(place) / "document.yaml"
            path.write_text(text)
            done = subprocess.run([self.checker, kind, str(path)], capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done
        return done.stderr.strip() if done.returncode == 1 else None

    def both_take(self, schema, kind, what, text):
        refusal, error = schema.error(text), self.parser_error(kind, text)
        self.expect(f"{kind} {what}: schema takes it", refusal is None, refusal)
        self.expect(f"{kind} {what}: parser takes it", error is None, error)

    def both_refuse(self, schema, kind, what, text):
        self.expect(f"{kind} {what}: schema refuses", schema.error(text) is not None)
        self.expect(f"{kind} {what}: parser refuses", self.parser_error(kind, text) is not None)

    def parser_refuses(self, kind, what, text):
        error = self.parser_error(kind, text)
        self.expect(f"{kind} {what}: parser refuses", error is not None)
        place_named = error is not None and re.search(r"document\.yaml:\d+:\d+: ", error)
        self.expect(f"{kind} {what}: with line and column", place_named, error)

    def end(self, name):
        print(f"{name}: {self.checks - self.failures} of {self.checks} checks passed")
        sys.exit(1 if self.failures else 0)
