"""Signatures that cannot be submitted, and the words with which each is refused."""

from tests.signatures.case import Case, refused

NOT_STORED = "parameter 'it' would not reach the task"
ANOTHER = "Use another type, without serializers, aliases, exclude=True, init=False and InitVar of its own."
NO_FIELD = "parameter 'it' has a type without a form field. docs/tasks.md lists the types that have one."
UNION = "parameter 'it' is a union without a discriminator. Use one type, or models with a discriminator."
BAD_DEFAULT = "parameter 'it' has a default that is not valid."
NO_VALUE = "parameter 'it' accepts nothing that its form can send."
UNUSABLE = "parameter 'it' has a type that cannot be used"
FLAG = "parameter 'it' is a Flag, whose combinations have no form field. Use set[...] of an Enum instead."
ONCE = "parameter 'it' can be read only once, so it cannot be stored. Use list[...] instead."
KEYS = "parameter 'it' has dictionary keys of another type than strings, integers and dates."
ALIAS = "has an alias, so its stored value could not be read again. For a label, use a title."
CHOICES = "Give each choice a text of its own."
KEYWORD = "parameter 'it' must accept a keyword argument: remove * or /"

WITHOUT_FIELD = (
    *("Any", "object", "bytes", "None", "list", "dict", "tuple[()]", "type", "type[int]", "Callable", "Hashable"),
    *("pathlib.Path", "FilePath", "DirectoryPath", "NewPath", "re.Pattern", "Json", "Json[int]", "Base64Str"),
    *("Base64Bytes", "ipaddress.IPv4Address", "ipaddress.IPv6Network", "IPvAnyAddress", "NameEmail", "PostgresDsn"),
    *("Self", "Annotated[int, PlainValidator(lambda value: int(value))]", "dict[str, Any]", "list[object]"),
)
UNIONS = (
    *("int | float", "float | Decimal", "int | bool", "date | datetime", "time | datetime", "UUID | str"),
    *("str | int | None", "list[int | str]", "fractions.Fraction", "ByteSize", "Annotated[int | float, Field(ge=1)]"),
    *("Circle | Square",),
)
UNSERVED = ("ChainMap[str, int]", "LiteralString", "Never", "Collection[int]")

CASES: dict[str, Case] = {
    **{takes: refused(f"it: {takes}", NO_FIELD) for takes in WITHOUT_FIELD},
    **{takes: refused(f"it: {takes}", UNION) for takes in UNIONS},
    **{takes: refused(f"it: {takes}", UNUSABLE) for takes in UNSERVED},
    "complex": refused("it: complex", "is a complex number, which has no form field. Use two numbers instead."),
    "IntFlag": refused("it: Rights", FLAG),
    "Flag": refused("it: Marks", FLAG),
    "IntFlag in a set": refused("it: set[Rights]", FLAG),
    "IntFlag with a default": refused("it: Rights | None = Rights.READ", FLAG),
    "Enum of tuples": refused("it: Pairs", "is an Enum with values that cannot be stored."),
    "Enum of equal texts": refused("it: Numbered", CHOICES),
    "Literal of equal texts": refused('it: Literal[1, "1"]', CHOICES),
    "Literal of an Enum's member": refused("it: Literal[Colour.RED]", "Use these, or an Enum."),
    "Literal of bytes": refused('it: Literal[b"a"]', "is a Literal of other values than texts and numbers."),
    "Iterable": refused("it: Iterable[int]", ONCE),
    "Generator": refused("it: Generator[int, None, None]", ONCE),
    "Iterator": refused("it: Iterator[int]", UNUSABLE),
    "dict of integer enums": refused("it: dict[Level, int]", KEYS),
    "dict of tuples": refused("it: dict[tuple[int, int], str]", KEYS),
    "dict of floats": refused("it: dict[float, str]", KEYS),
    "excluded": refused("it: Annotated[int, Field(exclude=True)]", NOT_STORED),
    "excluded part": refused("it: Excluded", NOT_STORED),
    "excluded part with a default": refused("it: ExcludedDefault", NOT_STORED),
    "excluded part of a part": refused("it: list[Excluded]", NOT_STORED),
    "excluded part of a variant": refused("it: OneCrooked", NOT_STORED),
    "serialized as something else": refused("it: Euros", ANOTHER),
    "serialized in capitals": refused("it: Upper", ANOTHER),
    "serialized by the name of a choice": refused(
        "it: Annotated[Colour, PlainSerializer(lambda colour: colour.name)]", ANOTHER
    ),
    "a serializer of a field": refused("it: FieldSerializer", ANOTHER),
    "a serializer of a model": refused("it: ModelSerializer", ANOTHER),
    "serialized under another name": refused("it: Written", ANOTHER),
    "an alias": refused("it: Renamed", ALIAS),
    "an alias for all": refused("it: Shouting", ALIAS),
    "an alias of a parameter": refused('it: Annotated[int, Field(alias="b")]', "parameter 'b' has an alias"),
    "not an argument": refused("it: Filled", "parameter 'it' has a part that its form cannot send. it.y"),
    "an argument that is not kept": refused("it: Scaled", f"{NOT_STORED}: its part 'it.scale' is not stored."),
    "objects that are never equal": refused("it: Alone", NOT_STORED),
    "within itself": refused("it: Tree", "contains Tree within Tree. Use a model that does not contain itself."),
    "a forward reference to nothing": refused(
        "it: 'Nothing'", "the annotation of 'it' cannot be evaluated: name 'Nothing' is not defined. Import or define"
    ),
    "a name that only a type checker imports": refused(
        "it: Nothing", "the annotation of 'it' cannot be evaluated", "from __future__ import annotations\n"
    ),
    "a part of a type that does not exist": refused("it: Unknown", "parameter 'it' has a type that"),
    "a class variable": refused("it: ClassVar[int]", "parameter 'it' cannot be a field: rename it"),
    "a leading underscore": refused("_it: int", "parameter '_it' cannot be a field: rename it"),
    "a name of pydantic": refused(
        "model_dump: int", "parameter 'model_dump' has a name that pydantic uses itself. Rename it."
    ),
    "without an annotation": refused("it", "parameter 'it' needs a type annotation, such as it: int"),
    "positional only": refused("it: int, /", KEYWORD),
    "any number": refused("*it: int", KEYWORD),
    "any names": refused("**it: int", KEYWORD),
    "limits that leave nothing": refused("it: Annotated[int, Field(ge=10, le=5)]", NO_VALUE),
    "limits that leave no duration": refused(
        "it: Annotated[timedelta, Field(gt=timedelta(2), lt=timedelta(1))]", NO_VALUE
    ),
    "limits that leave no text": refused("it: Annotated[str, Field(min_length=5, max_length=3)]", NO_VALUE),
    "more rows than a form can have": refused("it: Annotated[list[int], Field(min_length=300)]", NO_VALUE),
    "a validator that breaks": refused(
        "it: Annotated[int, AfterValidator(broken)]",
        "fails with KeyError: '1'. A default_factory must not raise, and a validator only ValueError.",
    ),
    "a validator that changes its own output": refused("it: Annotated[str, AfterValidator(more)]", NOT_STORED),
    "a validator that accepts once": refused("it: Annotated[int, AfterValidator(once)]", NOT_STORED),
    "a secret that is its default": refused("it: SecretStr = SecretStr('x')", "has a secret as its default."),
    "default below its limit": refused("it: Annotated[int, Field(ge=5)] = 1", f"{BAD_DEFAULT} Must be 5 or more."),
    "default of another type": refused("it: str = None", f"{BAD_DEFAULT} Input should be a valid string."),
    "default that is no choice": refused('it: Literal["a"] = "b"', BAD_DEFAULT),
    "default that is no number": refused("it: float = float('nan')", "Enter a finite number. Change the default."),
    "default that is infinite": refused("it: float = 1e999", "Enter a finite number. Change the default."),
    "default of a part below its limit": refused("it: BadPart", f"{BAD_DEFAULT} it.number: Must be 10 or more."),
    "default of a part in a list": refused("it: list[BadPart]", f"{BAD_DEFAULT} it.0.number: Must be 10 or more."),
    "default that a validator refuses": refused("it: Annotated[int, AfterValidator(never)] = 3", BAD_DEFAULT),
    "default of several lines": refused(
        r"it: str = 'a\nb'",
        "has a default that its form changes, to 'ab' from 'a\\nb'. Change the default, or use LongText",
    ),
    "default of a part of several lines": refused(
        r"it: Point = Point(1, 'a\nb')", "has a default that its form changes"
    ),
    "default that is True for a number": refused("it: int = True", "Enter a whole number. Change the default."),
    "default that is too long a duration": refused("it: timedelta = timedelta.max", "Enter a duration, such as"),
    "secret that is made": refused(
        "it: SecretStr = Field(default_factory=lambda: SecretStr('x'))", "has a secret as its default."
    ),
    "file that is made": refused("it: File = Field(default_factory=lambda: None)", "has a file as its default."),
    "default with a NUL": refused(r"it: str = '\x00'", "This contains a NUL character, which can't be stored."),
    "default that is no text": refused(r"it: str = '\ud800'", "surrogates not allowed"),
    "pattern that is none": refused('it: Annotated[str, Field(pattern="[")]', UNUSABLE),
    "validator that ends the process": refused(
        "it: Annotated[int, AfterValidator(lambda value: exit(value))]", "fails with SystemExit: 1."
    ),
    "validator that expects an object": refused(
        "it: Annotated[date, BeforeValidator(lambda day: day.replace(day=1))]", "fails with TypeError"
    ),
    "default that cannot be made": refused("it: int = Field(default_factory=lambda: 1 // 0)", "ZeroDivisionError"),
    "default of a part that cannot be made": refused(
        "it: int = Field(default_factory=lambda: 'x')", "parameter 'it' has a default that is not valid."
    ),
}
