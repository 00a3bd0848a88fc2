"""The clusters that differ, A beside B, with what their members hold and what joined them."""

from collections.abc import Mapping, Sequence

from parity.markup import Html, figures, name, text
from parity.page_clusters import match_text
from parity.regrouping import ClusterComparison, Regrouping
from parity.report.links_view import link
from parity.report.material import Shown, ShownCluster, ShownClusters, ShownGroup
from parity.report.pictures import Pictures
from parity.show import counted, number

Rules = Mapping[str, str]  # match rule by channel

_TITLES = {
    "split": "One cluster of A is in {b} parts in B",
    "merge": "{a} clusters of A are one in B",
    "move": "Items are grouped otherwise: {a} clusters of A, {b} of B",
    "members": "One cluster has other members in A and in B",
    "head": "The same items under another head",
    "missing": "A cluster of A that B does not have",
    "extra": "A cluster of B that A does not have",
}


def clusters(
    found: ClusterComparison | None, engines: tuple[str, str], material: ShownClusters, pictures: Pictures
) -> Html:
    """A section; empty where no cluster differs. pictures: those shown are added to it."""
    if found is None:
        return Html("")
    groups = "\n".join(_group(group, engines, material, pictures) for group in material.groups)
    total = sum(count for _, count in found.counts)
    shown = len(material.groups)
    more = f'<p class="note">{number(total - shown)} more are not shown.</p>' if shown < total else ""
    why = f'<p class="note">Without pictures and texts: {text(material.no_payloads)}.</p>\n'
    return Html(
        f'<section id="clusters"><h2>Clusters that differ</h2>\n<p class="lead">{_lead(found)}</p>\n'
        f"{figures(_rates(found))}\n{why if material.no_payloads else ''}{groups}\n{more}"
        "</section>"
    )


def _lead(found: ClusterComparison) -> str:
    counts = ", ".join(counted(count, _NOUNS.get(kind, kind)) for kind, count in found.counts if count)
    others = found.pairs_b - found.pairs_common
    besides = f"{number(others)} that A has not" if others else "no others"
    return (
        f"Compared without regard to which item is the head: {counts or 'the same groups'}. "
        f"Of the {counted(found.pairs_a, 'pair')} that A has in one cluster, {number(found.pairs_common)} "
        f"are together in B as well; B has {besides}."
    )


_NOUNS = {
    "members": "cluster with other members",
    "head": "change of head",
    "missing": "cluster only in A",
    "extra": "cluster only in B",
}


def _rates(found: ClusterComparison) -> dict[str, int | str]:
    rates = {
        "precision of B's pairs": found.precision,
        "recall of A's pairs": found.recall,
        "F1": found.f1,
        "adjusted Rand index": found.adjusted_rand,
    }
    moved: dict[str, int | str] = {"items with other cluster mates": found.moved}
    return moved | {label: "–" if rate is None else f"{rate:.6f}" for label, rate in rates.items()}


def _group(group: ShownGroup, engines: tuple[str, str], material: ShownClusters, pictures: Pictures) -> str:
    regrouping = group.regrouping
    title = _TITLES[regrouping.kind].format(a=regrouping.count_a, b=regrouping.count_b)
    sides = "".join(
        _side(label, engine, own, other, count, rules, pictures)
        for label, engine, own, other, count, rules in (
            ("A", engines[0], group.a, group.b, regrouping.count_a, material.rules[0]),
            ("B", engines[1], group.b, group.a, regrouping.count_b, material.rules[1]),
        )
    )
    joined = "\n".join(
        link(one, material.rules["AB".index(one.bridge.side)], pictures) for one in group.links
    )
    joined = f'<div class="pairs">{joined}</div>' if joined else ""
    return (
        f'<article class="group"><header><span class="kind">{regrouping.kind}</span><h3>{title}</h3>'
        f"<span>{_moved(regrouping)}</span></header>\n"
        f'<div class="both">{sides}</div>{joined}</article>'
    )


def _moved(regrouping: Regrouping) -> str:
    return f"{counted(regrouping.moved, 'item')} with other cluster mates" if regrouping.moved else ""


def _side(
    label: str,
    engine: str,
    own: Sequence[ShownCluster],
    other: Sequence[ShownCluster],
    count: int,
    rules: Rules,
    pictures: Pictures,
) -> str:
    others = {cluster.label: place for place, cluster in enumerate(other, 1)}
    boxes = "\n".join(
        _cluster(cluster, place, others, rules, pictures) for place, cluster in enumerate(own, 1)
    )
    more = f'<p class="note">{counted(count - len(own), "more cluster")}</p>' if count > len(own) else ""
    none = '<p class="note">None of these items.</p>' if not own else ""
    return (
        f'<div class="side"><h4>{label} <small>{text(engine, 40)}</small></h4>\n{boxes}{none}{more}</div>\n'
    )


def _cluster(
    cluster: ShownCluster, place: int, others: dict[str, int], rules: Rules, pictures: Pictures
) -> str:
    seen = any(member.payload.picture for member in cluster.members)
    show = _figure if seen else _row
    members = "\n".join(show(m, cluster.head, others, rules, pictures) for m in cluster.members)
    body = f'<div class="members">\n{members}\n</div>' if seen else f'<ul class="rows">\n{members}\n</ul>'
    left = cluster.size - len(cluster.members)
    more = f'<p class="note">{counted(left, "more item")}</p>' if left > 0 else ""
    return (
        f'<div class="cluster"><p class="label"><b class="k{place}">{cluster.label}</b>'
        f"{counted(cluster.size, 'item')}</p>{body}{more}</div>"
    )


def _figure(shown: Shown, head: str, others: dict[str, int], rules: Rules, pictures: Pictures) -> str:
    item, badge = shown.member.id, '<span class="badge">head</span>' if shown.member.id == head else ""
    if shown.payload.picture:
        picture = pictures.show(shown.payload.picture, item)
    else:
        picture = Html(f"<em>{text(shown.payload.lacks or shown.payload.excerpt, 80)}</em>")
    return (
        f'<figure class="{"head" if badge else "member"}"><div class="picture">{picture}{badge}</div>'
        f'<figcaption><b title="{text(item)}">{name(item, 34)}</b>'
        f"<span>{_match(shown, head, rules)}</span>{_chip(shown, others)}</figcaption></figure>"
    )


def _row(shown: Shown, head: str, others: dict[str, int], rules: Rules, _: Pictures) -> str:
    item, payload = shown.member.id, shown.payload
    badge = '<span class="badge">head</span>' if item == head else ""
    excerpt = f"<q>{text(payload.excerpt)}</q>" if payload.excerpt else ""
    lacks = f"<small>{text(payload.lacks)}</small>" if payload.lacks else ""
    return (
        f'<li>{badge}<b class="id" title="{text(item)}">{name(item, 60)}</b>'
        f"<span>{_match(shown, head, rules)}</span>{_chip(shown, others)}{excerpt}{lacks}</li>"
    )


def _match(shown: Shown, head: str, rules: Rules) -> str:
    member = shown.member
    if member.id == head:
        return ""
    if not member.channel:
        return "no match with the head itself"
    rule = rules.get(member.channel, "")
    return match_text(member.channel, member.numerator, member.denominator, rule)


def _chip(shown: Shown, others: dict[str, int]) -> str:
    """Where it is on the other side, unless there is but one place for it to be."""
    if not shown.elsewhere:
        return '<span class="chip alone">only on this side</span>'
    if shown.elsewhere not in others:
        return '<span class="chip">in another cluster</span>'
    if len(others) == 1:
        return ""
    return f'<span class="chip k{others[shown.elsewhere]}">in {shown.elsewhere}</span>'
