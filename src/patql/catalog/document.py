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


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input of a method that isn't in its body.

    `location` is path, query or header; `key_column` names the column of the row that a path parameter selects by;
    `minimum` and `maximum` bound an integer.
    """

    name: str
    location: str
    type: str
    required: bool = False
    description: str = ""
    minimum: int | None = None
    maximum: int | None = None
    key_column: str | None = None


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a request carries: `naive` bodies name their properties plainly, others also as `data__x`."""

    media_type: str
    columns: tuple[Column, ...]
    required: tuple[str, ...] = ()
    naive: bool = True


class Paging(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a list is read to its end, by page number.

    Attributes:
        page: query parameter that takes the page's number, from 1.
        size: query parameter that takes rows a page, None where there is none.
        size_maximum: the most rows a page.
        pages_key: top-level key of the response that holds the number of pages.
        results_key: top-level key of the response that holds the number of rows in all, None where there is none.
        version_header: lower-case response header that changes when the list does (`x-patql-version-header`), None
            where there is none.
    """

    page: str
    pages_key: str
    size: str | None = None
    size_maximum: int | None = None
    results_key: str | None = None
    version_header: str | None = None


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
        object_key: the top-level key that holds the rows; None where the response itself is the one row.
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
    `category:level`.
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


class Provider(msgspec.Struct, frozen=True, omit_defaults=True):
    """One API and its services; `token_variable` is the environment variable that its document names for auth."""

    id: str
    name: str
    version: str
    title: str
    description: str
    services: tuple[Service, ...]
    token_variable: str | None = None
