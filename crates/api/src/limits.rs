//! Bounds of the API, each with its reason.

use std::time::Duration;

/// Largest request body; the largest documented one, a list of groups, has some 100 kB.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a body may take to arrive, so that a slow sender does not hold memory for ever.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest upload: the largest sound, and room for what else a multipart body says.
pub(crate) const UPLOAD_BYTES_MAX: usize = sound::limits::BYTES_MAX + 64 * 1024;
/// How long an upload may take to arrive: ten megabytes over a slow line.
pub(crate) const UPLOAD_TIMEOUT: Duration = Duration::from_secs(300);
/// Uploads that are held in memory at a time; one more is answered 503.
pub(crate) const UPLOADS_AT_ONCE: usize = 8;
/// Sounds that are converted at a time: each fills a core, and calls need the cores more.
pub(crate) const CONVERSIONS_AT_ONCE: usize = 1;
/// The longest span of time that a list of messages is asked for, seconds: two months (API
/// reference 1.4).
pub(crate) const MESSAGES_SPAN_S: i64 = 62 * 86_400;
/// Addresses that one voicemail is mailed to.
pub(crate) const MAIL_ADDRESSES_MAX: usize = 5;
/// How long an answer waits for the shard to use a new snapshot. What was asked is stored then in
/// any case, and takes effect when the shard gets to it.
pub(crate) const CHANGED_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the switchboard may take to answer before the API says that it is not available.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(2);
/// Seconds after which a client may try again what was not available.
pub(crate) const RETRY_AFTER_S: u32 = 1;

/// Longest `Idempotency-Key`: a UUID has 36 characters, some programs write sentences.
pub(crate) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// How long the answer to a request with a key is remembered: who has not heard it asks again soon.
pub(crate) const ANSWER_LIFE: Duration = Duration::from_secs(86_400);
/// Largest answer that is remembered; the usual ones have some hundred bytes. What is answered with
/// more replaces a whole document, which may be done twice.
pub(crate) const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// What an answer takes in memory besides its own bytes.
pub(crate) const ANSWER_OVERHEAD_BYTES: usize = 512;
/// Requests with keys that are worked on at a time: each holds its body; one more is answered 503.
pub(crate) const KEYS_AT_ONCE: usize = 1_000;
/// What is remembered of one client: as many as it may ask in an hour.
pub(crate) const ANSWERS_OF_CLIENT: AnswersMax = AnswersMax { number: 10_000, bytes: 8 << 20 };
/// What is remembered of all clients together.
pub(crate) const ANSWERS: AnswersMax = AnswersMax { number: 100_000, bytes: 64 << 20 };

/// How much is remembered of answers.
pub(crate) struct AnswersMax {
    /// How many.
    pub(crate) number: usize,
    /// What they take together.
    pub(crate) bytes: usize,
}

/// Life of an access token, seconds (API reference 2.2).
pub(crate) const ACCESS_TOKEN_S: u32 = 3_600;
/// Life of a refresh token, counted from its last use.
pub(crate) const REFRESH_TOKEN_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// Letters of a token; those of the documentation have 30. 150 bits of chance.
pub(crate) const TOKEN_LETTERS: usize = 30;
/// Longest token that is looked up at all.
pub(crate) const TOKEN_BYTES_MAX: usize = 256;
/// Tokens that are remembered as good, so that a request need not ask the database.
pub(crate) const KNOWN_TOKENS_MAX: usize = 10_000;
/// How long they are: a user that is blocked is refused after this at the latest.
pub(crate) const KNOWN_TOKEN_FRESH: Duration = Duration::from_secs(2);

/// Token requests a second from one source (API reference 1.6).
pub(crate) const OAUTH_PER_SECOND: u32 = 20;
/// Token requests of one source that are worked on at a time (API reference 1.6).
pub(crate) const OAUTH_AT_ONCE: u32 = 6;
/// Sources that are counted within one second; a flood from more is refused without counting.
pub(crate) const OAUTH_SOURCES_MAX: usize = 10_000;
/// Wrong credentials that cost an account nothing: people mistype.
pub(crate) const FREE_FAILURES: u32 = 5;
/// The longest wait after wrong credentials.
pub(crate) const FAILURE_WAIT_MAX: Duration = Duration::from_secs(60);
/// Wrong credentials are forgotten after this.
pub(crate) const FAILURE_MEMORY: Duration = Duration::from_secs(900);
/// Accounts with wrong credentials that are remembered; the one that failed first makes room.
pub(crate) const FAILING_ACCOUNTS_MAX: usize = 10_000;
/// Password checks at a time: each fills a core, and calls need the cores more.
pub(crate) const PASSWORD_CHECKS: usize = 1;
/// Password checks that wait for their turn; one more is answered 503.
pub(crate) const PASSWORD_QUEUE: usize = 32;
/// Longest password that is hashed.
pub(crate) const PASSWORD_BYTES_MAX: usize = 256;

/// Entries of a list when `per_page` says nothing, and the most that it may say (API reference
/// 1.3): clients that do not page expect everything.
pub(crate) const PER_PAGE_MAX: u64 = 100_000;
/// Rows of an audit on a page.
pub(crate) const AUDIT_PER_PAGE_MAX: u64 = 1_000;
/// Longest text of a field that has no bound of its own.
pub(crate) const TEXT_CHARS_MAX: usize = 255;
/// Longest `extra_params`: integrators keep JSON text in it.
pub(crate) const EXTRA_PARAMS_CHARS_MAX: usize = 16_384;
/// Letters of a SIP password that we make up: 100 bits of chance.
pub(crate) const SIP_PASSWORD_LETTERS: usize = 20;
/// Shortest SIP password that is accepted: shorter ones are guessed and then cost money.
pub(crate) const SIP_PASSWORD_CHARS_MIN: usize = 8;
/// Longest SIP password; some phones cut longer ones.
pub(crate) const SIP_PASSWORD_CHARS_MAX: usize = 64;
/// Most calls at a time that `incoming_limit` may allow.
pub(crate) const INCOMING_LIMIT_MAX: u64 = 1_000;
