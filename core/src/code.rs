//! Every stable code that Longshore answers with, in one list: problems of the API, errors of an
//! import, reasons of a reject. A code never changes its meaning; clients switch on it. Each stands
//! with its cause and its remedy, from which `docs/errors.md` is written.

/// Where a code belongs: the sections of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What a call may not be.
    Request,
    /// Addresses, fetching, and the payload's bytes.
    Source,
    /// What ends an import before its first row is applied.
    Payload,
    /// Why one row is not applied.
    Row,
    /// Why a removal waits for an approval.
    Brake,
}

macro_rules! codes {
    ($($part:ident { $($variant:ident $name:literal $cause:literal $remedy:literal,)* })*) => {
        /// A stable code. Its text is what clients see.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $cause] $variant,)*)* }

        impl Code {
            /// All of them, for documentation and tests.
            pub const ALL: &[Code] = &[$($(Code::$variant,)*)*];

            /// The text in answers, rejects and logs.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($(Code::$variant => $name,)*)* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $($(Code::$variant => $cause,)*)* }
            }

            /// What to do about it.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $($(Code::$variant => $remedy,)*)* }
            }

            /// Where it belongs.
            #[must_use]
            pub fn part(self) -> Part {
                match self { $($(Code::$variant => Part::$part,)*)* }
            }

            /// The code of this text, if it is one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Code> {
                match text { $($($name => Some(Code::$variant),)*)* _ => None }
            }
        }
    };
}

codes! {
    Request {
        Unauthenticated "unauthenticated" "No token, or one that is unknown, revoked or expired."
            "Send a valid token as \"Authorization: Bearer <token>\".",
        TokenInQuery "token_in_query" "The token was sent in the URL and counts as exposed."
            "Send it in the Authorization header. Revoke this one and make another.",
        AmbiguousCredentials "ambiguous_credentials" "More than one Authorization header."
            "Send one Authorization header.",
        ScopeMissing "scope_missing" "The token lacks the scope this call needs."
            "Use a token with the scope that the detail names.",
        NotFound "not_found" "No such thing in this account."
            "Compare the id and the address. The id may belong to another account.",
        MethodNotAllowed "method_not_allowed" "This address does not know this method."
            "Use one of the methods in the Allow header.",
        InvalidJson "invalid_json" "The text is not valid JSON."
            "Repair the text at the line and column that are named.",
        EmptyBody "empty_body" "The request needs a body."
            "Send the definition as JSON, or the payload's bytes.",
        NotAcceptable "not_acceptable" "None of the media types in Accept can be given."
            "Accept one of the media types that the detail names.",
        UnsupportedMediaType "unsupported_media_type" "The body's content type is not accepted here."
            "Send one of the content types that the detail names.",
        UnsupportedCharset "unsupported_charset" "Only UTF-8 is accepted here."
            "Send UTF-8, and say so or say nothing.",
        UnsupportedEncoding "unsupported_encoding" "The body's content encoding is not accepted."
            "Send it plain. Payloads may be packed once, with gzip or zstd.",
        BodyTooLarge "body_too_large" "The body is above the limit."
            "Upload the payload to a draft, or give its location.",
        BodyTimeout "body_timeout" "The body did not arrive in time."
            "Send the request again, without a pause of ten seconds in its body.",
        BodyIncomplete "body_incomplete" "The body ended before its announced length."
            "Send the whole request again; nothing of it was kept.",
        TooDeep "too_deep" "The JSON is nested too deep." "Nest at most 32 levels.",
        UnknownField "unknown_field" "No such field or member."
            "Compare the name; the detail names the nearest one. Map or ignore columns of other names.",
        DuplicateKey "duplicate_key" "A member stands twice in one JSON object."
            "Leave one of the two out.",
        MissingField "missing_field" "A member that must be given is missing."
            "Add the member that the pointer names.",
        SourceRequiredOne "source_required_one" "Both source and location were given, or a start without either."
            "Give either of them, or make a draft and upload its payload.",
        InvalidEnum "invalid_enum" "The value is not one of the allowed words."
            "Use one of the words in the detail.",
        InvalidType "invalid_type" "The value has the wrong JSON type."
            "Send the type that the detail names.",
        OutOfRange "out_of_range" "The number is outside its range."
            "Send a number inside the range in the detail.",
        NameInvalid "name_invalid" "A name has 1 to 200 printable characters."
            "Choose a name without control characters and of at most 200 characters.",
        InvalidFieldName "invalid_field_name" "A field name has 1 to 100 printable characters without a dot."
            "Choose another name; a dot separates a collection from its field.",
        DuplicateField "duplicate_field" "The same field stands twice."
            "Leave one of the two out. Case makes no difference.",
        NameTaken "name_taken" "Another one has this name already."
            "Choose another name, or use what has this one. Case makes no difference.",
        UnknownDatabase "unknown_database" "No such database in this account."
            "Compare the name or id, or make the database first.",
        UnknownCollection "unknown_collection" "No such collection in this database."
            "Compare the name, or add the collection to the database first.",
        DuplicateMapping "duplicate_mapping" "Two columns are mapped to one field."
            "Map one of the columns to another field, or to null.",
        KeyRequired "key_required" "This action needs key fields."
            "Name key_fields, one or several fields of the database.",
        KeyNotMapped "key_not_mapped" "A key field has no column in the payload."
            "Add the column to the payload, map one to the field, or choose other key fields.",
        TooManyKeyIndexes "too_many_key_indexes" "The database has its full number of key combinations."
            "Use key fields that imports of this database used before.",
        IncompatibleOptions "incompatible_options" "Two options contradict each other."
            "Leave out one of the two that the detail names.",
        NotAvailable "not_available" "This option is part of the API but not built yet."
            "Leave it out for now.",
        InvalidOptions "invalid_options" "The field's options are not valid for its type."
            "Give options as the field's type asks for; the detail says how.",
        LimitReached "limit_reached" "A limit of this service is reached."
            "Make do with fewer, or use a second database or collection.",
        InvalidIdempotencyKey "invalid_idempotency_key" "An Idempotency-Key has 1 to 255 visible ASCII characters."
            "Send a random id, such as a UUID.",
        IdempotencyKeyReused "idempotency_key_reused" "This Idempotency-Key came before with another request."
            "Make a new key for a new request; repeat the same bytes for a repeat.",
        IdempotencyInProgress "idempotency_in_progress" "The first request with this Idempotency-Key is still running."
            "Wait for the seconds in Retry-After and ask again.",
        InvalidLimit "invalid_limit" "limit is a number from 1 to 1000."
            "Leave limit out, or choose a number in this range.",
        InvalidCursor "invalid_cursor" "The cursor does not come from this list."
            "Take next_cursor as it came, with the same filters, or begin without a cursor.",
        InvalidParameter "invalid_parameter" "A query parameter is unknown or not valid."
            "Compare the name and value with the call's description.",
        InvalidFilter "invalid_filter" "The filter's value does not fit its field."
            "Filter by a value of the field's type.",
        NotStartable "not_startable" "The import cannot be started in this state."
            "Look at its state; only a draft that has its payload or location is started.",
        NotCancellable "not_cancellable" "The import cannot be cancelled in this state."
            "Nothing is to be done: it is final.",
        NothingToApprove "nothing_to_approve" "The import is not held."
            "Look at its state; it may be decided already.",
        ApprovalOutdated "approval_outdated" "More would be removed now than the approval says."
            "Look at the list of removals again and approve what it says now.",
        NotPausable "not_pausable" "The import cannot be paused in this state."
            "Look at its state: a draft is not started, a held one waits for a decision, an ended one rests.",
        NotResumable "not_resumable" "The import is not paused."
            "Look at its state; a paused import alone is resumed.",
        NotDraft "not_draft" "Only a draft takes a payload."
            "Make another import for another payload.",
        PayloadExists "payload_exists" "The import has its payload already."
            "Make another import for another payload.",
        TooManyStreams "too_many_streams" "The account has too many open streams of events."
            "Close some, or ask for the status from time to time.",
        RateLimited "rate_limited" "The token submits more imports a second than it may."
            "Wait for the seconds in Retry-After, and put more rows into one import.",
        TooManyQueuedImports "too_many_queued_imports" "The account has too many imports that are not at their end."
            "Wait until some have ended, or cancel some; then submit again.",
        TemporarilyUnavailable "temporarily_unavailable" "A part of the service is unreachable; try again."
            "Wait for the seconds in Retry-After and send the same again, with the same Idempotency-Key.",
        InternalError "internal_error" "A fault of Longshore; the log has the request id."
            "Try once more. If it stays, tell the operator when it happened.",
    }
    Source {
        UrlInvalid "url_invalid" "The address is not a valid URL."
            "Give a whole address: https, a host, a path.",
        UrlTooLong "url_too_long" "The URL is longer than 2,000 characters."
            "Use a shorter address, or upload the payload.",
        UrlSchemeNotAllowed "url_scheme_not_allowed" "Only https addresses are allowed."
            "Serve the data over https, or upload the payload.",
        UrlCredentialsNotAllowed "url_credentials_not_allowed" "The URL may not carry a user name or password."
            "Use an address that is signed in its query, or upload the payload.",
        AddressNotAllowed "address_not_allowed" "The address is not on the public internet."
            "Use a public address, upload the payload, or have the operator allow the address.",
        PortNotAllowed "port_not_allowed" "The port is not allowed."
            "Serve the data on port 443 or 8443, or upload the payload.",
        DnsFailed "dns_failed" "The host name could not be resolved."
            "Compare the host name and its DNS entries.",
        ConnectFailed "connect_failed" "The source could not be reached."
            "See that the source is up and open to the service.",
        TlsFailed "tls_failed" "The TLS connection to the source failed."
            "Renew or repair the source's certificate; it must fit the host name.",
        RedirectNotAllowed "redirect_not_allowed" "The source redirects to an address that is not allowed."
            "Give the address that the data really has.",
        TooManyRedirects "too_many_redirects" "The source redirects more than three times."
            "Give the address that the data really has.",
        SourceStatus "source_status" "The source answered with an error status."
            "Open the address as the service would: without a login, by GET.",
        SourceUnavailable "source_unavailable" "The source failed on every attempt."
            "See that the source works, then submit the import again.",
        SourceNotData "source_not_data" "The source answered with a web page instead of data."
            "Give the address of the data itself; a login or a notice may stand before it.",
        SourceTooSlow "source_too_slow" "The source sends too slowly."
            "Serve it faster, or upload the payload.",
        EmptyPayload "empty_payload" "The payload has no bytes."
            "See why the export is empty, then submit the import again.",
        PayloadTruncated "payload_truncated" "The payload ends too early."
            "Make the export again and see that it is complete.",
        PayloadCorrupt "payload_corrupt" "The payload's compression is damaged."
            "Pack the export again, or send it plain.",
        PayloadTooLarge "payload_too_large" "The payload is above the limit."
            "Split the payload into several imports.",
        PayloadTooLargeDecompressed "payload_too_large_decompressed" "The payload unpacks to more than the limit."
            "Split the payload into several imports.",
        PayloadMissing "payload_missing" "The payload is gone from the store, or differs from its snapshot."
            "Submit the import again.",
    }
    Payload {
        EncodingUnsupported "encoding_unsupported" "The payload is not in an encoding that is read."
            "Save the data as UTF-8, or declare one of the encodings in the detail.",
        EncodingSuspect "encoding_suspect" "More than 5 % of the rows cannot be decoded."
            "Declare the encoding that the data really has, or save them as UTF-8.",
        AmbiguousDates "ambiguous_dates" "Dates can be read day first and month first, and no row shows which is meant."
            "Give dates as day_first or month_first, or write YYYY-MM-DD.",
        InconsistentDates "inconsistent_dates" "Some dates of a column can only be day first, others only month first."
            "Repair the column, or give dates and let the others be rejected.",
        UnclosedQuote "unclosed_quote" "A quoted CSV cell never ends."
            "Close the quote of the row that is named; double the quotes inside a cell.",
        DuplicateHeader "duplicate_header" "Two columns of the CSV header have one name."
            "Rename one of the two columns.",
        EmptyHeader "empty_header" "A column of the CSV header has no name."
            "Give the column a name, or take it out.",
        HeaderMismatch "header_mismatch" "The CSV header lacks columns the definition names."
            "Add the columns that are named, or take them out of the definition.",
        DelimiterSuspect "delimiter_suspect" "The payload seems to use another delimiter."
            "Name the delimiter in the definition.",
        TooManyColumns "too_many_columns" "More columns than the limit."
            "Take out columns that are not imported.",
        LineTooLong "line_too_long" "A row is longer than the limit."
            "See whether a line end or a closing quote is missing at the row that is named.",
        NoRows "no_rows" "The payload has a header or brackets, but no row."
            "See why the export has no rows, then submit the import again.",
        TooManyRows "too_many_rows" "More rows than the limit."
            "Split the payload into several imports.",
        RowsRejected "rows_rejected" "Rows cannot be applied, and the import is all or nothing."
            "Repair the rows in the rejects, or allow rejects.",
        TooManyRejects "too_many_rejects" "More than half of at least 1,000 rows were rejected."
            "See the rejects: mostly one cause repeats, such as a wrong mapping or format. Repair it and submit again.",
        AllRowsFailed "all_rows_failed" "Every row was rejected, so nothing was applied."
            "See the rejects: mostly one cause repeats, such as a wrong mapping or format. Repair it and submit again.",
        ExpectedArray "expected_array" "A JSON payload is an array of objects."
            "Put the rows into one array, or send NDJSON with one object a line.",
        FormatMismatch "format_mismatch" "The payload's bytes are of another format."
            "Name the format that the payload has, or leave format out.",
    }
    Row {
        ExpectedObject "expected_object" "A JSON row is an object."
            "Write the row as an object with a member for each field.",
        InvalidUtf8 "invalid_utf8" "The row has bytes that are not UTF-8."
            "Save the data as UTF-8.",
        StrayQuote "stray_quote" "A quote stands inside or after a CSV cell."
            "Put the whole cell into quotes and double those inside it.",
        WrongFieldCount "wrong_field_count" "The row has more or fewer cells than the header."
            "See whether a delimiter inside a cell lacks its quotes.",
        NulCharacter "nul_character" "A text holds the NUL character." "Take the character out.",
        FieldTooLong "field_too_long" "A cell is longer than the limit."
            "Shorten the cell.",
        TooManyFields "too_many_fields" "The row has more members than the limit."
            "Take out members that are not imported.",
        InvalidNumber "invalid_number" "The value is not a number."
            "Write digits with a point for decimals, such as 1234.5.",
        InvalidInteger "invalid_integer" "The value is not a whole number."
            "Write digits only, such as 1234.",
        NumberOutOfRange "number_out_of_range" "The number cannot be kept exactly."
            "Use a text field for numbers of more than 15 digits.",
        InvalidBoolean "invalid_boolean" "The value is not true or false." "Write true or false.",
        InvalidDate "invalid_date" "The value is not a date."
            "Write it as 2026-01-31, or say with dates how the payload writes them.",
        InvalidDatetime "invalid_datetime" "The value is not a date and time with its zone."
            "Write it as 2026-01-31T12:00:00Z, with its zone.",
        InvalidEmail "invalid_email" "The value is not an e-mail address."
            "Correct the address, or use a text field.",
        InvalidPhone "invalid_phone" "The value is not a phone number."
            "Correct the number, or use a text field.",
        NotAllowedValue "not_allowed_value" "The value is not one of the field's options."
            "Use one of the options, or add this one to the field.",
        TooLong "too_long" "The value is longer than its field allows."
            "Shorten the value, or use a text field of more characters.",
        Required "required" "A required field would stay or become empty."
            "Bring a value for the field.",
        KeyMissing "key_missing" "A key field of the row is empty."
            "Bring a value for every key field.",
        InvalidId "invalid_id" "The value is not the id of a profile."
            "Bring the id as the service showed it.",
        UnknownProfile "unknown_profile" "No profile has this id."
            "Compare the id; the profile may be deleted or stand in another database.",
        MultipleMatches "multiple_matches" "The key matches more than one."
            "Choose key fields that only one has, or say in the definition what several matches lead to.",
        VersionMissing "version_missing" "The row does not say which version of the profile it changes."
            "Bring the version that was read with the profile.",
        VersionConflict "version_conflict" "The profile was changed since the version that the row names."
            "Read the profile again and decide anew.",
        KeyTooLong "key_too_long" "A key, all its fields together, is longer than 512 bytes."
            "Choose shorter key fields.",
        UniqueConflict "unique_conflict" "Another profile has this value in a unique field."
            "Correct the value, or match by this field.",
        RowRefused "row_refused" "Postgres refused the row."
            "Look at the message; if it says nothing useful, report the row.",
        RowCrashedWorker "row_crashed_worker" "The row ended its worker again and again."
            "Report it; the other rows are applied.",
    }
    Brake {
        BrakePercent "brake_percent" "A removal would take too large a share."
            "Look at the list of removals, then approve or refuse it.",
        BrakeCount "brake_count" "A removal would take more than the database allows at once."
            "Look at the list of removals, then approve or refuse it.",
        BrakeEmpty "brake_empty" "A removal would take everything."
            "Look at the list of removals, then approve or refuse it.",
        BrakeKeysUnread "brake_keys_unread" "It is not known whom some rows name."
            "Repair the rejected rows and import again, or approve.",
        BrakeRejects "brake_rejects" "Too many rows were rejected to remove what the payload lacks."
            "Repair the rejected rows and import again, or approve.",
        BrakeShrunk "brake_shrunk" "The payload is less than half of the last one."
            "See that the payload is whole, then approve or refuse.",
        BrakeGrown "brake_grown" "More would be removed than was approved."
            "Look at the list of removals again, then approve or refuse it.",
    }
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
