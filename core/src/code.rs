//! Every stable code that Longshore answers with, in one list: problems of the API, errors of an
//! import, reasons of a reject. A code never changes its meaning; clients switch on it.

macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal,)*) => {
        /// A stable code. Its text is what clients see.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant,)* }

        impl Code {
            /// All of them, for documentation and tests.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The text in answers, rejects and logs.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }

            /// The code of this text, if it is one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Code> {
                match text { $($name => Some(Code::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    // Requests.
    Unauthenticated "unauthenticated" "No token, or one that is unknown, revoked or expired.",
    TokenInQuery "token_in_query" "The token was sent in the URL and counts as exposed.",
    AmbiguousCredentials "ambiguous_credentials" "More than one Authorization header.",
    ScopeMissing "scope_missing" "The token lacks the scope this call needs.",
    NotFound "not_found" "No such thing in this account.",
    MethodNotAllowed "method_not_allowed" "This address does not know this method.",
    InvalidJson "invalid_json" "The text is not valid JSON.",
    EmptyBody "empty_body" "The request needs a body.",
    NotAcceptable "not_acceptable" "None of the media types in Accept can be given.",
    UnsupportedMediaType "unsupported_media_type" "The body's content type is not accepted here.",
    UnsupportedCharset "unsupported_charset" "Only UTF-8 is accepted here.",
    UnsupportedEncoding "unsupported_encoding" "The body's content encoding is not accepted.",
    BodyTooLarge "body_too_large" "The body is above the limit.",
    BodyTimeout "body_timeout" "The body did not arrive in time.",
    BodyIncomplete "body_incomplete" "The body ended before its announced length.",
    TooDeep "too_deep" "The JSON is nested too deep.",
    UnknownField "unknown_field" "No such field or member.",
    DuplicateKey "duplicate_key" "A member stands twice in one JSON object.",
    MissingField "missing_field" "A member that must be given is missing.",
    SourceRequiredOne "source_required_one" "Both source and location were given, or a start without either.",
    InvalidEnum "invalid_enum" "The value is not one of the allowed words.",
    InvalidType "invalid_type" "The value has the wrong JSON type.",
    OutOfRange "out_of_range" "The number is outside its range.",
    NameInvalid "name_invalid" "A name has 1 to 200 printable characters.",
    InvalidFieldName "invalid_field_name" "A field name has 1 to 100 printable characters without a dot.",
    DuplicateField "duplicate_field" "The same field stands twice.",
    NameTaken "name_taken" "Another one has this name already.",
    UnknownDatabase "unknown_database" "No such database in this account.",
    UnknownCollection "unknown_collection" "No such collection in this database.",
    DuplicateMapping "duplicate_mapping" "Two columns are mapped to one field.",
    KeyRequired "key_required" "This action needs key fields.",
    KeyNotMapped "key_not_mapped" "A key field has no column in the payload.",
    TooManyKeyIndexes "too_many_key_indexes" "The database has its full number of key combinations.",
    IncompatibleOptions "incompatible_options" "Two options contradict each other.",
    NotAvailable "not_available" "This option is part of the API but not built yet.",
    InvalidOptions "invalid_options" "The field's options are not valid for its type.",
    LimitReached "limit_reached" "A limit of this service is reached.",
    InvalidIdempotencyKey "invalid_idempotency_key" "An Idempotency-Key has 1 to 255 visible ASCII characters.",
    IdempotencyKeyReused "idempotency_key_reused" "This Idempotency-Key came before with another request.",
    IdempotencyInProgress "idempotency_in_progress" "The first request with this Idempotency-Key is still running.",
    InvalidLimit "invalid_limit" "limit is a number from 1 to 1000.",
    InvalidCursor "invalid_cursor" "The cursor does not come from this list.",
    InvalidParameter "invalid_parameter" "A query parameter is unknown or not valid.",
    InvalidFilter "invalid_filter" "The filter's value does not fit its field.",
    NotStartable "not_startable" "The import cannot be started in this state.",
    NotCancellable "not_cancellable" "The import cannot be cancelled in this state.",
    NotPausable "not_pausable" "The import cannot be paused in this state.",
    NotResumable "not_resumable" "The import is not paused.",
    NotDraft "not_draft" "Only a draft takes a payload.",
    PayloadExists "payload_exists" "The import has its payload already.",
    TooManyStreams "too_many_streams" "The account has too many open streams of events.",
    RateLimited "rate_limited" "Too many requests.",
    TooManyConnections "too_many_connections" "Too many connections from one address.",
    TemporarilyUnavailable "temporarily_unavailable" "A part of the service is unreachable; try again.",
    InternalError "internal_error" "A fault of Longshore; the log has the request id.",
    // Addresses and fetching.
    UrlInvalid "url_invalid" "The address is not a valid URL.",
    UrlTooLong "url_too_long" "The URL is longer than 2,000 characters.",
    UrlSchemeNotAllowed "url_scheme_not_allowed" "Only https addresses are allowed.",
    UrlCredentialsNotAllowed "url_credentials_not_allowed" "The URL may not carry a user name or password.",
    AddressNotAllowed "address_not_allowed" "The address is not on the public internet.",
    PortNotAllowed "port_not_allowed" "The port is not allowed.",
    DnsFailed "dns_failed" "The host name could not be resolved.",
    ConnectFailed "connect_failed" "The source could not be reached.",
    TlsFailed "tls_failed" "The TLS connection to the source failed.",
    RedirectNotAllowed "redirect_not_allowed" "The source redirects to an address that is not allowed.",
    TooManyRedirects "too_many_redirects" "The source redirects more than three times.",
    SourceStatus "source_status" "The source answered with an error status.",
    SourceUnavailable "source_unavailable" "The source failed on every attempt.",
    SourceNotData "source_not_data" "The source answered with a web page instead of data.",
    SourceTooSlow "source_too_slow" "The source sends too slowly.",
    EmptyPayload "empty_payload" "The payload has no bytes.",
    PayloadTruncated "payload_truncated" "The payload ends too early.",
    PayloadCorrupt "payload_corrupt" "The payload's compression is damaged.",
    PayloadTooLarge "payload_too_large" "The payload is above the limit.",
    PayloadTooLargeDecompressed "payload_too_large_decompressed" "The payload unpacks to more than the limit.",
    PayloadMissing "payload_missing" "The payload is gone from the store, or differs from its snapshot.",
    // Structure of a payload.
    EncodingUnsupported "encoding_unsupported" "The payload is not UTF-8.",
    UnclosedQuote "unclosed_quote" "A quoted CSV cell never ends.",
    DuplicateHeader "duplicate_header" "Two columns of the CSV header have one name.",
    EmptyHeader "empty_header" "A column of the CSV header has no name.",
    HeaderMismatch "header_mismatch" "The CSV header lacks columns the definition names.",
    DelimiterSuspect "delimiter_suspect" "The payload seems to use another delimiter.",
    TooManyColumns "too_many_columns" "More columns than the limit.",
    LineTooLong "line_too_long" "A row is longer than the limit.",
    NoRows "no_rows" "The payload has a header or brackets, but no row.",
    TooManyRows "too_many_rows" "More rows than the limit.",
    RowsRejected "rows_rejected" "Rows cannot be applied, and the import is all or nothing.",
    ExpectedArray "expected_array" "A JSON payload is an array of objects.",
    FormatMismatch "format_mismatch" "The payload's bytes are of another format.",
    // Rows.
    ExpectedObject "expected_object" "A JSON row is an object.",
    InvalidUtf8 "invalid_utf8" "The row has bytes that are not UTF-8.",
    StrayQuote "stray_quote" "A quote stands inside or after a CSV cell.",
    WrongFieldCount "wrong_field_count" "The row has more or fewer cells than the header.",
    NulCharacter "nul_character" "A text holds the NUL character.",
    FieldTooLong "field_too_long" "A cell is longer than the limit.",
    TooManyFields "too_many_fields" "The row has more members than the limit.",
    InvalidNumber "invalid_number" "The value is not a number.",
    InvalidInteger "invalid_integer" "The value is not a whole number.",
    NumberOutOfRange "number_out_of_range" "The number cannot be kept exactly.",
    InvalidBoolean "invalid_boolean" "The value is not true or false.",
    InvalidDate "invalid_date" "The value is not a date.",
    InvalidDatetime "invalid_datetime" "The value is not a date and time with its zone.",
    InvalidEmail "invalid_email" "The value is not an e-mail address.",
    InvalidPhone "invalid_phone" "The value is not a phone number.",
    NotAllowedValue "not_allowed_value" "The value is not one of the field's options.",
    TooLong "too_long" "The value is longer than its field allows.",
    Required "required" "A required field would stay or become empty.",
    KeyMissing "key_missing" "A key field of the row is empty.",
    InvalidId "invalid_id" "The value is not the id of a profile.",
    UnknownProfile "unknown_profile" "No profile has this id.",
    MultipleMatches "multiple_matches" "The key matches more than one.",
    VersionMissing "version_missing" "The row does not say which version of the profile it changes.",
    VersionConflict "version_conflict" "The profile was changed since the version that the row names.",
    KeyTooLong "key_too_long" "A key, all its fields together, is longer than 512 bytes.",
    UniqueConflict "unique_conflict" "Another profile has this value in a unique field.",
    // Brakes: why a removal is held.
    BrakePercent "brake_percent" "A removal would take too large a share.",
    BrakeCount "brake_count" "A removal would take more than the database allows at once.",
    BrakeEmpty "brake_empty" "A removal would take everything.",
    BrakeKeysUnread "brake_keys_unread" "It is not known whom some rows name.",
    BrakeRejects "brake_rejects" "Too many rows were rejected to remove what the payload lacks.",
    BrakeShrunk "brake_shrunk" "The payload is less than half of the last one.",
    BrakeGrown "brake_grown" "More would be removed than was approved.",
    NothingToApprove "nothing_to_approve" "The import is not held.",
    ApprovalOutdated "approval_outdated" "More would be removed now than the approval says.",
    RowRefused "row_refused" "Postgres refused the row.",
    RowCrashedWorker "row_crashed_worker" "The row ended its worker again and again.",
}

impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
