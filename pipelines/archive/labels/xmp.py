"""The XMP that says that a picture was refined, merged with what it had.

IPTC's `DigitalSourceType` says it to other programs; our own properties say how, exactly.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from xml.dom import minidom
from xml.parsers.expat import ExpatError

logger = logging.getLogger(__name__)

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMLNS = "http://www.w3.org/2000/xmlns/"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
OWN = "https://github.com/glassplate/glassplate/ns/refine/1.0/"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'
    '<?xpacket end="w"?>'
).encode()


def with_label(xmp: bytes | None, facts: Mapping[str, Any], *, changed: bool = True) -> bytes:
    """An XMP packet with everything the given one has, and the label.

    Args:
        xmp: What the picture has; one that is not XML cannot be merged with, and is left out.
        facts: Name -> value of our own properties, names as in Python.
        changed: False: a model looked at the picture, and left it as it is; its source type stays.
    """
    document, rdf = _parse(xmp) or _parse(_EMPTY) or (None, None)
    assert document
    assert rdf
    _forget(rdf, {OWN, IPTC_EXT} if changed else {OWN})
    description = document.createElementNS(RDF, f"{rdf.prefix}:Description")
    description.setAttributeNS(RDF, f"{rdf.prefix}:about", _about(rdf))
    for prefix, namespace in (("Iptc4xmpExt", IPTC_EXT), ("glassplate", OWN)):
        description.setAttributeNS(XMLNS, f"xmlns:{prefix}", namespace)
    properties = {"Iptc4xmpExt:DigitalSourceType": SOURCE_TYPE} if changed else {}
    properties |= {f"glassplate:{_camel(name)}": str(value) for name, value in facts.items()}
    for name, value in properties.items():
        namespace = IPTC_EXT if name.startswith("Iptc") else OWN
        child = document.createElementNS(namespace, name)
        child.appendChild(document.createTextNode(value))
        description.appendChild(child)
    rdf.appendChild(description)
    return "".join(node.toxml() for node in document.childNodes).encode()


def _parse(xmp: bytes | None) -> tuple[minidom.Document, minidom.Element] | None:
    """The packet and its RDF element, None if it has none."""
    if not xmp:
        return None
    try:
        is_wide = xmp.startswith(UTF16_MARKS)
        document = minidom.parseString(xmp if is_wide else xmp.strip(b"\0 \t\r\n"))
    except (ExpatError, ValueError, LookupError) as error:
        logger.warning("the picture's XMP is damaged (%s), and is left out", error)
        return None
    found = document.getElementsByTagNameNS(RDF, "RDF")
    return (document, found[0]) if found else None


def _forget(rdf: minidom.Element, namespaces: set[str]) -> None:
    """Take out what would contradict the label: an earlier source type, earlier facts."""
    for node in list(rdf.getElementsByTagName("*")):
        for attribute in list((node.attributes or {}).values()):
            if _is_label(attribute, namespaces):
                node.removeAttributeNode(attribute)
        if _is_label(node, namespaces) and node.parentNode:
            node.parentNode.removeChild(node)


def _is_label(node: minidom.Node, namespaces: set[str]) -> bool:
    space, name = node.namespaceURI, node.localName
    return space in namespaces and (space == OWN or name == "DigitalSourceType")


def _about(rdf: minidom.Element) -> str:
    """All descriptions of a packet are about the same thing."""
    for node in rdf.getElementsByTagNameNS(RDF, "Description"):
        if about := node.getAttributeNS(RDF, "about"):
            return str(about)
    return ""


def _camel(name: str) -> str:
    """'refiner_weights_sha256' -> 'RefinerWeightsSha256', as XMP names properties."""
    return "".join(part.capitalize() for part in name.split("_"))
