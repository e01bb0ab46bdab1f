//! PCRE2 with bounds on everything: the documented syntax of `caller_id` and dial rules is PCRE,
//! whose backtracking cannot be excluded, so it is bounded.

use core::fmt;
use core::ptr::{self, NonNull};
use std::cell::OnceCell;

use pcre2_sys as sys;

/// Bytes of a pattern; longer ones are refused.
pub const PATTERN_BYTES_MAX: usize = 256;
/// Bytes of a subject that are looked at: no number is longer.
pub const SUBJECT_BYTES_MAX: usize = 64;
/// Steps of one match (PCRE2's match limit). A thousand times what an honest pattern over a number
/// needs, and still below a tenth of a millisecond.
pub const MATCH_LIMIT: u32 = 10_000;
/// Depth of backtracking (PCRE2's depth limit).
pub const DEPTH_LIMIT: u32 = 1_000;
/// Memory of one match, KiB (PCRE2's heap limit).
pub const HEAP_LIMIT_KIB: u32 = 1_024;
/// Bytes of a compiled pattern: repetitions of groups are unrolled by the compiler.
const COMPILED_BYTES_MAX: usize = 64 * 1_024;
/// Nested parentheses.
const NESTING_MAX: u32 = 32;
/// Groups whose text can be taken: `\0` to `\9`.
const GROUPS: u32 = 10;

/// A compiled pattern: PCRE2 syntax over UTF-8, unanchored.
pub struct Regex {
    code: NonNull<sys::pcre2_code_8>,
}

// SAFETY: a compiled pattern is not changed by matching (PCRE2 "multithreading"); what a match
// writes to is in `Scratch`, one for each thread.
unsafe impl Send for Regex {}
// SAFETY: as above.
unsafe impl Sync for Regex {}

/// Why a pattern was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Where in the pattern, bytes from its beginning.
    pub offset: usize,
    /// What is wrong, in the words of PCRE2.
    pub message: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.message, self.offset)
    }
}

impl core::error::Error for CompileError {}

/// A match was given up at one of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitHit;

impl Regex {
    /// Compiles a pattern of at most [`PATTERN_BYTES_MAX`] bytes.
    pub fn compile(pattern: &str) -> Result<Regex, CompileError> {
        if pattern.len() > PATTERN_BYTES_MAX {
            let message = format!("the pattern has more than {PATTERN_BYTES_MAX} bytes");
            return Err(CompileError { offset: PATTERN_BYTES_MAX, message });
        }
        let options = sys::PCRE2_UTF | sys::PCRE2_NEVER_BACKSLASH_C;
        let (mut number, mut offset) = (0, 0);
        let context = CompileContext::new().ok_or_else(out_of_memory)?;
        // SAFETY: pattern and length belong together; the out parameters and the context live.
        let code = unsafe {
            sys::pcre2_compile_8(
                pattern.as_ptr(),
                pattern.len(),
                options,
                &mut number,
                &mut offset,
                context.0.as_ptr(),
            )
        };
        let Some(code) = NonNull::new(code) else {
            return Err(CompileError { offset, message: explain(number) });
        };
        // Without machine code it is interpreted, with the same result: a failure is no matter.
        // SAFETY: `code` is a compiled pattern that nobody else has yet.
        unsafe { sys::pcre2_jit_compile_8(code.as_ptr(), sys::PCRE2_JIT_COMPLETE) };
        Ok(Regex { code })
    }

    /// Whether the pattern matches anywhere in the subject. A subject of more than
    /// [`SUBJECT_BYTES_MAX`] bytes counts as a bound that was hit.
    pub fn is_match(&self, subject: &str) -> Result<bool, LimitHit> {
        self.find(subject, |_| ()).map(|found| found.is_some())
    }

    /// The subject with its first match replaced: `\0` to `\9` in the template stand for the whole
    /// match and its groups, `\\` for a backslash. `None`: the pattern does not match.
    pub fn replace(&self, subject: &str, template: &str) -> Result<Option<String>, LimitHit> {
        self.find(subject, |groups| {
            let (start, end) = groups.first().copied().unwrap_or((0, 0));
            let mut text = String::with_capacity(subject.len() + template.len());
            text.push_str(subject.get(..start).unwrap_or(""));
            let mut letters = template.chars();
            while let Some(letter) = letters.next() {
                if letter != '\\' {
                    text.push(letter);
                    continue;
                }
                match letters.next() {
                    Some(digit @ '0'..='9') => {
                        let number = digit.to_digit(10).unwrap_or(0) as usize;
                        let group = groups.get(number).and_then(|(a, b)| subject.get(*a..*b));
                        text.push_str(group.unwrap_or(""));
                    }
                    Some(other) => text.push(other),
                    None => text.push('\\'),
                }
            }
            text.push_str(subject.get(end..).unwrap_or(""));
            text
        })
    }

    /// Looks for the first match and hands on where its groups are.
    fn find<T>(
        &self,
        subject: &str,
        found: impl FnOnce(&[(usize, usize)]) -> T,
    ) -> Result<Option<T>, LimitHit> {
        if subject.len() > SUBJECT_BYTES_MAX {
            return Err(LimitHit);
        }
        SCRATCH.with(|scratch| {
            let scratch = scratch.get_or_init(Scratch::new).as_ref().ok_or(LimitHit)?;
            // SAFETY: code, match data and context live and belong to this thread (the code is
            // shared, but not written to); the subject is UTF-8, so it need not be checked.
            let result = unsafe {
                sys::pcre2_match_8(
                    self.code.as_ptr(),
                    subject.as_ptr(),
                    subject.len(),
                    0,
                    sys::PCRE2_NO_UTF_CHECK,
                    scratch.data.as_ptr(),
                    scratch.context.as_ptr(),
                )
            };
            match result {
                sys::PCRE2_ERROR_NOMATCH => Ok(None),
                // 0: more groups than the match data has room for; those that fit are there.
                count if count >= 0 => {
                    let count = if count == 0 { GROUPS } else { count.unsigned_abs() };
                    // SAFETY: after a match the vector has `GROUPS` pairs, the first `count` of
                    // them written; it lives as long as the match data.
                    let pairs = unsafe {
                        let pairs = sys::pcre2_get_ovector_pointer_8(scratch.data.as_ptr());
                        core::slice::from_raw_parts(pairs.cast::<(usize, usize)>(), count as usize)
                    };
                    Ok(Some(found(pairs)))
                }
                _ => Err(LimitHit),
            }
        })
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: it was made by `pcre2_compile_8` and is freed once.
        unsafe { sys::pcre2_code_free_8(self.code.as_ptr()) };
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Regex")
    }
}

/// What a match writes to; one for each thread.
struct Scratch {
    data: NonNull<sys::pcre2_match_data_8>,
    context: NonNull<sys::pcre2_match_context_8>,
}

thread_local! {
    static SCRATCH: OnceCell<Option<Scratch>> = const { OnceCell::new() };
}

impl Scratch {
    fn new() -> Option<Scratch> {
        // SAFETY: without a general context the system's allocator serves; a null is handled, and
        // what was made before is freed.
        unsafe {
            let data = NonNull::new(sys::pcre2_match_data_create_8(GROUPS, ptr::null_mut()))?;
            let Some(context) = NonNull::new(sys::pcre2_match_context_create_8(ptr::null_mut()))
            else {
                sys::pcre2_match_data_free_8(data.as_ptr());
                return None;
            };
            sys::pcre2_set_match_limit_8(context.as_ptr(), MATCH_LIMIT);
            sys::pcre2_set_depth_limit_8(context.as_ptr(), DEPTH_LIMIT);
            sys::pcre2_set_heap_limit_8(context.as_ptr(), HEAP_LIMIT_KIB);
            Some(Scratch { data, context })
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once.
        unsafe {
            sys::pcre2_match_data_free_8(self.data.as_ptr());
            sys::pcre2_match_context_free_8(self.context.as_ptr());
        }
    }
}

/// Bounds for the compiler.
struct CompileContext(NonNull<sys::pcre2_compile_context_8>);

impl CompileContext {
    fn new() -> Option<CompileContext> {
        // SAFETY: a null is handled; the setters get a context that lives.
        unsafe {
            let context = NonNull::new(sys::pcre2_compile_context_create_8(ptr::null_mut()))?;
            sys::pcre2_set_max_pattern_length_8(context.as_ptr(), PATTERN_BYTES_MAX);
            sys::pcre2_set_max_pattern_compiled_length_8(context.as_ptr(), COMPILED_BYTES_MAX);
            sys::pcre2_set_parens_nest_limit_8(context.as_ptr(), NESTING_MAX);
            Some(CompileContext(context))
        }
    }
}

impl Drop for CompileContext {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and is freed once.
        unsafe { sys::pcre2_compile_context_free_8(self.0.as_ptr()) };
    }
}

fn out_of_memory() -> CompileError {
    CompileError { offset: 0, message: "no memory for the pattern".to_owned() }
}

/// The words of PCRE2 for an error.
fn explain(number: i32) -> String {
    let mut text = [0u8; 256];
    // SAFETY: buffer and length belong together; it is ended by a zero even when cut.
    unsafe { sys::pcre2_get_error_message_8(number, text.as_mut_ptr(), text.len()) };
    let end = text.iter().position(|b| *b == 0).unwrap_or(0);
    String::from_utf8_lossy(text.get(..end).unwrap_or(&[])).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_anywhere_unless_it_is_anchored() {
        let table = [
            (r"^(\+|)7812", "+78121234567", true),
            (r"^(\+|)7812", "78121234567", true),
            (r"^(\+|)7812", "88121234567", false),
            ("812", "78121234567", true),
            (r"^(?!7812)\d+$", "78121234567", false),
            (r"^(?!7812)\d+$", "74951234567", true),
            (r"(\d)\1\1$", "74951234777", true),
            ("", "", true),
            ("(?i)АННА", "Анна", true),
        ];
        for (pattern, subject, expected) in table {
            let regex = Regex::compile(pattern).unwrap();
            assert_eq!(regex.is_match(subject), Ok(expected), "{pattern} {subject}");
        }
    }

    #[test]
    fn a_match_is_replaced_with_its_groups() {
        let table = [
            ("^([0-9]{7})$", r"8812\1", "1234567", Some("88121234567")),
            ("^([0-9]{7})$", r"8812\1", "12345678", None),
            (r"^\+", "", "+7495", Some("7495")),
            ("(x)?495", r"[\0\1\9]", "7495", Some("7[495]")),
            ("5", r"\\\x\", "7495", Some(r"749\x\")),
        ];
        for (pattern, template, subject, expected) in table {
            let regex = Regex::compile(pattern).unwrap();
            let replaced = regex.replace(subject, template).unwrap();
            assert_eq!(replaced.as_deref(), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn a_wrong_pattern_is_refused_with_its_place() {
        for (pattern, offset) in [("(", 1), ("7[8", 3), ("7)", 1), ("*7", 0), (r"\C", 2)] {
            let error = Regex::compile(pattern).unwrap_err();
            assert_eq!(error.offset, offset, "{pattern}: {error}");
        }
        assert!(Regex::compile(&"7".repeat(PATTERN_BYTES_MAX)).is_ok());
        assert!(Regex::compile(&"7".repeat(PATTERN_BYTES_MAX + 1)).is_err());
        assert!(Regex::compile(&"(".repeat(40)).is_err());
    }

    #[test]
    fn a_pattern_that_would_backtrack_for_ever_is_given_up() {
        let subject = format!("{}!", "1".repeat(SUBJECT_BYTES_MAX - 1));
        for pattern in ["^(1+)+$", "^(1|1?)+$", "^(1|11)+$", r"^(\d*)*\d$"] {
            let regex = Regex::compile(pattern).unwrap();
            assert_eq!(regex.is_match(&subject), Err(LimitHit), "{pattern}");
            assert_eq!(regex.is_match("111"), regex.is_match("111"), "{pattern}: usable after");
        }
        let any = Regex::compile(".").unwrap();
        assert_eq!(any.is_match(&"1".repeat(SUBJECT_BYTES_MAX + 1)), Err(LimitHit));
    }
}
