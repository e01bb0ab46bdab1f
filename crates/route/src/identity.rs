//! Who is shown as calling.

use model::{DisplayName, Extension, Number, Snapshot};

/// Number and name under which an extension shows itself to other extensions of its tenant.
///
/// Never what the phone says of itself in From: any phone could say anything.
pub fn caller_identity(snapshot: &Snapshot, extension: &Extension) -> (Number, DisplayName) {
    let name = extension.caller_id_name.clone().unwrap_or_else(|| extension.label.clone());
    (snapshot.number_of(extension), name)
}

#[cfg(test)]
mod tests {
    use model::ExtensionId;

    use super::*;
    use crate::dial::tests::snapshot;

    #[test]
    fn the_caller_id_name_goes_before_the_label() {
        let snapshot = snapshot();
        let mut extension = (**snapshot.extension(ExtensionId(100_000)).unwrap()).clone();
        assert_eq!(caller_identity(&snapshot, &extension).1.as_str(), "Ann");
        extension.caller_id_name = Some(DisplayName::parse("Sales").unwrap());
        assert_eq!(caller_identity(&snapshot, &extension).1.as_str(), "Sales");
    }
}
