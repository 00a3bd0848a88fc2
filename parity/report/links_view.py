"""What joined clusters on one side alone, drawn between the two pictures where points were matched."""

from collections.abc import Mapping

import numpy as np

from parity.markup import Html, text
from parity.matched import LINES, pair_svg
from parity.page_clusters import match_text
from parity.report.material import Link
from parity.report.pictures import Pictures
from parity.show import counted


def link(found: Link, rules: Mapping[str, str], pictures: Pictures) -> Html:
    bridge = found.bridge
    other = "B" if bridge.side == "A" else "A"
    if bridge.earlier is None:
        says = f"Item that only {bridge.side} has: <b>{text(bridge.id, 80)}</b>"
        return Html(f'<figure class="pair"><figcaption><span>{says}</span></figcaption></figure>')
    ends = f"<b>{text(bridge.earlier, 60)} and {text(bridge.id, 60)}</b>"
    channel, n, d = found.match or ("", 0, 0)
    match = f": {match_text(channel, n, d, rules.get(channel, ''))}" if found.match else ""
    drawn = f", {LINES} of them drawn" if len(found.lines) > LINES else ""
    says = f"Matched in {bridge.side}, not in {other}{match}{drawn}"
    caption = f"<figcaption>{ends}<span>{says}</span></figcaption>"
    picture = ""
    if found.earlier.picture and found.later.picture:
        one, two = pictures.drawn(found.earlier.picture), pictures.drawn(found.later.picture)
        points = np.array(found.lines, np.float64).reshape(-1, 4)
        label = (
            f"{text(bridge.earlier, 80)} and {text(bridge.id, 80)}: {counted(len(points), 'matched point')}"
        )
        picture = pair_svg(one, two, points, label)
    return Html(f'<figure class="pair">{picture}{caption}</figure>')
