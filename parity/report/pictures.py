"""The pictures of a page: each stands in it once, however often it is shown."""

from parity.markup import Html, text
from parity.matched import Drawn, size_in_units
from parity.thumbnails import Thumbnail


class Pictures:
    """Collects what is shown while a page is made; `store` then holds it."""

    def __init__(self) -> None:
        self._elements: dict[str, Drawn] = {}  # by data URI

    def drawn(self, picture: Thumbnail) -> Drawn:
        if picture.uri not in self._elements:
            size = size_in_units(picture.width, picture.height)
            self._elements[picture.uri] = Drawn(f"p{len(self._elements)}", *size)
        return self._elements[picture.uri]

    def show(self, picture: Thumbnail, label: str) -> Html:
        """label: what it shows, not escaped."""
        drawn = self.drawn(picture)
        return Html(
            f'<svg viewBox="0 0 {drawn.width:g} {drawn.height:g}" role="img" aria-label="{text(label)}">'
            f'<use href="#{drawn.element}"/></svg>'
        )

    def store(self) -> Html:
        """An SVG that is not seen itself; empty where no picture was shown."""
        if not self._elements:
            return Html("")
        images = "\n".join(
            f'<image id="{d.element}" width="{d.width:g}" height="{d.height:g}" href="{text(uri)}"/>'
            for uri, d in self._elements.items()
        )
        return Html(
            f'<svg class="store" width="0" height="0" aria-hidden="true"><defs>\n{images}\n</defs></svg>'
        )
