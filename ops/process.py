"""A bot as a process: from the command line to the exit code of its run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from actors.log import logger
from actors.thread_runtime import wake_on_time
from messages.errors import ConfigError
from ops.alert_addresses import addresses
from ops.bot_run import BotRun
from ops.config import FeedType, Mode
from ops.doubts import tell_doubts
from ops.live_consent import check_consent
from ops.options import StartOptions
from ops.run_config import config_for, placed
from ops.secret_values import clean_refusals, secrets_of
from ops.signals import Signals, ended_by_signals
from ops.starting import Start
from ops.waiting import Waiting, say


def run_bot(options: StartOptions) -> int:
    """Run until the market ends, the time is over or somebody stops it; give the exit code.

    A signal that comes before it listens ends it in order: a strategy's code may take
    long to be loaded, and the first process of a container would not hear them at all.

    Raises:
        WatchkeeperError: a user's mistake, found before anything was started; exit 2.
        SystemExit: SIGTERM came before it had started.
        KeyboardInterrupt: likewise SIGINT.
    """
    with ended_by_signals() as signals, _last_word(signals):
        return _run(options, signals)


@contextmanager
def _last_word(signals: Signals) -> Iterator[None]:
    """Say that a signal has ended the start, whatever was made of it on the way out."""
    try:
        yield
    except BaseException:
        if signals.told and signals.heir is None:
            say(f"stopped by {signal.Signals(signals.told).name} before it had started")
        raise


def _run(options: StartOptions, signals: Signals) -> int:
    config = config_for(options)
    tell_doubts(config)
    if config.feed.type is FeedType.REPLAY:
        from ops.backtest_config import check_served  # which others can start without

        check_served(config)
    if config.feed.is_live:
        wake_on_time()  # before the first thread is started
    secrets = secrets_of(config)
    urls = addresses(config.alerts.urls_env) if config.alerts.enabled else []
    if config.mode is Mode.LIVE:
        check_consent(config.run_dir, config.venue, given=options.i_understand_live)
    elif options.standby:
        raise ConfigError(["--standby: only a live run has an account to take over"])
    config = placed(config, options)  # which is made now that nothing is refused
    waiting = Waiting(config.runtime.wait_for_services_s, secrets)
    with clean_refusals(secrets):
        ready = waiting.until_there(Start(options, config, secrets, waiting).attempt)
        with ready.holding:
            if waiting.waited:
                logger.info("the start was {}", waiting.waited)
            run = BotRun(
                options, config, ready.run_dir, ready.account, ready.opened, urls, secrets,
                ready.ledger,
            )  # fmt: skip
            run.snapshots.claimed_before = ready.newest_claim
            run.snapshots.extras["errors"] = lambda: {"logged": ready.counts.errors}
            if ready.before:
                run.alerts.happened("gone", ready.before)
            ready.context.cells = run.system.runtime.cells
            signals.check()  # for what somebody has swallowed
            signals.hand_to(run.signals.note)
            return run.run()
