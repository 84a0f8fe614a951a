"""What NULL does to an expression, as far as the text alone can tell."""

from sqlglot import exp

_STRICT = (
    *(exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Paren, exp.Neg),
    *(exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var),
    *(exp.Add, exp.Sub, exp.Mul, exp.DPipe, exp.Lower, exp.Upper),
    *(exp.SplitPart, exp.Substring, exp.Trim, exp.Replace),
)
_COMPARISONS = (
    *(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE),
    *(exp.Like, exp.Between, exp.In),
)


def is_strict(expression: exp.Expr) -> bool:
    """Whether an expression is NULL wherever a column in it is."""
    return all(isinstance(node, _STRICT) for node in expression.walk())


def rejects_null(condition: exp.Expr) -> bool:
    """Whether a condition isn't met where all columns in it are NULL."""
    if isinstance(condition, exp.Paren):
        return rejects_null(condition.this)
    if isinstance(condition, (exp.And, exp.Or)):
        return rejects_null(condition.this) and rejects_null(condition.expression)
    if not isinstance(condition, _COMPARISONS) or condition.args.get("query"):
        return False
    if condition.find(exp.Column) is None:
        return False
    return all(is_strict(part) for part in condition.iter_expressions())
