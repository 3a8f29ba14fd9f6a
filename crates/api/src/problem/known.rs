//! Every published code of a problem: what it means and what to do about it. The OpenAPI document and the reference page
//! take their words from here, and a test finds a code in the sources that has no line here.

use http::StatusCode;

/// A code that clients may be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// The stable code.
    pub(crate) code: &'static str,
    /// The HTTP status that it comes with.
    pub(crate) status: StatusCode,
    /// What has happened.
    pub(crate) meaning: &'static str,
    /// What the caller does about it.
    pub(crate) remedy: &'static str,
}

/// The entry of a code.
pub(crate) fn of(code: &str) -> Option<&'static Known> {
    ALL.iter().find(|known| known.code == code)
}

const fn known(status: StatusCode, code: &'static str, meaning: &'static str, remedy: &'static str) -> Known {
    Known { code, status, meaning, remedy }
}

/// By status, then by code.
pub(crate) const ALL: &[Known] = {
    use StatusCode as S;
    &[
        known(
            S::BAD_REQUEST,
            "bad_cursor",
            "The cursor is not one of this list.",
            "Pass `meta.next_cursor` of a page of the same list, or start without one.",
        ),
        known(S::BAD_REQUEST, "bad_header", "A header cannot be read.", "Give the header the form that `detail` names."),
        known(S::BAD_REQUEST, "broken_body", "The body ended too early, or did not arrive in time.", "Send the request again."),
        known(S::BAD_REQUEST, "malformed", "The hook is not a form of the provider.", "Let the provider call; nothing else is meant to."),
        known(S::BAD_REQUEST, "malformed_json", "The body is not JSON.", "Send JSON in UTF-8; `detail` says where it breaks off."),
        known(
            S::BAD_REQUEST,
            "org_needed",
            "The person works in several organisations.",
            "Name one in `X-Org-Id`, or by its slug in `org` when signing in.",
        ),
        known(
            S::BAD_REQUEST,
            "unknown_dialect",
            "`Parlance-Dialect` names a dialect that is not spoken.",
            "Leave the header out, or give one of the words that `detail` lists.",
        ),
        known(
            S::UNAUTHORIZED,
            "unauthenticated",
            "No key or session was shown, or it is not valid any more.",
            "Send `Authorization: Bearer <token>` with a key that is not revoked.",
        ),
        known(
            S::UNAUTHORIZED,
            "user_disabled",
            "The person, or the one for whom the key speaks, is disabled on this server.",
            "Ask whoever runs the server. Their keys count again when they are enabled.",
        ),
        known(
            S::UNAUTHORIZED,
            "wrong_credentials",
            "E-mail address or password are wrong.",
            "Check both; which of them is wrong is not said.",
        ),
        known(
            S::FORBIDDEN,
            "bad_origin",
            "A request with a cookie came from a page of another site.",
            "Use a key; cookies are for Parlance's own pages.",
        ),
        known(
            S::FORBIDDEN,
            "bad_signature",
            "The provider's signature does not fit.",
            "Compare `--public-url` with the URL that the provider calls, and the account's auth token with the current one.",
        ),
        known(
            S::FORBIDDEN,
            "forbidden",
            "The role or the key's scopes do not allow this.",
            "Ask an admin, or use a key with the scope that `detail` names.",
        ),
        known(
            S::FORBIDDEN,
            "not_in_org",
            "`X-Org-Id` names an organisation that the caller is not in.",
            "Leave the header out, or name an organisation that `GET /api/v1/me` lists.",
        ),
        known(
            S::FORBIDDEN,
            "org_disabled",
            "The organisation is disabled on this server.",
            "Ask whoever runs the server. Keys and sessions count again when it is enabled.",
        ),
        known(
            S::NOT_FOUND,
            "not_found",
            "There is no such thing in this organisation.",
            "Check the id or the path. Ids of other organisations look like ids that never were.",
        ),
        known(S::METHOD_NOT_ALLOWED, "method_not_allowed", "The path does not take this method.", "Use one that the header `Allow` lists."),
        known(
            S::CONFLICT,
            "account_exists",
            "An account with this number or Messaging Service is there already.",
            "Change that account in place of making another.",
        ),
        known(S::CONFLICT, "already_staff", "The person works in the organisation already.", "Change their role in place of adding them."),
        known(
            S::CONFLICT,
            "idempotency_running",
            "The first request with this Idempotency-Key is still running.",
            "Ask again after `Retry-After`; the answer will be the first one's.",
        ),
        known(
            S::CONFLICT,
            "identity_taken",
            "The number or address belongs to another contact, whom `detail` names.",
            "Merge the two, or take it from the other first.",
        ),
        known(
            S::CONFLICT,
            "may_have_been_sent",
            "It is not known whether the message was sent, so a retry may make it arrive twice.",
            "Ask the recipient, or retry with `allow_duplicate`.",
        ),
        known(
            S::CONFLICT,
            "not_retryable",
            "The message waits, is on its way, or has arrived.",
            "Wait for what becomes of it, or send a new one.",
        ),
        known(
            S::CONFLICT,
            "too_late",
            "The message is being handed to its provider, or has come to an end.",
            "Nothing calls it back any more; `detail` says how far it is.",
        ),
        known(
            S::CONFLICT,
            "under_way",
            "What became of the message's last attempt is just being written down.",
            "Look at the message after `Retry-After`.",
        ),
        known(S::CONFLICT, "last_owner", "An organisation keeps at least one owner.", "Make somebody else an owner first."),
        known(
            S::CONFLICT,
            "user_is_shared",
            "The person works in another organisation too, which shares their name.",
            "Let the person change it themselves.",
        ),
        known(S::GONE, "events_gone", "Events this old are no longer kept.", "Load the present state, and go on from the newest `seq`."),
        known(S::GONE, "link_expired", "The link to a file has ended.", "Ask for the message or the file again: it comes with a new one."),
        known(S::PAYLOAD_TOO_LARGE, "body_too_large", "The body is larger than 1 MiB.", "Send less at once."),
        known(
            S::PAYLOAD_TOO_LARGE,
            "file_too_large",
            "The file is larger than this installation takes; `detail` says how large it may be.",
            "Send a smaller one, or a link to it.",
        ),
        known(S::RANGE_NOT_SATISFIABLE, "no_such_range", "The file has no such range.", "`Content-Range` says how long it is."),
        known(
            S::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body is of a type that is not taken here.",
            "Send JSON with `Content-Type: application/json`, and files as a form with `Content-Type: multipart/form-data`.",
        ),
        known(
            S::UNPROCESSABLE_ENTITY,
            "contact_too_large",
            "The contact would have more numbers and addresses than one may have.",
            "Split it, or leave the two apart.",
        ),
        known(
            S::UNPROCESSABLE_ENTITY,
            "idempotency_mismatch",
            "This Idempotency-Key was used for another request.",
            "Use a new key for each request.",
        ),
        known(S::UNPROCESSABLE_ENTITY, "key_has_no_user", "The key speaks for no person.", "Use the key of a user."),
        known(S::UNPROCESSABLE_ENTITY, "no_account", "No account can send on this channel.", "Connect one, or switch one on."),
        known(
            S::UNPROCESSABLE_ENTITY,
            "no_session",
            "There is no session to end: the caller showed a key.",
            "Revoke the key in place of signing out.",
        ),
        known(
            S::UNPROCESSABLE_ENTITY,
            "not_answerable",
            "The other side has no number, its number costs by the minute, or texts do not go out in a conversation of calls.",
            "Reach them another way: call, or write in a conversation of texts.",
        ),
        known(
            S::UNPROCESSABLE_ENTITY,
            "no_staff_phone",
            "It is not known which phone of the staff to ring first.",
            "Give `staff_phone`, or have an admin add the number to the account's `voice.ring`.",
        ),
        known(
            S::UNPROCESSABLE_ENTITY,
            "not_outbound",
            "The message came in, or is of a kind that no provider is given.",
            "Cancel and retry messages that go out.",
        ),
        known(
            S::UNPROCESSABLE_ENTITY,
            "recipient_opted_out",
            "The recipient asked not to be written to.",
            "Do not send. They lift it themselves by writing START.",
        ),
        known(
            S::UNPROCESSABLE_ENTITY,
            "whatsapp_window_closed",
            "WhatsApp takes free texts for 24 hours after the contact last wrote, and that time is over or never began.",
            "Send a `template`, or wait until they write.",
        ),
        known(
            S::UNPROCESSABLE_ENTITY,
            "sms_provider_off",
            "`sms_provider` is null: nobody carries SMS and calls.",
            "Set it in the provider settings.",
        ),
        known(
            S::UNPROCESSABLE_ENTITY,
            "validation_failed",
            "A value is not acceptable.",
            "`errors` names each field and what it should be.",
        ),
        known(
            S::TOO_MANY_REQUESTS,
            "rate_limited",
            "The caller made more requests in a minute than one may.",
            "Wait as long as `Retry-After` says; `RateLimit-Remaining` tells it beforehand.",
        ),
        known(
            S::TOO_MANY_REQUESTS,
            "too_many_failures",
            "Too many failed sign-ins, or too many wrong keys from one address.",
            "Wait as long as `Retry-After` says.",
        ),
        known(
            S::TOO_MANY_REQUESTS,
            "too_many_uploads",
            "The organisation is uploading as many files as one may at once.",
            "Send the next file when one of them is through, or as late as `Retry-After` says.",
        ),
        known(
            S::INTERNAL_SERVER_ERROR,
            "internal",
            "A defect on the server's side.",
            "Give its operator the request id: it leads to the log line that says what.",
        ),
        known(
            S::SERVICE_UNAVAILABLE,
            "put_off",
            "The hook is for an organisation that is disabled, and was not kept.",
            "Let the provider try again after `Retry-After`; it is taken in once the organisation is enabled.",
        ),
        known(
            S::SERVICE_UNAVAILABLE,
            "unavailable",
            "The database cannot be reached or is overloaded.",
            "Try again after `Retry-After`, with the same Idempotency-Key.",
        ),
    ]
};
