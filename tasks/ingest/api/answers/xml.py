"""Answers of XML: records selected by XPath, and elements as objects of texts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import IO, Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import AfterValidator

from tasks.config.answers import Records, RecordsAnswer
from tasks.config.base import NonEmpty

_PART_BYTES = 256 * 1024
_TEXT = "#text"
_TELL_FAILURE = frozenset({"html", "error", "errors", "fault", "exception", "errorresponse"})
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_SHOWN_CHARACTERS = 80
_OF_NO_ELEMENT = re.compile(r"(?:@[\w:*.-]+|text\(\))\s*$")
_encode = msgspec.json.Encoder().encode

Value = str | dict[str, Any] | None


def _check_path(path: str) -> str:
    from lxml import etree  # noqa: PLC0415 - 20 ms, and most pipelines have no XML

    if _OF_NO_ELEMENT.search(path):
        raise ValueError(
            f"{path!r:.80} is of texts or attributes; write one of the elements that are records, e.g. //item"
        )
    try:
        etree.XPath(path)
    except etree.XPathSyntaxError as error:
        raise ValueError(
            f"{path!r:.80} is no XPath ({error}); write one of the elements that are records, e.g. //item"
        ) from None
    return path


class XmlAnswer(RecordsAnswer):
    """XML: elements that an XPath selects, as objects of texts, of which the table tells the types as of a file's."""

    has_paths: ClassVar[bool] = True

    kind: Literal["xml"] = "xml"
    """Kind of answer."""
    records: Annotated[NonEmpty, AfterValidator(_check_path)]
    """XPath of the elements that are records, e.g. //item; without namespaces all elements are called by their local names."""
    namespaces: dict[NonEmpty, NonEmpty] = {}
    """Namespaces by the prefixes that records has, e.g. {g: "http://base.google.com/ns/1.0"}; their elements are called g:id."""
    lists: tuple[NonEmpty, ...] = ()
    """Names of elements that become lists also where there is one of them, e.g. [tag]; others do where there are several."""

    def read(self, body: IO[bytes], charset: str | None) -> Records:  # noqa: ARG002 - XML says itself what it is encoded in
        """Return the elements that are records; around them is what the root element becomes without them.

        Raises:
            ValueError: the body is no XML, or it has entities, which might have no end; or the path selects no elements.

        """
        root = _parse(body)
        if root is None:
            return Records(iter(()))
        objects = _Objects(self.lists, {uri: prefix for prefix, uri in self.namespaces.items()})
        objects.check_names(root)
        if not self.namespaces:
            for element in root.iter("*"):
                element.tag = objects.name(element.tag)
        found = self._select(root)
        if not found and objects.name(root.tag).lower() in _TELL_FAILURE:
            said = " ".join(" ".join(root.itertext()).split())[:_SHOWN_CHARACTERS]
            raise ValueError(f"it is <{objects.name(root.tag)}> without {self.records}: {said!r}")
        return Records(map(objects.line, found), objects.line(root, frozenset(found)))

    def _select(self, root: Any) -> list[Any]:
        from lxml import etree  # noqa: PLC0415 - as above

        try:
            found = root.getroottree().xpath(self.records, namespaces=self.namespaces or None)
        except etree.XPathEvalError as error:
            raise ValueError(
                f"records {self.records!r} cannot be asked for ({error}); declare its prefixes in namespaces"
            ) from None
        if not isinstance(found, list) or not all(isinstance(each, etree._Element) for each in found):  # noqa: SLF001 - there is no other name
            raise ValueError(f"records {self.records!r} selects no elements, but texts or a number; name the elements")
        return found


class _Objects:
    """Elements as objects: attributes by `@name`, elements by their names, those of one name as a list, and a text among others as `#text`."""

    def __init__(self, lists: Collection[str], prefixes: Mapping[str, str]) -> None:
        self._lists = frozenset(lists)
        self._prefixes = prefixes

    def line(self, element: Any, without: Collection[Any] = ()) -> bytes:
        """Return an element without some others as a line of JSON; one of a text alone has it as `#text`."""
        value = self._value(element, without)
        return bytes(_encode(value if isinstance(value, dict) else {_TEXT: value}))

    def _value(self, element: Any, without: Collection[Any]) -> Value:
        if element.get(_NIL) in ("true", "1"):
            return None
        value: dict[str, Any] = {f"@{self.name(name)}": text for name, text in element.attrib.items()}
        for child in element:
            if child not in without:
                name = self.name(child.tag)
                _put(value, name, self._value(child, without), is_list=name in self._lists)
        text = "".join(filter(None, (element.text, *(child.tail for child in element))))
        is_blank = not text or text.isspace()
        if not value:
            return None if is_blank else text
        if not is_blank:
            value[_TEXT] = text.strip() if len(element) else text
        return value

    def check_names(self, root: Any) -> None:
        """Raise where elements or attributes that stand beside each other would have one name, and are of two namespaces."""
        for element in root.iter("*"):
            for tags in ({child.tag for child in element}, element.attrib):
                known: dict[str, str] = {}
                for tag in tags:
                    if known.setdefault(self.name(tag), tag) != tag:
                        raise ValueError(
                            f"{tag} and {known[self.name(tag)]} stand beside each other, and both would be {self.name(tag)}; "
                            "declare the namespace of one in answer.namespaces"
                        )

    def name(self, tag: str) -> str:
        """Return what an element or attribute is called."""
        uri, _, local = tag.rpartition("}")
        prefix = self._prefixes.get(uri[1:])
        return local if prefix is None else f"{prefix}:{local}"


def _put(value: dict[str, Any], name: str, child: Value, *, is_list: bool) -> None:
    if name not in value:
        value[name] = [child] if is_list else child
    elif isinstance(value[name], list):
        value[name].append(child)
    else:
        value[name] = [value[name], child]


def _parse(body: IO[bytes]) -> Any:
    """Return the root element of a document, read without entities, network and other documents; None of an empty one."""
    from lxml import etree  # noqa: PLC0415 - as above

    parser = etree.XMLPullParser(
        events=("start",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return _feed(parser, body)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"it is no whole XML ({error})") from None


def _feed(parser: Any, body: IO[bytes]) -> Any:
    from lxml import etree  # noqa: PLC0415 - as above

    is_checked = is_begun = False
    for part in _parts(body):
        is_begun = True
        parser.feed(part)
        if not is_checked and (first := next(parser.read_events(), None)) is not None:
            _refuse_entities(first[1])
            is_checked = True
        for _ in parser.read_events():
            pass  # or they would be kept
    if not is_begun:
        return None
    root = parser.close()
    _refuse_entities(root)
    if (entity := next(root.iter(etree.Entity), None)) is not None:
        raise ValueError(
            f"it has {entity.text[:_SHOWN_CHARACTERS]}, an entity that its document type declares elsewhere, and no other document is read; "
            "have the server send the character itself"
        )
    return root


def _parts(body: IO[bytes]) -> Iterator[bytes]:
    while part := body.read(_PART_BYTES):
        yield part


def _refuse_entities(root: Any) -> None:
    """Raise where the document type declares entities, which may become anything, in any number."""
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and (entity := next(declared.iterentities(), None)) is not None:
        raise ValueError(
            f"its document type declares the entity {entity.name!r:.60}, and entities are not read: they may become anything, "
            "without end; have the server send them as they are"
        )
