"""The code of each method, found by the method's name and loaded when it is used."""

import importlib

from atota.dialects.common import MethodSpec
from atota.dialects.model import Dialect
from atota.errors import Refused
from atota.fota.base import Method, Options


def method_for(dialect: Dialect, *, block: int | None = None, read_back: bool = False) -> Method:
    """Return the method of a dialect.

    Args:
        dialect: the profile.
        block: bytes a block or piece, if not the profile's own.
        read_back: compare the written bytes with the package, where the module can be asked for them.

    Raises:
        Refused: the dialect has none, its code cannot be loaded, it takes no blocks of this length, or what
            was written cannot be read back.
    """
    spec = dialect.method
    if spec is None:
        raise Refused(f"no known way to push a package into {dialect.title}")
    if block is not None and (spec.longest_block is None or block > spec.longest_block):
        longest = spec.longest_block
        raise Refused(
            f"blocks of {block} bytes are not taken by {dialect.title} ({spec.kind})",
            hint="Leave the block length out: "
            + (
                f"a block has at most {longest} bytes."
                if longest
                else "this method does not cut the package."
            ),
        )
    if read_back and not spec.reads_back:
        raise Refused(
            f"no command is known that reads a package back from {dialect.title} ({spec.kind})",
            hint="Leave --verify read-back out: the module itself checks the package before it starts it.",
        )
    return code_of(type(spec))(dialect, spec, Options(block=block, read_back=read_back))


def code_of(kind: type[MethodSpec]) -> type[Method]:
    """Return the class that carries a method out.

    Raises:
        Refused: it cannot be loaded.
    """
    module, _, name = kind.code_path().partition(":")
    try:
        code = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        message = f"the code of the method {kind.method_name()} cannot be loaded: {error}"
        raise Refused(message, hint="Install the package that brings this method again.") from error
    if not (isinstance(code, type) and issubclass(code, Method)):
        raise Refused(f"{kind.code_path()}, the code of the method {kind.method_name()}, is not a Method")
    return code
