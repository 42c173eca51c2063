"""The checks of DESIGN 3.4 that a program can make: docstrings, sentences and names."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

_QUESTIONS = "What Whether How Where When Which Who Whom Whose Why Whoever Whatever Nobody Somebody"
_THIRD_PERSONS = """
    Returns Sends Gets Makes Tells Reads Writes Plays Brings Finds Fills Serves Asks Opens Takes Goes Waits
    Does Has Is Are Keeps Holds Says Gives Starts Checks Parses Puts Turns Runs Knows Can May Must Looks Shows
    Lets
"""
_FIRST_WORDS = frozenset((_QUESTIONS + " " + _THIRD_PERSONS).split())
_NO_NOUN = re.compile(r"(?<!there )\b(?:is|are|was|were|be) (?:no|none)\b(?! longer)")
_SUBJECT = re.compile(r"\b(?:whoever|somebody|nobody)\b", re.IGNORECASE)
_NAMES = """
    told found wanted place places mine road takeover take_over retold left gone said came heard asked go
    told_now give_back take_up locate hear see_through
"""
NAMES = frozenset(_NAMES.split())
"""Participles without a type, and names that the vocabulary replaced. Documents may have such fields."""
SUBJECT_LINE = re.compile(r"(?:README|CHANGELOG|CONTRIBUTING|[a-z0-9][a-z0-9 ,/_.*-]*): \S.{0,70}")


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and node.body:
                yield node.body[0].lineno, text


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield variables, arguments, functions and classes of a file, without the fields of classes."""
    fields = {
        id(inner.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for inner in node.body
        if isinstance(inner, ast.AnnAssign)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in fields:
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def problems(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the broken rule for each offence in one file's source."""
    tree = ast.parse(source)
    for line, text in docstrings(tree):
        if re.match(r"\w*", text)[0] in _FIRST_WORDS:  # type: ignore[index]
            yield line, f"rule 1: a docstring begins {text[:40]!r}"
    for line, text in (*strings(tree), *comments(source)):
        if match := _NO_NOUN.search(text):
            yield line, f"rule 4: {text[max(0, match.start() - 20) : match.end() + 20]!r}"
        if match := _SUBJECT.search(text):
            yield line, f"rule 3: {match[0]!r} in {text[max(0, match.start() - 20) : match.end() + 20]!r}"
    for line, name in names(tree):
        if name.strip("_") in NAMES:
            yield line, f"rule 5: the name {name!r} has no type"
