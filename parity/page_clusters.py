"""The clusters of the page: their members as pictures, and lines between the points of what words found."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from parity.clusters import Member, members_of
from parity.markup import Html, name, text
from parity.matched import (
    LINES,
    Drawn,
    Record,
    pair_svg,
    points_of,
    read_records,
    sides,
    size_in_units,
)
from parity.show import counted, number
from parity.thumbnails import thumbnail
from shared.run import Run

MEMBERS = 24  # shown of one cluster
PAIRS = 6  # drawn of one cluster: members with the head, the weakest matches, for they changed the most


def sections(run: Run, shown: Sequence[tuple[str, int]], images: Mapping[str, Path]) -> Iterator[str]:
    """The HTML of each cluster (head, size)."""
    side_of, rules = sides(run), {c["name"]: c["match"]["rule"] for c in run.manifest["spec"]["channels"]}
    members = members_of(run, [head for head, _ in shown])
    pairs = {
        head: [member for member in own[:MEMBERS] if member.channel in side_of][-PAIRS:]
        for head, own in members.items()
    }
    ids = {channel: set[str]() for channel in side_of}
    for head, drawn in pairs.items():
        for member in drawn:
            ids[member.channel] |= {head, member.id}
    records = {channel: read_records(run, channel, wanted) for channel, wanted in ids.items()}
    for number_, (head, size) in enumerate(shown):
        pictures: dict[str, Drawn] = {}
        figures = [
            _member(member, head, images.get(member.id), f"p{number_}-{i}", rules, pictures)
            for i, member in enumerate(members[head][:MEMBERS])
        ]
        lines = [
            _pair(head, member, records[member.channel], side_of[member.channel], pictures)
            for member in pairs[head]
            if head in pictures and member.id in pictures
        ]
        yield _section(head, size, figures, lines)


def _section(head: str, size: int, figures: list[str], lines: list[str]) -> str:
    more = f", {number(size - MEMBERS)} of them not shown" if size > MEMBERS else ""
    pictures = "\n".join(figures)
    pairs = "\n".join(['\n<div class="pairs">', *lines, "</div>"]) if lines else ""
    return (
        f"<section><header><h2>{text(head, 120)}</h2><span>{counted(size, 'item')}{more}</span></header>\n"
        f'<div class="members">\n{pictures}\n</div>{pairs}</section>'
    )


def _member(
    member: Member,
    head: str,
    image: Path | None,
    element: str,
    rules: Mapping[str, str],
    pictures: dict[str, Drawn],
) -> str:
    """A member's picture with its name and match. What is drawn is added to `pictures`."""
    is_head = member.id == head
    small = thumbnail(image) if image else None
    if small:
        width, height = size_in_units(small.width, small.height)
        pictures[member.id] = Drawn(element, width, height)
        picture = (
            f'<svg viewBox="0 0 {width:g} {height:g}" aria-hidden="true">'
            f'<image id="{element}" width="{width:g}" height="{height:g}" href="{small.uri}"/></svg>'
        )
    else:
        picture = f"<em>{'no picture' if image is None else 'a picture that cannot be read'}</em>"
    badge = '<span class="badge">head</span>' if is_head else ""
    caption = (
        f'<b title="{text(member.id)}">{name(member.id, 34)}</b>'
        f"<span>{_strength(member, is_head, rules.get(member.channel, ''))}</span>"
    )
    return (
        f'<figure class="{"head" if is_head else "member"}"><div class="picture">{picture}{badge}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _strength(member: Member, is_head: bool, rule: str) -> str:
    if is_head:
        return "the earliest"
    if not member.channel:
        return "no match with the head itself"
    return match_text(member.channel, member.numerator, member.denominator, rule)


def match_text(channel: str, n: int, d: int, rule: str) -> Html:
    """A match in the terms of its channel's rule, such as "pdq 12 of 256 bits differ"."""
    named = text(channel, 40)
    if rule == "inliers":
        return Html(f'{named} <span class="points">{counted(n, "matched point")}</span>')
    if rule == "hamming":
        return Html(f"{named} {number(d - n)} of {number(d)} bits differ")
    return Html(f'{named} <span class="number">{n}/{d}</span> = {n / (d or 1):.3f}')


def _pair(
    head: str, member: Member, records: Mapping[str, Record], side: int, pictures: Mapping[str, Drawn]
) -> str:
    one, other = pictures[head], pictures[member.id]
    points = points_of(records[head], records[member.id], side, one, other)
    drawn = f", {LINES} of them drawn" if len(points) > LINES else ""
    says = f"{counted(len(points), 'matched point')}{drawn}"
    label = f"{text(head, 80)} and {text(member.id, 80)}: {says}"
    return (
        f'<figure class="pair">{pair_svg(one, other, points, label)}'
        f"<figcaption><b>{text(member.id, 60)}</b><span>{says}</span></figcaption></figure>"
    )
