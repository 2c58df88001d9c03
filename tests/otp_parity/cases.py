"""The cases of OTP's own supervisor suite, and what becomes of each here.

The names are those of `lib/stdlib/test/supervisor_SUITE.erl` in Erlang/OTP; wording and code
are ours. An empty reason means that a test of that name stands in a file beside this one.
"""

_NO_IGNORE = "a start that answers `ignore` is not offered: leave the child out of the spec"
_NO_UPGRADE = "code is not replaced in a running process"

CASES: dict[str, str] = {
    # starting
    "sup_start_normal": "",
    "sup_start_ignore_init": _NO_IGNORE,
    "sup_start_ignore_child": _NO_IGNORE,
    "sup_start_ignore_temporary_child": _NO_IGNORE,
    "sup_start_ignore_temporary_child_start_child": _NO_IGNORE,
    "sup_start_ignore_temporary_child_start_child_simple": _NO_IGNORE,
    "sup_start_ignore_permanent_child_start_child_simple": _NO_IGNORE,
    "sup_start_error_return": "",
    "sup_start_fail": "",
    "sup_start_child_returns_error": "",
    "sup_start_restart_child_returns_error": "",
    "sup_start_child_returns_error_simple": "",
    "sup_start_map": "",
    "sup_start_map_simple": "",
    "sup_start_map_faulty_specs": "",
    # stopping
    "sup_stop_infinity": "",
    "sup_stop_timeout": "",
    "sup_stop_timeout_dynamic": "",
    "sup_stop_brutal_kill": "",
    "sup_stop_brutal_kill_dynamic": "",
    "sup_stop_race": "",
    "sup_stop_non_shutdown_exit_dynamic": "",
    # administration
    "child_adm": "",
    "child_adm_simple": "",
    "child_specs": "",
    "child_specs_map": "",
    "extra_return": "a start gives no value beside the address",
    "sup_flags": "",
    "external_start_no_progress_log": "only a supervisor starts its children",
    # restart types
    "permanent_normal": "",
    "transient_normal": "",
    "temporary_normal": "",
    "permanent_shutdown": "",
    "transient_shutdown": "",
    "temporary_shutdown": "",
    "faulty_application_shutdown": "there are no applications; the process itself ends",
    "permanent_abnormal": "",
    "transient_abnormal": "",
    "temporary_abnormal": "",
    "temporary_bystander": "",
    # strategies
    "multiple_restarts": "",
    "one_for_one": "",
    "one_for_one_escalation": "",
    "one_for_all": "",
    "one_for_all_escalation": "",
    "one_for_all_other_child_fails_restart": "",
    "simple_one_for_one": "",
    "simple_one_for_one_shutdown": "",
    "simple_one_for_one_extra": "",
    "simple_one_for_one_escalation": "",
    "simple_one_for_one_corruption": "children are kept by name, not by a pid that is used again",
    "simple_one_for_one_restart_ignore": _NO_IGNORE,
    "rest_for_one": "",
    "rest_for_one_escalation": "",
    "rest_for_one_other_child_fails_restart": "",
    # significant children
    "nonsignificant_temporary": "",
    "nonsignificant_transient": "",
    "significant_temporary": "",
    "significant_transient": "",
    "significant_simple": "",
    "significant_bystander": "",
    "significant_escalation": "",
    "significant_upgrade_never_any": _NO_UPGRADE,
    "significant_upgrade_any_never": _NO_UPGRADE,
    "significant_upgrade_never_all": _NO_UPGRADE,
    "significant_upgrade_all_never": _NO_UPGRADE,
    "significant_upgrade_any_all": _NO_UPGRADE,
    "significant_upgrade_all_any": _NO_UPGRADE,
    "significant_upgrade_child": _NO_UPGRADE,
    # the rest
    "child_unlink": "there are no links to take away; a supervisor reads its children's cells",
    "tree": "",
    "count_children": "",
    "count_children_supervisor": "",
    "count_restarting_children": "",
    "get_callback_module": "a supervisor is a spec, it has no callback module",
    "do_not_save_start_parameters_for_temporary_children": "",
    "do_not_save_child_specs_for_temporary_children": "",
    "simple_one_for_one_scale_many_temporary_children": "",
    "simple_global_supervisor": "names are paths of one process; there is no global registry",
    "hanging_restart_loop": "",
    "hanging_restart_loop_rest_for_one": "",
    "hanging_restart_loop_simple": "",
    "code_change": _NO_UPGRADE,
    "code_change_map": _NO_UPGRADE,
    "code_change_simple": _NO_UPGRADE,
    "code_change_simple_map": _NO_UPGRADE,
    "order_of_children": "",
    "scale_start_stop_many_children": "",
    "format_log_1": "reports are loguru lines and `Supervision` messages",
    "format_log_2": "reports are loguru lines and `Supervision` messages",
    "already_started_outside_supervisor": "only a supervisor starts its children",
    "which_children": "",
    "which_children_simple_one_for_one": "",
}


def table() -> str:
    """The cases as a Markdown table, as `docs/supervision.md` shows it."""
    rows = [f"| `{name}` | {reason or 'tested'} |" for name, reason in CASES.items()]
    return "\n".join(["| OTP's case | here |", "| --- | --- |", *rows])
