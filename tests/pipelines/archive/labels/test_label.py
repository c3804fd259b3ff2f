"""The XMP of refined pictures: what it says, and what it keeps of the picture's own."""

from __future__ import annotations

import logging
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from glassplate.pipelines.archive.labels.xmp import IPTC_EXT, OWN, RDF, SOURCE_TYPE, with_label

FACTS: dict[str, Any] = {"software": "Glassplate 1 <&>", "seed": 7, "weights_sha256": "ab"}
OWNER = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<r:Description r:about="uuid:1" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
  Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
  dc:format="image/jpeg"><dc:creator><r:Seq><r:li>Ansel Ädams &amp; Co</r:li></r:Seq></dc:creator>
</r:Description></r:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def values(packet: bytes, namespace: str) -> dict[str, str]:
    """Properties of a namespace, written either way."""
    found: dict[str, str] = {}
    for node in ET.fromstring(packet).iter():
        names = [(node.tag, node.text or ""), *node.attrib.items()]
        for name, value in names:
            if name.startswith(f"{{{namespace}}}"):
                assert name not in found
                found[name.partition("}")[2]] = value
    return found


def test_a_picture_without_xmp_gets_some() -> None:
    packet = with_label(None, FACTS)
    assert packet.startswith(b"<?xpacket begin=")
    assert values(packet, IPTC_EXT) == {"DigitalSourceType": SOURCE_TYPE}
    assert values(packet, OWN) == {
        "Software": "Glassplate 1 <&>", "Seed": "7", "WeightsSha256": "ab"
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_was_there_stays_but_for_the_source_type(encoding: str) -> None:
    packet = with_label(OWNER.encode(encoding), FACTS)
    assert "Ansel Ädams &amp; Co" in packet.decode()
    assert values(packet, "http://purl.org/dc/elements/1.1/")["format"] == "image/jpeg"
    assert values(packet, IPTC_EXT) == {"DigitalSourceType": SOURCE_TYPE}
    abouts = {node.get(f"{{{RDF}}}about") for node in ET.fromstring(packet).iter()} - {None}
    assert abouts == {"uuid:1"}


def test_a_label_is_replaced_not_repeated() -> None:
    twice = with_label(with_label(OWNER.encode(), {"seed": 1, "old": 2}), FACTS)
    assert values(twice, OWN)["Seed"] == "7"
    assert "Old" not in values(twice, OWN)


@pytest.mark.parametrize("damaged", [b"<x:xmpmeta", b"no xml", b"\xff\xfe<", b"<a/>"])
def test_damaged_xmp_does_not_stop_the_label(
    damaged: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert values(with_label(damaged, FACTS), OWN)["Seed"] == "7"
