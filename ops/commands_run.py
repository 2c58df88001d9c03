"""From the command line to what runs, steers and watches a bot.

Nothing is imported before it is due: `health` is here.
"""

import argparse
import sys
from pathlib import Path

from messages.exit_codes import EXIT_FAILED, EXIT_NOTHING_THERE, EXIT_OK
from ops.run_named import Command, acted_upon, named_run_of, of_run


def _start(arguments: argparse.Namespace) -> int:
    from ops.signals import ended_by_signals

    with ended_by_signals():  # before what takes a second to be imported
        return _run_bot(arguments)


def _run_bot(arguments: argparse.Namespace) -> int:
    from ops.collector import not_collecting

    with not_collecting():
        from ops.options import StartOptions
        from ops.process import run_bot

    options = StartOptions(
        config_path=arguments.config,
        run_dir=arguments.run_dir,
        duration_s=arguments.duration,
        max_events=arguments.max_events,
        idempotency_backend=arguments.idempotency_backend,
        database_url_env=arguments.database_url_env,
        metrics_enabled=arguments.metrics_enabled,
        chaos=arguments.chaos,
        i_understand_live=arguments.i_understand_live,
        standby=arguments.standby,
        wait_for_services_s=arguments.wait_for_services,
        json_lines=arguments.json,
        speed=arguments.speed,
        exchange=arguments.exchange,
        symbol=arguments.symbol,
        timeframe=arguments.timeframe,
    )
    return run_bot(options)


def _health(arguments: argparse.Namespace) -> int:
    from ops.health import HealthOptions, health

    run_dir = named_run_of(arguments)
    if run_dir is None:
        return EXIT_FAILED if arguments.probe else EXIT_NOTHING_THERE
    options = HealthOptions(
        run_dir=run_dir,
        as_json=arguments.json,
        watch_s=arguments.watch,
        probe=arguments.probe,
        stacks=arguments.stacks,
        errors=arguments.errors,
        deep=arguments.deep,
        timeout_s=arguments.timeout,
    )
    return health(options)


@of_run(acted_upon)
def _stop(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.stop import stop

    return stop(run_dir, arguments.timeout)


@of_run(acted_upon)
def _halt(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.halt import halt

    return halt(
        run_dir,
        arguments.reason,
        as_json=arguments.json,
        timeout_s=arguments.timeout,
        config_path=arguments.config,
    )


@of_run(acted_upon)
def _resume(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.halt import resume

    return resume(
        run_dir,
        despite_open=arguments.despite_open,
        as_json=arguments.json,
        timeout_s=arguments.timeout,
        config_path=arguments.config,
    )


def _check(arguments: argparse.Namespace) -> int:
    from ops.backtest_config import check_served, make_each
    from ops.config import load
    from ops.config_window import check_window
    from ops.doubts import tell_doubts
    from ops.effective import effective_text
    from strategies import check_params

    config = load(arguments.config, {}, check_params)
    check_window(config)
    make_each(config)
    check_served(config)
    sys.stdout.write(effective_text(config))
    tell_doubts(config)
    return EXIT_OK


def _publish(arguments: argparse.Namespace) -> int:
    from ops.bus_publish import PublishOptions, publish

    options = PublishOptions(
        config_path=arguments.config,
        url=arguments.to,
        stream=arguments.stream,
        run_dir=arguments.run_dir,
        speed=arguments.speed,
        duration_s=arguments.duration,
        max_events=arguments.max_events,
        history=arguments.history,
        keep_hours=arguments.keep_hours,
        keep_mb=arguments.keep_mb,
        user_env=arguments.user_env,
        password_env=arguments.password_env,
        token_env=arguments.token_env,
        credentials_env=arguments.credentials_env,
        ca_file=arguments.ca_file,
    )
    return publish(options)


def _doctor(arguments: argparse.Namespace) -> int:
    from ops.doctor import doctor

    return doctor(arguments.config, online=arguments.online, as_json=arguments.json)


def _alert_test(arguments: argparse.Namespace) -> int:
    from ops.alert_try import alert_try

    return alert_try(arguments.config, as_json=arguments.json)


def _alert_watch(arguments: argparse.Namespace) -> int:
    from ops.alert_watch import WatchOptions, alert_watch

    run_dir = named_run_of(arguments)
    if run_dir is None:
        return EXIT_NOTHING_THERE  # one that is named and not there yet is waited for

    options = WatchOptions(
        run_dir=run_dir,
        interval_s=arguments.interval,
        stale_after_s=arguments.stale,
        once=arguments.once,
    )
    return alert_watch(options)


def _orchestrate(arguments: argparse.Namespace) -> int:
    from importlib.util import find_spec

    if find_spec("psutil") is None:
        from messages.errors import ConfigError
        from messages.extras import how_to_install

        raise ConfigError([f"orchestrate needs psutil: {how_to_install('orchestrate')}"])
    if arguments.verb == "up":
        from ops.fleet.command import up

        return up(arguments.fleet, as_json=arguments.json, http=arguments.http)
    from ops.fleet import asking

    if arguments.verb == "ps":
        return asking.ps(arguments.fleet, as_json=arguments.json)
    if arguments.verb == "page":
        return asking.page(arguments.fleet, arguments.out, as_json=arguments.json)
    if arguments.verb == "logs":
        return asking.logs(arguments.fleet, arguments.bot, arguments.lines)
    return asking.ask(
        arguments.fleet,
        arguments.verb,
        getattr(arguments, "bot", ""),
        arguments.timeout,
        as_json=arguments.json,
    )


COMMANDS: dict[str, Command] = {
    "start": _start,
    "health": _health,
    "stop": _stop,
    "halt": _halt,
    "resume": _resume,
    "check": _check,
    "publish": _publish,
    "doctor": _doctor,
    "alert_test": _alert_test,
    "alert_watch": _alert_watch,
    "orchestrate": _orchestrate,
}
