//! Why a call goes where it goes, as JSON: the lines of a trace.

use model::{End, Line, Outcome, Stop, TraceEntry};
use serde::Serialize;
use utoipa::ToSchema;

use crate::document::words;

words! {
    /// What a line tells.
    LineWhatWord = "skipped" | "fired" | "rings" | "result" | "number_skipped" | "number_rings"
        | "number_failed" | "no_sound" | "asked" | "found_unreachable" | "ended";
    /// What stopped a rule: the first of its conditions that did not hold.
    StoppedByWord = "disabled" | "caller_id" | "interval" | "extension_status" | "call_status"
        | "extension_call_status" | "no_voicemail" | "has_fired";
    /// How the rules ended.
    EndWord = "answered" | "busy" | "no_answer";
}

/// One line of a trace. What does not apply is null.
#[derive(Serialize, ToSchema)]
#[schema(as = TraceLine)]
pub(crate) struct LineBody {
    #[schema(value_type = LineWhatWord, inline)]
    what: &'static str,
    /// The same for people.
    text: String,
    /// The rule that is skipped, fires, or waits for the result.
    rule: Option<u64>,
    #[schema(value_type = Option<StoppedByWord>, inline)]
    stopped_by: Option<&'static str>,
    /// Its type, when it fires.
    #[serde(rename = "type")]
    kind: Option<&'static str>,
    /// Nothing is looked at after it.
    #[serde(rename = "final")]
    is_final: Option<bool>,
    number: Option<String>,
    /// `busy` or `no_answer`; null when nothing was dialled.
    result: Option<&'static str>,
    #[schema(value_type = Option<EndWord>, inline)]
    end: Option<&'static str>,
}

impl LineBody {
    pub(crate) fn of(line: &Line) -> LineBody {
        let mut body = LineBody {
            what: "",
            text: line.to_string(),
            rule: None,
            stopped_by: None,
            kind: None,
            is_final: None,
            number: None,
            result: None,
            end: None,
        };
        match line {
            Line::Skipped { rule, why } => {
                (body.what, body.rule) = ("skipped", Some(rule.0));
                body.stopped_by = Some(stop_word(*why));
            }
            Line::Fired { rule, kind, is_final } => {
                (body.what, body.rule) = ("fired", Some(rule.0));
                (body.kind, body.is_final) = (Some(kind.as_str()), Some(*is_final));
            }
            Line::Rings { waiting } => {
                (body.what, body.rule) = ("rings", waiting.map(|rule| rule.0));
            }
            Line::Result { outcome } => {
                (body.what, body.result) = ("result", outcome.map(outcome_word));
            }
            Line::NumberSkipped { number, .. } => {
                (body.what, body.number) = ("number_skipped", Some(number.to_string()));
            }
            Line::NumberRings { number } => {
                (body.what, body.number) = ("number_rings", Some(number.to_string()));
            }
            Line::NumberFailed { number, result } => {
                (body.what, body.number) = ("number_failed", Some(number.to_string()));
                body.result = Some(outcome_word(*result));
            }
            Line::NoSound { .. } => body.what = "no_sound",
            Line::Asked => body.what = "asked",
            Line::FoundUnreachable => body.what = "found_unreachable",
            Line::Ended { end } => (body.what, body.end) = ("ended", Some(end_word(*end))),
        }
        body
    }
}

/// One line of the trace of a call that was.
#[derive(Serialize, ToSchema)]
#[schema(as = TraceEntry)]
pub(crate) struct EntryBody {
    /// When, with microseconds.
    #[schema(example = "2026-01-02 03:04:05.678901")]
    time: String,
    /// At which extension; null: what the caller dialled is none.
    extension_id: Option<u64>,
    line: LineBody,
}

impl EntryBody {
    pub(crate) fn of(entry: &TraceEntry) -> EntryBody {
        let micros = entry.at.0.rem_euclid(1_000_000);
        EntryBody {
            time: format!("{}.{micros:06}", entry.at),
            extension_id: entry.extension.map(|id| id.0),
            line: LineBody::of(&entry.line),
        }
    }
}

pub(crate) fn end_word(end: End) -> &'static str {
    match end {
        End::Answered => "answered",
        End::Busy => "busy",
        End::NoAnswer => "no_answer",
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Busy => "busy",
        Outcome::NoAnswer => "no_answer",
    }
}

/// The field of the rule that did not let it fire.
fn stop_word(stop: Stop) -> &'static str {
    match stop {
        Stop::Disabled => "disabled",
        Stop::Caller { .. } | Stop::NotAnonymous => "caller_id",
        Stop::Interval { .. } => "interval",
        Stop::ExtensionStatus { .. } => "extension_status",
        Stop::CallStatus { .. } => "call_status",
        Stop::ExtensionCallStatus { .. } => "extension_call_status",
        Stop::NoVoicemail => "no_voicemail",
        Stop::HasFired => "has_fired",
    }
}
