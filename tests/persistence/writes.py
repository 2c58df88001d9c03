"""Everything that writes a ledger, by name, for those that may not."""

from collections.abc import Callable

from messages.values import OrderState as S
from persistence.ledger import Claim, Ledger, Step

ClaimOf = Callable[..., Claim]
StepOf = Callable[..., Step]
Write = Callable[[Ledger, ClaimOf, StepOf], object]
WRITES: dict[str, Write] = {
    "a claim": lambda ledger, claim, step: ledger.claim([claim(1)], 2),
    "claims": lambda ledger, claim, step: ledger.claim([claim(1), claim(2)], 2),
    "a refusal": lambda ledger, claim, step: ledger.claim([claim(1, refused="no")], 2),
    "a step": lambda ledger, claim, step: ledger.record([step(0, S.SENT)]),
    "steps and claims": lambda ledger, claim, step: ledger.write(
        [step(0, S.SENT)], [claim(1)], 2, {"equity": "1"}
    ),
    "a note": lambda ledger, claim, step: ledger.write((), (), 2, {"equity": "1"}),
    "a halt": lambda ledger, claim, step: ledger.set_halt("again"),
    "the end of a halt": lambda ledger, claim, step: ledger.clear_halt(),
}
