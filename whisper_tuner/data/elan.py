"""ELAN .eaf → cues of all its tiers (ELAN Annotation Format 3.0).

A tier is aligned in time, or its annotations refer to those of another tier, whose times are
theirs. Parts of one and the same annotation are joined again: nobody said when each was spoken.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.parsers import expat

from whisper_tuner.data.cues import Cue, Media, Tier, TimedText, join_texts, seconds
from whisper_tuner.data.matching import parts_of
from whisper_tuner.errors import InputError

MS = 1e-3
MAX_DEPTH = 50  # tiers below each other; a damaged file may go round in circles


@dataclass(slots=True)
class _Annotation:
    line: int
    tier: str
    slots: tuple[str, str] = ("", "")  # of an aligned one: where it starts and ends
    parent: str = ""  # of a referring one
    previous: str = ""
    text: str = ""


@dataclass
class _Document:
    """What the parser has met."""

    has_root: bool = False
    media: list[Media] = field(default_factory=list)
    slots: dict[str, float | None] = field(default_factory=dict)  # seconds; None: not aligned
    tiers: dict[str, dict[str, str]] = field(default_factory=dict)  # attributes by name
    annotations: dict[str, _Annotation] = field(default_factory=dict)
    broken: list[int] = field(default_factory=list)


def read_elan(data: bytes, name: str) -> TimedText:
    """Raises: InputError timed_text_broken; xml_entities for a file that defines entities, which
    ELAN never does: such files blow up when they are read.
    """
    document = _parse(data, name)
    cues: list[Cue] = []
    broken = list(document.broken)
    by_tier: dict[str, dict[str, _Annotation]] = defaultdict(dict)
    for key, annotation in document.annotations.items():
        by_tier[annotation.tier][key] = annotation
    spans = _aligned_spans(document, by_tier, broken)
    tiers = {title: _tier(title, document) for title in document.tiers}
    for title, annotations in by_tier.items():
        speaker = tiers[title].speaker
        for span, texts, line in _joined(annotations, document.annotations, spans, broken):
            cues.append(Cue(*span, join_texts(texts), line, speaker, title))
    return TimedText(cues, sorted(set(broken)), list(tiers.values()), media=document.media)


def _parse(data: bytes, name: str) -> _Document:
    document = _Document()
    parser = expat.ParserCreate()
    reader = _Reader(document, parser)
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters

    def refuse(*_: object) -> None:
        raise InputError("xml_entities", file=name)

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the latter: its encoding
        line = parser.CurrentLineNumber
        raise InputError("timed_text_broken", file=name, line=line) from error
    if not document.has_root:
        raise InputError("timed_text_broken", file=name, line=1)
    return document


class _Reader:
    """Fills a document as the parser meets its elements; unknown ones are passed over."""

    def __init__(self, document: _Document, parser: expat.XMLParserType) -> None:
        self.document, self.parser = document, parser
        self.tier = ""
        self.annotation: _Annotation | None = None
        self.in_value = False

    def start(self, element: str, attributes: dict[str, str]) -> None:
        document, get = self.document, attributes.get
        line = self.parser.CurrentLineNumber
        match element:
            case "ANNOTATION_DOCUMENT":
                document.has_root = True
            case "MEDIA_DESCRIPTOR":
                path = unquote(get("RELATIVE_MEDIA_URL") or get("MEDIA_URL") or "")
                if parts_of(path):
                    origin_s = seconds(get("TIME_ORIGIN", 0), MS) or 0.0
                    document.media.append(Media(parts_of(path)[-1], origin_s))
            case "TIME_SLOT":
                value = get("TIME_VALUE")
                time_s = seconds(value, MS)
                if value is not None and time_s is None:
                    document.broken.append(line)
                document.slots[get("TIME_SLOT_ID", "")] = time_s
            case "TIER":
                self.tier = get("TIER_ID", "")
                document.tiers[self.tier] = dict(attributes)
            case "ALIGNABLE_ANNOTATION" | "REF_ANNOTATION" if self.tier in document.tiers:
                slots = (get("TIME_SLOT_REF1", ""), get("TIME_SLOT_REF2", ""))
                parent, previous = get("ANNOTATION_REF", ""), get("PREVIOUS_ANNOTATION", "")
                self.annotation = _Annotation(line, self.tier, slots, parent, previous)
                key = get("ANNOTATION_ID") or f"line {line}"
                if key in document.annotations:
                    document.broken.append(line)
                document.annotations.setdefault(key, self.annotation)
            case "ANNOTATION_VALUE":
                self.in_value = self.annotation is not None

    def end(self, element: str) -> None:
        if element == "ANNOTATION_VALUE":
            self.in_value = False
        elif element in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION"):
            self.annotation = None

    def characters(self, text: str) -> None:
        if self.in_value and self.annotation is not None:
            self.annotation.text += text


Span = tuple[float, float]
Annotations = dict[str, _Annotation]


def _aligned_spans(
    document: _Document, by_tier: dict[str, Annotations], broken: list[int]
) -> dict[str, Span]:
    """By id, the times of aligned annotations.

    Neighbours may share a slot without a time; then each has the span of all that it chains.
    """
    spans: dict[str, Span] = {}
    for annotations in by_tier.values():
        chain: list[str] = []
        for key, annotation in annotations.items():
            if annotation.parent:
                continue
            first = annotations[chain[-1]].slots[1] if chain else None
            if chain and annotation.slots[0] != first:
                broken += [annotations[other].line for other in chain]
                chain = []
            chain.append(key)
            if document.slots.get(annotation.slots[1]) is None:
                continue
            start_s = document.slots.get(annotations[chain[0]].slots[0])
            if start_s is None:
                broken += [annotations[other].line for other in chain]
            else:
                end_s = document.slots[annotation.slots[1]]
                spans |= dict.fromkeys(chain, (start_s, end_s))
            chain = []
        broken += [annotations[other].line for other in chain]
    return spans


def _joined(
    annotations: Annotations, everything: Annotations, spans: dict[str, Span], broken: list[int]
) -> Iterator[tuple[Span, list[str], int]]:
    """Span, texts and line of each annotation; those with the very same span as one."""
    groups: dict[str, list[str]] = defaultdict(list)  # by what their times come from
    for key, annotation in annotations.items():
        root = _root(key, everything)
        if root in spans:
            groups[root].append(key)
        elif annotation.parent:
            broken.append(annotation.line)
    by_span: dict[Span, list[str]] = defaultdict(list)
    for root, keys in groups.items():
        by_span[spans[root]] += _in_order(keys, annotations)
    for span, keys in by_span.items():
        yield span, [annotations[key].text for key in keys], annotations[keys[0]].line


def _root(key: str, annotations: Annotations) -> str:
    """The aligned annotation that one refers to in the end; "" when there is none."""
    for _ in range(MAX_DEPTH):
        if key not in annotations:
            return ""
        if not annotations[key].parent:
            return key
        key = annotations[key].parent
    return ""


def _in_order(keys: list[str], annotations: Annotations) -> list[str]:
    """The parts of one annotation as they follow each other, else as they stand in the file."""
    following = {annotations[key].previous: key for key in keys}
    ordered: list[str] = []
    key = following.get("")
    while key is not None and len(ordered) < len(keys):
        ordered.append(key)
        key = following.get(key)
    return ordered if len(ordered) == len(keys) else keys


def _tier(title: str, document: _Document) -> Tier:
    """ "words@Anna" is Anna's, and so is a tier with this participant, or below such a tier."""
    before, _, behind = title.partition("@")
    attributes = document.tiers[title]
    kinds = dict.fromkeys(filter(None, (before.strip(), attributes.get("LINGUISTIC_TYPE_REF"))))
    speaker, above = "", title
    for _ in range(MAX_DEPTH):
        if speaker or above not in document.tiers:
            break
        speaker = document.tiers[above].get("PARTICIPANT", "").strip()
        above = document.tiers[above].get("PARENT_REF", "")
    return Tier(title, tuple(kinds), speaker or behind.strip())
