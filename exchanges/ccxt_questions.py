"""Questions about an account's orders, to which "there is none" and an empty list are answers."""

from collections.abc import Awaitable, Callable
from typing import Any

from exchanges.ccxt_asking import Heard, unanswered
from exchanges.ccxt_call import Call, recorded
from exchanges.outcomes import Answer, judge_query
from exchanges.rate_budget import Urgency
from messages.errors import OutcomeUnknown


class Questions:
    """Put on the loop of one client; `heard` is told of each one's end."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    async def ask_list(
        self, what: str, question: Callable[[], Awaitable[Any]]
    ) -> list[dict[str, Any]]:
        """Ask for a list; ccxt makes an empty one of HTML and of nothing, which says nothing.

        Raises:
            OutcomeUnknown: the question failed, or the answer is no list.
        """
        with recorded(Urgency.QUESTION) as call:
            answer = await self.answer(what, question, call)
        if not call.has_answer or not isinstance(answer, list) or not all(map(_is_object, answer)):
            raise OutcomeUnknown(f"no_answer: could not {what}: the reply is not a list; ask again")
        return answer

    async def answer(self, what: str, question: Callable[[], Awaitable[Any]], call: Call) -> Any:
        """Give the answer, or None where the venue says that it has no such order.

        Raises:
            OutcomeUnknown: the question failed, or was answered with nothing at all.
        """
        try:
            answer = await question()
        except Exception as error:
            self._heard(call, error)
            evidence = call.evidence(error)
            if judge_query(evidence) is Answer.NO_SUCH_ORDER:
                return None
            raise unanswered(f"could not {what}", evidence) from error
        self._heard(call, None)
        if answer is None:  # that there is no such order is an error, with a code that says so
            raise OutcomeUnknown(f"no_answer: could not {what}: the reply is empty; ask again")
        return answer


def _is_object(one: object) -> bool:
    return isinstance(one, dict)
