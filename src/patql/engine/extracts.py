"""Parts of JSON against text: `json_extract(owner, '$.login') = 'ada'`.

DuckDB would read the text as JSON too, and say that it is malformed; or compare the JSON text `"12345"`, quotes and all,
with `12345`. SQLite compares the text that is there. So where one side is text, the part is taken as text.
"""

import re

import msgspec
from sqlglot import exp

from patql.engine.scope import bare

_EQUALITIES = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)
_ORDERS = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between)
_PATTERNS = (exp.Like, exp.ILike, exp.SimilarTo, exp.RegexpLike)

_NUMBER_OR_TRUTH = re.compile(r"-?\d.*|true|false")


def compare_extracts(tree: exp.Expr) -> bool:
    """Take the part of JSON as text where a comparison, BETWEEN, IN, LIKE or CASE has text on the other side.

    Returns whether the tree has to be written anew: also where a part stands beside an operator, which binds more
    tightly to DuckDB than `->` does.
    """
    found = False
    for node in list(tree.find_all(exp.JSONExtract)):
        place = _outermost(node)
        holder = place.parent
        if not isinstance(
            holder, (*_EQUALITIES, *_ORDERS, *_PATTERNS, exp.In, exp.Case)
        ):
            continue
        found = True
        others = [bare(other) for other in _others(holder, place)]
        if others and all(_is_text(other, holder) for other in others):
            node.replace(exp.JSONExtractScalar(**_parts(node)))
    return found


def _outermost(node: exp.Expr) -> exp.Expr:
    """A node with the parentheses around it."""
    while isinstance(node.parent, exp.Paren):
        node = node.parent
    return node


def _others(holder: exp.Expr, place: exp.Expr) -> list[exp.Expr]:
    """What an operand is compared with."""
    if isinstance(holder, exp.Case):
        return (
            [branch.this for branch in holder.args["ifs"]]
            if holder.this is place
            else []
        )
    operands = [holder.args.get(key) for key in ("this", "expression", "low", "high")]
    return [
        o for o in (*operands, *holder.expressions) if o is not None and o is not place
    ]


def _is_text(other: exp.Expr, holder: exp.Expr) -> bool:
    """Whether a literal, compared in that way, can't be meant as JSON."""
    if not isinstance(other, exp.Literal) or not other.is_string:
        return False
    text = other.name
    if isinstance(holder, _PATTERNS):
        return '"' not in text
    if _NUMBER_OR_TRUTH.fullmatch(text) and not isinstance(holder, _ORDERS):
        return True
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return True
    return False


def _parts(extract: exp.JSONExtract) -> dict[str, object]:
    return {
        key: extract.args[key] for key in ("this", "expression") if key in extract.args
    }
