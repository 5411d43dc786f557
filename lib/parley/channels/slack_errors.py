"""
What each error of Slack's Web API means for a message that was to be posted, updated or streamed.

    wait        come back later; nothing is charged       content     Slack refuses the form: a simpler one is tried
    retry       surely not sent                           stopped     the person has stopped the stream
    unsure      perhaps sent: it is looked for first      gone        the stream is over: the message is updated instead
    recipient   this place will not take it               ours        a mistake of ours in the call: failed
    credential  our token, app or plan: kept until cured  unknown     anything else: tried again a few times

Source: the page of each method below https://docs.slack.dev/reference/methods; errors come with the status 200.
"""

from typing import Literal

type Class = Literal[
    "wait", "retry", "unsure", "recipient", "credential", "content", "stopped", "gone", "ours", "unknown"
]

_TABLE: dict[Class, str] = {
    "wait": "ratelimited rate_limited",
    "retry": "request_timeout service_unavailable team_added_to_org org_login_required external_channel_migrating"
    " update_failed",
    "unsure": "fatal_error internal_error messaging_processing_failed",
    "recipient": "channel_not_found not_in_channel is_archived is_inactive user_not_found users_not_found user_disabled"
    " user_not_visible messages_tab_disabled restricted_action restricted_action_non_threadable_channel"
    " restricted_action_read_only_channel restricted_action_thread_locked restricted_action_thread_only_channel"
    " cannot_reply_to_message thread_not_found ekm_access_denied no_permission access_denied team_not_found"
    " channel_type_not_supported method_not_supported_for_channel_type invalid_user_combination"
    " enterprise_is_restricted posting_to_channel_denied message_not_found message_not_owned_by_app"
    " cant_update_message edit_window_closed missing_recipient_team_id missing_recipient_user_id not_enough_users"
    " too_many_users users_list_not_supplied send_on_behalf_not_allowed cant_broadcast_message",
    "credential": "invalid_auth account_inactive token_revoked token_expired not_authed missing_scope"
    " not_allowed_token_type two_factor_setup_required accesslimited app_access_restricted message_limit_exceeded"
    " is_bot metadata_must_be_sent_from_app not_subscribed_to_message_stream_stopped not_enabled",
    "content": "invalid_blocks invalid_blocks_format msg_blocks_too_long msg_blocks_too_many msg_too_long"
    " markdown_text_conflict no_text metadata_too_large invalid_metadata_format invalid_metadata_schema"
    " too_many_attachments too_many_contact_cards invalid_attachments attachment_payload_limit_exceeded invalid_chunks"
    " block_mismatch view_too_large slack_connect_file_link_sharing_blocked slack_connect_canvas_sharing_blocked"
    " slack_connect_lists_sharing_blocked",
    "stopped": "stopped_by_user",
    "gone": "message_not_in_streaming_state streaming_state_conflict",
    "ours": "invalid_arg_name invalid_arguments invalid_array_arg invalid_charset invalid_form_data invalid_json"
    " json_not_object invalid_post_type missing_post_type missing_charset superfluous_charset missing_argument"
    " method_deprecated deprecated_endpoint unknown_method invalid_cursor invalid_limit invalid_ts_latest"
    " invalid_ts_oldest invalid_metadata_filter_keys duplicate_channel_not_found duplicate_message_not_found"
    " duplicate_external_id as_user_not_supported no_dual_broadcast_content_update not_implemented"
    " exchanged_trigger_id expired_trigger_id invalid_trigger_id hash_conflict missing_profile_id"
    " draft_already_deleted draft_already_sent draft_has_conflict draft_not_found list_record_comment_fetch_failed"
    " blocked_file_type file_deleted file_is_deleted file_not_found file_share_limit_reached max_file_sharing_exceeded"
    " missing_file_data unable_to_share_files slack_connect_blocked_file_type slack_connect_clip_sharing_blocked"
    " slack_connect_file_upload_sharing_blocked",
}

_CLASSES: dict[str, Class] = {code: name for name, codes in _TABLE.items() for code in codes.split()}


def classed(code: str) -> Class:
    """Give the class of an error; new ones of a known family count with it."""
    if code in _CLASSES:
        return _CLASSES[code]
    families: dict[str, Class] = {
        "restricted_action": "recipient", "invalid_blocks": "content", "invalid_metadata": "content",
        "too_many_": "content", "slack_connect_": "recipient",
    }  # fmt: skip
    return next((name for begin, name in families.items() if code.startswith(begin)), "unknown")


def passes(code: str | None) -> bool:
    """Whether an error may be gone when the same is asked again."""
    return code is not None and classed(code) in ("wait", "retry", "unsure")


def codes() -> frozenset[str]:
    """Give every error that the table names."""
    return frozenset(_CLASSES)
