"""Remove everything from an SVG drawing that can run, follow a link or load something."""

import re
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
SHAPES = frozenset(
    {
        *("svg", "g", "a", "defs", "use", "clipPath", "mask", "pattern", "style", "title", "desc", "image", "symbol"),
        *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan"),
        *("linearGradient", "radialGradient", "stop", "marker"),
    }
)
# A reference within the drawing, or an image that is part of it.
WITHIN = re.compile(r"#|data:image/(png|jpeg);base64,")
ELSEWHERE = re.compile(r"@import|url\(\s*[\"']?\s*(?!#)", re.IGNORECASE)


def sanitised(content: bytes) -> bytes:
    """Return a drawing with only shapes, their styles, and references to parts of itself."""
    ElementTree.register_namespace("", SVG.strip("{}"))
    ElementTree.register_namespace("xlink", LINK.partition("}")[0].strip("{"))
    drawing = ElementTree.fromstring(content)  # noqa: S314  # parsed in the run's own process, within its limits
    for element in list(drawing.iter()):
        for child in list(element):
            if not isinstance(child.tag, str) or child.tag.removeprefix(SVG) not in SHAPES:
                element.remove(child)
        _sanitise(element)
    shapes: bytes = ElementTree.tostring(drawing, encoding="utf-8", xml_declaration=True)
    return shapes


def _sanitise(element: ElementTree.Element) -> None:
    if element.tag == f"{SVG}a":
        element.tag = f"{SVG}g"
        element.attrib.pop("target", None)
    for name, value in list(element.attrib.items()):
        plain = name.rpartition("}")[2].lower()
        link = plain == "href" and not WITHIN.match(value.strip())
        if plain.startswith("on") or link or ELSEWHERE.search(value):
            del element.attrib[name]
    if element.text and ELSEWHERE.search(element.text) and element.tag == f"{SVG}style":
        element.text = None
