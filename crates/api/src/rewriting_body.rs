//! Rewritings of numbers, as JSON (API reference 19.4).

use model::{Pattern, Rewriting, limits};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::fields::Fields;

/// A number that matches becomes another.
#[derive(Serialize, ToSchema)]
#[schema(as = Rewriting)]
pub(crate) struct RewritingBody {
    /// PCRE that must match.
    #[schema(example = "^([0-9]{7})$")]
    match_exp: String,
    /// What the match becomes; `\1` to `\9` are its groups.
    #[schema(example = "8812\\1")]
    repl_exp: String,
}

impl RewritingBody {
    pub(crate) fn list(list: &[Rewriting]) -> Vec<RewritingBody> {
        let body = |rewriting: &Rewriting| RewritingBody {
            match_exp: rewriting.match_exp.as_str().to_owned(),
            repl_exp: rewriting.repl_exp.to_string(),
        };
        list.iter().map(body).collect()
    }
}

/// A list of rewritings; `None`: the body has none.
pub(crate) fn rewritings(fields: &Fields, name: &str) -> Result<Option<Vec<Rewriting>>, ApiError> {
    let Some(items) = fields.objects(name, limits::REWRITINGS_MAX)? else { return Ok(None) };
    let rewritings = items.iter().map(|item| {
        let match_exp = item.parsed("match_exp", Pattern::parse)?;
        let repl_exp = item.text("repl_exp", limits::REPLACEMENT_BYTES_MAX)?;
        Ok(Rewriting {
            match_exp: match_exp.ok_or_else(|| item.invalid("match_exp", "is required"))?,
            repl_exp: repl_exp.ok_or_else(|| item.invalid("repl_exp", "is required"))?.into(),
        })
    });
    rewritings.collect::<Result<_, _>>().map(Some)
}
