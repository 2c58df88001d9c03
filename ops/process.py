"""A bot as a process: from the command line to the exit code of its run."""

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
from ops.starting import Start
from ops.waiting import Waiting


def run_bot(options: StartOptions) -> int:
    """Run until the market ends, the time is over or somebody stops it; give the exit code.

    Raises:
        WatchkeeperError: a user's mistake, found before anything was started; exit 2.
    """
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
            return run.run()
