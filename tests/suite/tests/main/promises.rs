//! Which test keeps which promise of security, by the number that the promise has in the plan (S01 to S20).
//!
//! S11 and S12 (JWT), S18 (mTLS) and S21 (supply chain) are not here: the first two are not built, the last is `deny.toml`.

use crate::tree::read;

/// A file and a function in it.
type Test = (&'static str, &'static str);

/// Number, what is promised, and the tests.
const PROMISES: [(&str, &str, &[Test]); 17] = [
    (
        "S01",
        "no entity, no external document, no socket",
        &[("crates/bridge/tests/hostile.rs", "a_document_type_is_refused_and_opens_nothing")],
    ),
    (
        "S02",
        "depth, counts and sizes of XML have bounds, on a small stack and in little time",
        &[
            ("crates/bridge/tests/hostile.rs", "what_is_too_much_is_named_on_a_small_stack"),
            ("crates/bridge/src/xml/document.rs", "a_text_in_many_pieces_takes_as_much_memory_as_its_bytes"),
            ("crates/bridge/src/wire/soap/reply/tests.rs", "references_make_no_tree_without_bounds"),
            ("crates/bridge/tests/engine.rs", "a_reply_over_its_cap_is_not_read_and_not_asked_for_again"),
        ],
    ),
    (
        "S03",
        "bytes are the right text, or cost the field that holds them",
        &[
            ("crates/bridge/tests/hostile.rs", "bytes_that_are_no_text_are_marked"),
            ("crates/bridge/tests/fuzz/markup.rs", "no_charset_loses_a_character"),
            ("crates/bridge/tests/oracles.rs", "every_charset_reads_what_it_wrote"),
        ],
    ),
    (
        "S04",
        "a caller's text is never markup",
        &[
            ("tests/suite/tests/main/injection.rs", "no_text_of_a_caller_is_anything_but_text_upstream"),
            ("crates/bridge/tests/oracles.rs", "any_legal_text_survives_xml"),
        ],
    ),
    (
        "S05",
        "an argument is one segment of one origin",
        &[
            ("crates/bridge/tests/fuzz/address.rs", "no_argument_leaves_its_segment"),
            ("crates/bridge/src/wire/rest.rs", "every_unfit_segment_is_named"),
        ],
    ),
    (
        "S06",
        "no header holds what no header may hold",
        &[
            ("crates/serving/src/layers/request_id.rs", "a_decent_id_is_kept_and_any_other_replaced"),
            ("crates/protocol/src/caller/tests.rs", "a_name_cannot_smuggle_a_line"),
            ("gateway/src/headers.rs", "credentials_hop_headers_and_foreign_contexts_stop"),
        ],
    ),
    (
        "S07",
        "no private address, however it is written or resolved",
        &[
            ("crates/bridge/src/http/address.rs", "refuses_private_addresses_however_they_are_written"),
            ("crates/bridge/tests/engine.rs", "a_name_that_leads_home_is_not_called"),
            ("crates/bridge/tests/fuzz/address.rs", "no_base_address_is_too_odd"),
            ("crates/bridge/tests/engine.rs", "a_redirect_is_not_followed"),
        ],
    ),
    (
        "S08",
        "what is no call gets a status",
        &[
            ("crates/chassis/tests/main/attacks.rs", "calls_that_are_none_get_a_status_and_their_connection_lives_on"),
            ("crates/chassis/tests/main/calls.rs", "what_is_too_large_is_refused_in_both_directions"),
        ],
    ),
    (
        "S09",
        "floods end, and cost others little",
        &[
            ("crates/chassis/tests/main/attacks.rs", "floods_of_frames_are_ended_and_cost_others_little"),
            ("crates/chassis/tests/main/attacks.rs", "what_h2_counts_itself_is_ended_with_enhance_your_calm"),
            ("crates/chassis/tests/main/attacks.rs", "replies_that_nobody_takes_cost_little_and_are_given_up"),
            ("crates/chassis/tests/main/attacks.rs", "broken_frames_end_their_connection_alone"),
        ],
    ),
    (
        "S10",
        "crowds that say nothing are sent away",
        &[
            ("crates/chassis/tests/main/attacks.rs", "crowds_that_say_nothing_are_sent_away"),
            ("crates/chassis/tests/main/stopping.rs", "one_address_gets_so_many_connections"),
            ("crates/chassis/tests/main/apart.rs", "without_descriptors_the_server_rests_and_recovers"),
        ],
    ),
    (
        "S13",
        "keys of callers are kept as hashes",
        &[
            ("gateway/src/identity/tests.rs", "the_right_key_and_only_it_gets_in"),
            ("gateway/src/key.rs", "a_bad_hash_is_refused_without_being_repeated"),
        ],
    ),
    (
        "S14",
        "nobody reaches another's account or method",
        &[
            ("gateway/tests/main.rs", "what_is_not_granted_is_refused"),
            ("gateway/src/policy/tests.rs", "the_account_must_stand_in_the_same_grant_as_the_method"),
        ],
    ),
    (
        "S15",
        "a caller's headers stop at the gateway",
        &[
            ("gateway/tests/main.rs", "the_service_gets_a_signed_context_and_no_credentials"),
            (
                "crates/chassis/tests/main/telemetry.rs",
                "an_unsampled_trace_is_not_recorded_and_a_bad_one_is_begun_anew",
            ),
        ],
    ),
    (
        "S16",
        "no secret is shown",
        &[
            ("tests/suite/tests/main/canary.rs", "no_secret_is_shown_anywhere"),
            ("tests/suite/tests/main/canary.rs", "a_secret_that_is_logged_is_found"),
        ],
    ),
    (
        "S17",
        "a line of the log is one line",
        &[
            ("crates/telemetry/src/log.rs", "nothing_that_is_quoted_begins_a_line_or_drives_a_terminal"),
            ("crates/bridge/src/status.rs", "texts_are_cut_and_cleaned"),
        ],
    ),
    (
        "S19",
        "a status is short and of one line",
        &[
            ("crates/serving/src/layers/status.rs", "lines_stay_and_escapes_do_not_leave_the_message"),
            ("crates/serving/src/layers/status.rs", "what_is_too_large_keeps_its_meaning"),
            ("crates/bridge/src/status.rs", "texts_are_cut_and_cleaned"),
        ],
    ),
    (
        "S20",
        "no bytes make a reader panic, hang or swallow memory",
        &[
            ("crates/bridge/tests/fuzz/markup.rs", "a_document_is_read_as_elsewhere_or_refused"),
            ("crates/bridge/tests/fuzz/markup.rs", "no_soap_reply_is_too_odd"),
            ("crates/bridge/tests/fuzz/markup.rs", "no_xml_rpc_reply_is_too_odd"),
            ("crates/bridge/tests/fuzz/tree.rs", "json_is_read_as_elsewhere_or_refused"),
            ("crates/bridge/tests/fuzz/tree.rs", "no_reply_is_too_odd_for_its_message"),
            ("crates/bridge/tests/fuzz/address.rs", "no_retry_after_is_too_odd"),
            ("crates/protocol/src/deadline.rs", "no_text_is_too_odd"),
            ("crates/telemetry/src/extract.rs", "a_trace_is_continued_as_it_came_or_not_at_all"),
            ("crates/chassis/src/settings/tests.rs", "no_file_is_too_odd"),
        ],
    ),
];

#[test]
fn every_promise_has_the_tests_that_are_named_here() {
    for (number, promise, tests) in PROMISES {
        assert!(!tests.is_empty(), "{number}: {promise}");
        for (file, test) in tests {
            let text = read(file);
            let found = text.split_once(&format!("fn {test}("));
            let (before, _) = found.unwrap_or_else(|| panic!("{number}: {file} has no {test}"));
            let above = before.trim_end().trim_end_matches("async").trim_end().lines().next_back().unwrap().trim();
            let is_test = above.starts_with("#[test") || above.starts_with("#[tokio::test");
            assert!(is_test, "{number}: {test} is no test");
        }
    }
}
