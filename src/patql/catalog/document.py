"""A provider document after compilation: provider, service, resource, method, with every reference resolved.

This is what the engine plans from, what the API serves by, and what the documentation page is made of. It holds no
YAML and no `$ref`; `catalog.build` makes it from an OpenAPI document with `x-stackQL-resources`, and
`catalog.load` reads it back.
"""

from enum import StrEnum

import msgspec


class Access(StrEnum):
    """The SQL verb by which a method is reached; EXEC where no verb names it."""

    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    REPLACE = "REPLACE"
    DELETE = "DELETE"
    EXEC = "EXEC"


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """A property of a row, or of a request body.

    Attributes:
        name: as on the wire.
        type: the JSON type: integer, number, string, boolean, object or array.
        description: Markdown of a sentence or a few.
        format: OpenAPI's format, such as `date-time`.
        nullable: whether the server may send null.
        read_only: set by the server; a request can't change it.
        filterable: whether every server of this API filters and sorts by it.
        filterable_extension: whether PatQL's own server filters and sorts by it although others don't
            (`x-patql-filterable-extension`).
        once: the server sends it in full only in the response that creates the row (`x-patql-once`).
        never: a date so far ahead that it stands for "never" is read as NULL (`x-patql-never`).
        immutable: why it can't change after creation, as a sentence for the user (`x-patql-immutable`).
        min_length: characters, where the schema says so.
        max_length: characters, where the schema says so.
        shape: the DuckDB type of a nested value, such as `STRUCT(login VARCHAR, id BIGINT)`; None where it is JSON of
            any shape, or not nested.
        holds_password: whether a part of a nested value of a request is a password, however deep.
    """

    name: str
    type: str
    description: str = ""
    format: str | None = None
    nullable: bool = False
    read_only: bool = False
    filterable: bool = False
    filterable_extension: bool = False
    once: bool = False
    never: bool = False
    immutable: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    shape: str | None = None
    holds_password: bool = False

    @property
    def secret(self) -> bool:
        """Whether what a request has for it isn't to be shown."""
        return self.once or self.format == "password" or self.holds_password


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input of a method that isn't in its body.

    `location` is path, query, header or server (a variable of the server's URL); `key_column` names the column of the
    row that a path parameter selects by; `minimum` and `maximum` bound an integer; `default` is the value of a server's
    variable that isn't given, and `variable` the environment variable that gives it; a slash in the value of one with
    `segments` stands in the path as it is; an `extension` is one that PatQL's own server takes and others don't
    (`x-patql-extension`).
    """

    name: str
    location: str
    type: str
    required: bool = False
    description: str = ""
    minimum: int | None = None
    maximum: int | None = None
    key_column: str | None = None
    default: str | None = None
    variable: str | None = None
    segments: bool = False
    extension: bool = False


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a request carries: `naive` bodies name their properties plainly, others also as `data__x`.

    `nested` is the key under which the properties stand, None where they are the body's own.
    """

    media_type: str
    columns: tuple[Column, ...]
    required: tuple[str, ...] = ()
    naive: bool = True
    nested: str | None = None


class Paging(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a list is read to its end, by page number.

    Attributes:
        page: query parameter that takes the page's number, from 1.
        size: query parameter that takes rows a page, None where there is none.
        size_maximum: the most rows a page.
        pages_key: dotted path in the response of the number of pages.
        results_key: dotted path in the response of the number of rows in all, None where there is none.
        version_header: lower-case response header that changes when the list does (`x-patql-version-header`), None
            where there is none.
    """

    page: str
    pages_key: str
    size: str | None = None
    size_maximum: int | None = None
    results_key: str | None = None
    version_header: str | None = None


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a list is read to its end, where each response says how to ask for the next.

    Attributes:
        kind: `token`, a value to send with the next request; `link`, the URL of `rel=next` in a Link header
            (RFC 8288); `url`, the next request's URL.
        source: where the token or the URL stands: `body` or `header`.
        key: the dotted path in the body, or the lower-case name of the header; a property whose whole name is the key,
            dots and all (`@odata.nextLink`), goes before the path.
        parameter: what takes the token in the next request; empty for `link` and `url`.
        location: where the parameter goes: `query`, `header` or `body`.
        size: query parameter that takes rows a page, None where there is none.
        size_maximum: the most rows a page.
    """

    kind: str
    source: str
    key: str
    parameter: str = ""
    location: str = "query"
    size: str | None = None
    size_maximum: int | None = None


class Auth(msgspec.Struct, frozen=True, omit_defaults=True):
    """How requests are authorised.

    Attributes:
        type: `null`, `bearer`, `basic`, `api_key` or `custom`; any other can't be done.
        variables: environment variables that the document names: one of a token or a key, or two of a user's name and
            password.
        location: of a key: `header` or `query`.
        name: of the header or the query parameter.
        prefix: what stands before the key, such as `Bearer `.
        successor: what is sent as well.
    """

    type: str
    variables: tuple[str, ...] = ()
    location: str = "header"
    name: str = "Authorization"
    prefix: str = ""
    successor: "Auth | None" = None


class Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request that does for many rows, all or none, what a method does for one (`x-patql-batch`).

    Attributes:
        operation_id: OpenAPI's operationId.
        verb: the HTTP verb, upper case.
        path: of its requests.
        scopes: the OAuth scopes that it needs, all of them.
        items: the property of its body that has an entry for each row: the method's body, with the row's key in it
            where there is one, or the key alone where the method has no body.
        rows: the property of its answer that has the method's answer for each row, in order; None where those say
            nothing.
        key: the property of an entry that holds the row's key, None where the entry is the key or there is none.
    """

    operation_id: str
    verb: str
    path: str
    items: str
    rows: str | None = None
    key: str | None = None
    scopes: tuple[str, ...] = ()


class Method(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation of a resource.

    Attributes:
        name: unique in its resource.
        access: the SQL verb that reaches it.
        operation_id: OpenAPI's operationId.
        verb: the HTTP verb, upper case.
        path: a template such as `/profile/tokens/{tokenId}`.
        description: Markdown.
        parameters: in document order.
        scopes: the OAuth scopes that the operation needs, all of them; empty where any token will do.
        columns: of a row, after `object_key`.
        sent: the top-level properties of the response as the server sends it.
        object_key: the dotted path of the rows in the response, such as `data`, `a.b` or `a[*].c`; None where the
            response itself is the one row, or the list of rows.
        paging: how a list is read on by page number, None where it isn't.
        cursor: how a list is read on otherwise, None where it isn't.
        server: the template of the base URL, where the document's servers are used: `https://{region}.example.com/v1`.
        unsupported: what its document asks for and isn't done, a sentence each; such a method can't be called.
        batch: what does the same for many rows where the server is ours, None where nothing does.
    """

    name: str
    access: Access
    operation_id: str
    verb: str
    path: str
    description: str
    parameters: tuple[Parameter, ...] = ()
    scopes: tuple[str, ...] = ()
    body: Body | None = None
    columns: tuple[Column, ...] = ()
    sent: tuple[Column, ...] = ()
    object_key: str | None = None
    paging: Paging | None = None
    cursor: Cursor | None = None
    server: str | None = None
    unsupported: tuple[str, ...] = ()
    batch: Batch | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the parameters that must be given."""
        return tuple(p.name for p in self.parameters if p.required)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the columns that its response holds in full and no other will: those of a method that creates."""
        return (
            tuple(c.name for c in self.columns if c.once) if self.verb == "POST" else ()
        )

    def as_sent(self) -> "Method":
        """The same with its response as one row: nothing unwrapped or read on, and no date read as "never"."""
        columns = tuple(msgspec.structs.replace(c, never=False) for c in self.sent)
        return msgspec.structs.replace(
            self, columns=columns, object_key=None, paging=None, cursor=None
        )

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name, in any case, or None."""
        folded = name.casefold()
        return next((p for p in self.parameters if p.name.casefold() == folded), None)


class Resource(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table: `id` is `provider.service.resource`; `methods` are in the order of the documentation page."""

    id: str
    name: str
    title: str
    description: str
    methods: tuple[Method, ...]

    def by_access(self, access: Access) -> tuple[Method, ...]:
        """The methods that a SQL verb may use, in document order."""
        return tuple(m for m in self.methods if m.access is access)

    def method(self, name: str) -> Method | None:
        """The method of that name, in any case, or None."""
        folded = name.casefold()
        return next((m for m in self.methods if m.name.casefold() == folded), None)

    @property
    def key(self) -> str | None:
        """The column whose value selects one row, None where no SELECT method takes one."""
        parameters = (p for m in self.by_access(Access.SELECT) for p in m.parameters)
        return next((p.key_column for p in parameters if p.key_column), None)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a row: those of the first SELECT method, else of the first method."""
        readable = self.by_access(Access.SELECT) or self.methods
        return readable[0].columns if readable else ()


class Service(msgspec.Struct, frozen=True, omit_defaults=True):
    """A group of resources.

    `servers` are base URLs, the first one the default; `scopes` are all the OAuth scopes that its document names, as
    `category:level`; `missing` says why nothing is known of it, None where its document was read.
    """

    id: str
    name: str
    title: str
    description: str
    version: str
    preferred: bool
    servers: tuple[str, ...]
    resources: tuple[Resource, ...]
    scopes: tuple[str, ...] = ()
    missing: str | None = None


class Provider(msgspec.Struct, frozen=True, omit_defaults=True):
    """One API and its services.

    `token_variable` is the environment variable that its document names for auth; `auth` is how requests are
    authorised, None where the target knows; `warnings` are sentences about what its documents ask for and isn't done.
    """

    id: str
    name: str
    version: str
    title: str
    description: str
    services: tuple[Service, ...]
    token_variable: str | None = None
    auth: Auth | None = None
    warnings: tuple[str, ...] = ()
