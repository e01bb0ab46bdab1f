//! The document of the control groups as JSON: the fields of the specification page, those that
//! were sent and no others, groups in the order in which they were written.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::groups::{ControlGroups, Names};

const EAVESDROP: &str = "eavesdrop_";
const WHISPER: &str = "whisper_";

impl Serialize for ControlGroups {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (field, flag) in [("allow_all", self.allow_all), ("pickup_all", self.pickup_all)] {
            if let Some(flag) = flag {
                map.serialize_entry(field, &flag)?;
            }
        }
        if let Some(groups) = &self.groups {
            map.serialize_entry("groups", &Groups(groups))?;
        }
        for (field, names) in [
            ("pickup_share_groups", &self.pickup_share_groups),
            ("phone_replace_groups", &self.phone_replace_groups),
        ] {
            if let Some(names) = names {
                map.serialize_entry(field, names)?;
            }
        }
        for (prefix, lists) in [(EAVESDROP, &self.eavesdrop), (WHISPER, &self.whisper)] {
            for (extension, names) in lists {
                map.serialize_entry(&format_args!("{prefix}{extension}"), names)?;
            }
        }
        map.end()
    }
}

struct Groups<'a>(&'a [(Box<str>, Names)]);

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, members)| (name, members)))
    }
}

impl<'de> Deserialize<'de> for ControlGroups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ControlGroups, D::Error> {
        deserializer.deserialize_map(Document)
    }
}

struct Document;

impl<'de> Visitor<'de> for Document {
    type Value = ControlGroups;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("control groups")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ControlGroups, A::Error> {
        let mut groups = ControlGroups::default();
        while let Some(field) = map.next_key::<String>()? {
            match field.as_str() {
                "allow_all" => groups.allow_all = Some(map.next_value()?),
                "pickup_all" => groups.pickup_all = Some(map.next_value()?),
                "groups" => groups.groups = Some(map.next_value::<Pairs<Names>>()?.list),
                "pickup_share_groups" => groups.pickup_share_groups = Some(map.next_value()?),
                "phone_replace_groups" => groups.phone_replace_groups = Some(map.next_value()?),
                other => {
                    if let Some(extension) = other.strip_prefix(EAVESDROP) {
                        groups.eavesdrop.push((extension.into(), map.next_value()?));
                    } else if let Some(extension) = other.strip_prefix(WHISPER) {
                        groups.whisper.push((extension.into(), map.next_value()?));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
            }
        }
        Ok(groups)
    }
}

/// An object as a list, in the order in which it was written.
struct Pairs<T> {
    list: Vec<(Box<str>, T)>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs<T>, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
    type Value = Pairs<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(pair) = map.next_entry()? {
            list.push(pair);
        }
        Ok(Pairs { list })
    }
}
