"""The failures that a line lives with, each with the tests that play it: no row may lose its tests."""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = {
    "the line's server or database is down for a shift": (
        "test_the_line_is_down_for_a_shift_and_the_lanes_go_on_with_the_tickets_they_hold",
        "test_a_station_run_names_its_units_by_the_ids_of_the_line_and_refuses_without_one",
    ),
    "kill -9 of the postmaster": ("test_the_postmaster_and_its_backends_are_killed_at_any_moment",),
    "kill -9 of a backend": ("test_a_backend_is_killed_by_signal_9_in_the_middle_of_a_transaction",),
    "kill -9 of the line's server": (
        "test_a_server_killed_twenty_times_in_a_shift_leaves_every_record_once",
    ),
    "kill -9 of a station": (
        "test_a_station_killed_at_any_moment_of_its_work_loses_and_doubles_nothing",
        "test_a_station_is_killed_after_a_record_and_before_it_is_sent",
        "test_a_ticket_that_was_taken_when_the_power_failed_is_settled_at_the_next_start",
    ),
    "an answer is lost": (
        "test_answers_that_are_lost_double_nothing",
        "test_a_repeated_request_gets_the_answer_that_was_lost",
    ),
    "requests are doubled and reordered": (
        "test_requests_that_come_twice_and_in_another_order_change_nothing",
        "test_a_batch_moves_the_cursor_and_a_repetition_moves_nothing",
    ),
    "two processes have one journal": (
        "test_two_processes_that_send_one_journal_send_it_once",
        "test_a_station_killed_at_any_moment_of_its_work_loses_and_doubles_nothing",  # runs a second one
    ),
    "the cable is cut": ("test_a_cable_that_is_cut_in_the_middle_of_a_request_loses_nothing",),
    "a network that delays": ("test_a_network_that_delays_every_byte_is_waited_for",),
    "a black hole": ("test_no_thread_waits_long_for_a_black_hole",),
    "SIGSTOP of the line's server": (
        "test_a_stopped_line_server_makes_the_station_offline_and_gets_everything_when_it_goes_on",
    ),
    "SIGSTOP of the database": (
        "test_a_stopped_database_is_answered_for_and_recovers",
        "test_a_connection_that_is_held_too_long_is_cut_by_the_watchdog",
    ),
    "the database is restored from yesterday": (
        "test_a_database_restored_from_yesterday_gets_the_rest_again",
        "test_a_database_that_forgot_grants_grants_nothing_more",
    ),
    "the database is lost": (
        "test_a_lost_database_is_rebuilt_with_the_same_rows",
        "test_rebuild_waits_until_the_stations_have_sent_everything_again",
        "test_device_ids_that_a_lost_database_forgot_are_told_again_and_never_bound_twice",
    ),
    "a station's disk dies while it is offline": (
        "test_a_station_disk_that_dies_offline_leaves_a_backlog_and_tickets_that_are_perhaps_spent",
        "test_written_off_tickets_stay_granted_and_an_audit_row_says_why",
    ),
    "a station's disk is cloned": ("test_a_cloned_disk_is_found_and_both_histories_are_kept",),
    "a station's disk is restored": (
        "test_a_disk_restored_from_a_backup_is_found_and_nothing_that_was_stored_is_lost",
    ),
    "a clock is a day wrong or jumps back": (
        "test_a_clock_that_is_a_day_wrong_or_jumps_back_mixes_nothing_up",
    ),
    "a quota race of 100 stations": ("test_a_quota_race_of_a_hundred_stations_ends_exactly_at_the_quota",),
    "one IMEI on two stations": (
        "test_a_unit_in_work_elsewhere_is_refused_until_its_record_or_its_release",
        "test_what_slips_through_offline_is_a_conflict_row",
        "test_an_id_that_was_bound_offline_is_known_to_the_others_offline_after_the_next_syncs",
    ),
    "the server is upgraded before the stations": (
        "test_a_server_that_was_upgraded_first_serves_the_stations_of_the_version_before",
    ),
    "the stations are upgraded before the server": (
        "test_a_station_that_was_upgraded_first_is_refused_with_a_hint_and_loses_nothing",
        "test_tables_of_a_newer_atota_are_refused_by_name",
    ),
    "the database's disk is full": (
        "test_a_full_disk_refuses_the_whole_batch_and_the_next_one_succeeds",
        "test_a_really_full_disk_refuses_the_whole_batch_and_the_next_one_succeeds",
        "test_stations_are_shown_from_memory_while_the_database_takes_nothing",
        "test_a_disk_that_is_nearly_full_is_an_alarm_and_one_that_cannot_be_seen_is_none",
    ),
    "all of it in any order": ("test_whatever_happens_each_record_is_stored_once_and_quotas_hold",),
}


@pytest.fixture(scope="module")
def names() -> set[str]:
    """The names of all tests of the line."""
    return {
        node.name
        for file in HERE.glob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("case", CASES)
def test_each_failure_has_its_tests_by_name(case: str, names: set[str]) -> None:
    assert [name for name in CASES[case] if name not in names] == []
