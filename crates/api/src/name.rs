//! Names of extensions as clients write them (API reference 1.2): `100`, `0003*100`,
//! `00500*0003*100`, and the last two with `@domain`.

use model::Tenant;

/// The short name in any of its forms; `None`: the form names another client or domain.
pub(crate) fn short<'a>(text: &'a str, tenant: &Tenant) -> Option<&'a str> {
    let text = match text.split_once('@') {
        Some((name, domain)) if domain.eq_ignore_ascii_case(&tenant.domain) => name,
        Some(_) => return None,
        None => text,
    };
    let mut parts = text.rsplit('*');
    let name = parts.next()?;
    let own = |part: Option<&str>, prefix: &str| part.is_none_or(|part| part == prefix);
    let owned = own(parts.next(), tenant.prefix.as_str())
        && own(parts.next(), tenant.domain_prefix.as_str())
        && parts.next().is_none();
    owned.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Prefix, Status, TenantId, TenantKey};

    #[test]
    fn a_name_is_read_in_each_form_and_only_of_its_own_client() {
        let tenant = Tenant {
            id: TenantId(1),
            key: TenantKey(*b"abcdefgh"),
            name: String::new(),
            domain: "sip.example.com".to_owned(),
            domain_prefix: Prefix::parse("00500").unwrap(),
            prefix: Prefix::parse("0003").unwrap(),
            extension_len: 3,
            status: Status::Active,
            calls_max: 1,
            timezone: String::new(),
            create_date: String::new(),
        };
        let table = [
            ("100", Some("100")),
            ("0003*100", Some("100")),
            ("00500*0003*100", Some("100")),
            ("0003*100@sip.example.com", Some("100")),
            ("100@SIP.example.com", Some("100")),
            ("0004*100", None),
            ("00501*0003*100", None),
            ("0003*100@other.example.com", None),
            ("1*00500*0003*100", None),
            ("0003*", Some("")),
        ];
        for (text, expected) in table {
            assert_eq!(short(text, &tenant), expected, "{text}");
        }
    }
}
