"""What the executor shows of its venue: the stream, and all that lasts. One thread's."""

from collections.abc import Mapping

from messages.orders import VenueNotice, VenueStream


def stream_text(news: VenueStream) -> str:
    """Give the phase, and the reason where there is one."""
    reason = f": {news.reason}" if news.reason else ""
    return f"venue stream {news.phase}{reason}"


class VenueNotices:
    """The newest word on each thing; what is over is forgotten."""

    def __init__(self) -> None:
        self._stream = ""
        self._lasting: dict[str, str] = {}

    def stream(self, news: VenueStream) -> None:
        """Take in how far the venue's stream can be relied on."""
        self._stream = "" if news.phase == "live" else stream_text(news)

    def notice(self, news: VenueNotice) -> None:
        """Take in what lasts, or that it is over."""
        if news.text:
            self._lasting[news.name] = news.text
        else:
            self._lasting.pop(news.name, None)

    def lasting(self) -> Mapping[str, str]:
        """Give what lasts, by what it is about; the stream apart, for REST is asked without it."""
        return self._lasting

    def text(self, *more: str) -> str:
        """Give all of it in one line, with what else there is to say."""
        return "; ".join(part for part in (*self._lasting.values(), self._stream, *more) if part)
