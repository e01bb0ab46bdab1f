//! Whether a value is what a schema of the document says: the words of JSON Schema that the
//! document uses. One that is not known here fails, so that nothing is taken for checked that is
//! not.
//!
//! Stricter than JSON Schema in one thing: an object has no fields but those that are named.

use serde_json::Value;

/// Words that only tell people something.
const ANNOTATIONS: [&str; 8] =
    ["description", "example", "examples", "format", "readOnly", "writeOnly", "title", "default"];

/// Why a value does not fit; `document` is where references lead to.
pub(crate) fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let no = |why: &str| Err(format!("{value} {why}: {schema}"));
    for (word, rule) in schema.as_object().expect("a schema is an object") {
        let list = || rule.as_array().expect("a list").iter();
        let good = match word.as_str() {
            "$ref" => {
                let pointer = rule.as_str().and_then(|text| text.strip_prefix('#'));
                let target = pointer.and_then(|pointer| document.pointer(pointer));
                fits(document, target.expect("a reference leads somewhere"), value)?;
                true
            }
            "type" if rule.is_array() => list().any(|kind| is_of(kind, value)),
            "type" => is_of(rule, value),
            "enum" => list().any(|one| one == value),
            "oneOf" => list().filter(|one| fits(document, one, value).is_ok()).count() == 1,
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    fits(document, rule, item)?;
                }
                true
            }
            "properties" => {
                for (name, field) in value.as_object().into_iter().flatten() {
                    match rule.get(name).or(schema.get("additionalProperties")) {
                        Some(rule) => fits(document, rule, field)?,
                        None => return no(&format!("has {name}")),
                    }
                }
                true
            }
            "additionalProperties" if schema.get("properties").is_some() => true,
            "additionalProperties" => {
                for field in value.as_object().into_iter().flat_map(|fields| fields.values()) {
                    fits(document, rule, field)?;
                }
                true
            }
            "required" => {
                let has = |name: &Value| value.get(name.as_str().expect("a name")).is_some();
                !value.is_object() || list().all(has)
            }
            "minimum" => value.as_f64().is_none_or(|n| Some(n) >= rule.as_f64()),
            "maximum" => value.as_f64().is_none_or(|n| Some(n) <= rule.as_f64()),
            "minLength" => length(value).is_none_or(|n| Some(n) >= rule.as_u64()),
            "maxLength" => length(value).is_none_or(|n| Some(n) <= rule.as_u64()),
            // All ours are for digits.
            "pattern" => {
                assert_eq!(rule, "^[0-9]+$");
                value.as_str().is_none_or(|text| text.bytes().all(|b| b.is_ascii_digit()))
            }
            other => {
                assert!(ANNOTATIONS.contains(&other), "nobody checks {other:?}");
                true
            }
        };
        if !good {
            return no(&format!("does not fit {word:?}"));
        }
    }
    Ok(())
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("a type is a word") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("nobody checks {other:?}"),
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().and_then(|text| u64::try_from(text.chars().count()).ok())
}

#[test]
fn what_does_not_fit_is_noticed() {
    use serde_json::json;
    let document = json!({ "components": { "schemas": { "Name": { "type": "string" } } } });
    let schema = json!({
        "type": "object", "required": ["id"],
        "properties": {
            "id": { "type": "integer", "minimum": 1, "maximum": 9 },
            "name": { "$ref": "#/components/schemas/Name" },
            "word": { "type": ["string", "null"], "enum": ["a", null] },
            "pin": { "type": "string", "minLength": 2, "maxLength": 3, "pattern": "^[0-9]+$" },
            "list": { "type": "array", "items": { "type": "boolean" } },
            "either": { "oneOf": [{ "type": "null" }, { "type": "integer" }] },
            "open": { "type": "object", "properties": { "a": { "type": "null" } },
                "additionalProperties": { "type": "integer" } },
            "map": { "type": "object", "additionalProperties": { "type": "boolean" } },
        },
    });
    let good = json!({ "id": 1, "name": "x", "word": null, "pin": "12", "list": [true],
        "either": null, "open": { "a": null, "b": 1 }, "map": { "c": true } });
    assert_eq!(fits(&document, &schema, &good), Ok(()));
    for bad in [
        json!([]),
        json!({}),
        json!({ "id": 0 }),
        json!({ "id": 10 }),
        json!({ "id": 1.5 }),
        json!({ "id": 1, "name": 7 }),
        json!({ "id": 1, "word": "b" }),
        json!({ "id": 1, "more": 1 }),
        json!({ "id": 1, "pin": "1" }),
        json!({ "id": 1, "pin": "1234" }),
        json!({ "id": 1, "pin": "ab" }),
        json!({ "id": 1, "list": [1] }),
        json!({ "id": 1, "either": "x" }),
        json!({ "id": 1, "open": { "a": 1 } }),
        json!({ "id": 1, "open": { "b": null } }),
        json!({ "id": 1, "map": { "c": 1 } }),
    ] {
        assert!(fits(&document, &schema, &bad).is_err(), "{bad}");
    }
}
