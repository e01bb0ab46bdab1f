//! The dial plan: what a number leads to when an extension dials it.

use std::sync::Arc;

use model::{Extension, Snapshot, Status};

/// Where a dialled number leads.
#[derive(Clone, Debug)]
pub enum Destination {
    /// To an extension of the same tenant.
    Extension(Arc<Extension>),
}

/// Why a dialled number leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unroutable {
    /// No extension, no code and no trunk takes it: 404.
    NoSuchNumber,
    /// The extension is there but blocked: 480, as if its phone were switched off.
    Blocked,
}

/// Finds what `number` (the user part after unescaping, parameters cut off) leads to.
///
/// Forms of an extension: `100`, `0003*100`, `00500*0003*100`, each also with `@domain`; and prefix
/// and name without `*`, `0003100`. Absolute names begin with a digit and codes with `*` or `#`, so
/// they never clash.
pub fn destination(snapshot: &Snapshot, number: &str) -> Result<Destination, Unroutable> {
    let tenant = &snapshot.tenant;
    let number = match number.split_once('@') {
        Some((user, domain)) if domain.eq_ignore_ascii_case(&tenant.domain) => user,
        Some(_) => return Err(Unroutable::NoSuchNumber),
        None => number,
    };
    let mut parts = number.rsplit('*');
    let name = parts.next().unwrap_or("");
    let prefixed = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => true,
        (Some(prefix), None, _) => prefix == tenant.prefix.as_str(),
        (Some(prefix), Some(domain_prefix), None) => {
            prefix == tenant.prefix.as_str() && domain_prefix == tenant.domain_prefix.as_str()
        }
        (Some(_), Some(_), Some(_)) => false,
    };
    let named = if prefixed { snapshot.named(name) } else { None };
    let joined = || number.strip_prefix(tenant.prefix.as_str()).and_then(|n| snapshot.named(n));
    let extension = named.or_else(joined).ok_or(Unroutable::NoSuchNumber)?;
    match extension.status {
        Status::Active => Ok(Destination::Extension(Arc::clone(extension))),
        Status::Blocked => Err(Unroutable::Blocked),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use model::{
        DisplayName, ExtensionId, ExtensionKind, ExtensionName, ExtensionShown, Prefix, Tenant,
        TenantId, TenantKey,
    };

    use super::*;

    pub(crate) fn snapshot() -> Snapshot {
        let tenant = Tenant {
            id: TenantId(1),
            key: TenantKey(*b"abcdefgh"),
            name: "Acme".into(),
            domain: "pbx.example".into(),
            domain_prefix: Prefix::parse("00500").unwrap(),
            prefix: Prefix::parse("0003").unwrap(),
            extension_len: 3,
            status: Status::Active,
            calls_max: 10,
            timezone: "UTC".into(),
            create_date: "2026-01-01 00:00:00".into(),
        };
        let extension = |id, name, status| {
            Arc::new(Extension {
                id: ExtensionId(id),
                name: ExtensionName::parse(name).unwrap(),
                kind: ExtensionKind::Ivr,
                status,
                label: DisplayName::parse("Ann").unwrap(),
                caller_id_name: None,
                group: None,
                shown: ExtensionShown::default(),
                phone: None,
            })
        };
        let extensions =
            [extension(100_000, "100", Status::Active), extension(100_001, "101", Status::Blocked)];
        Snapshot::new(1, Arc::new(tenant), extensions)
    }

    #[test]
    fn every_form_of_a_number_leads_where_the_dial_plan_says() {
        let table = [
            ("100", Ok(100_000)),
            ("0003*100", Ok(100_000)),
            ("00500*0003*100", Ok(100_000)),
            ("100@pbx.example", Ok(100_000)),
            ("0003*100@PBX.example", Ok(100_000)),
            ("0003100", Ok(100_000)),
            ("101", Err(Unroutable::Blocked)),
            ("102", Err(Unroutable::NoSuchNumber)),
            ("0004*100", Err(Unroutable::NoSuchNumber)),
            ("00501*0003*100", Err(Unroutable::NoSuchNumber)),
            ("1*00500*0003*100", Err(Unroutable::NoSuchNumber)),
            ("100@other.example", Err(Unroutable::NoSuchNumber)),
            ("0004100", Err(Unroutable::NoSuchNumber)),
            ("*100", Err(Unroutable::NoSuchNumber)),
            ("*7", Err(Unroutable::NoSuchNumber)),
            ("#1", Err(Unroutable::NoSuchNumber)),
            ("", Err(Unroutable::NoSuchNumber)),
            ("74951234567", Err(Unroutable::NoSuchNumber)),
        ];
        let snapshot = snapshot();
        for (number, expected) in table {
            let found = destination(&snapshot, number).map(|d| match d {
                Destination::Extension(e) => e.id.0,
            });
            assert_eq!(found, expected, "{number}");
        }
    }
}
