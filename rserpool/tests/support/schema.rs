//! JSON schemas, as far as those in `schemas/` go. A library for them takes longer to build than the program; a
//! keyword that is not understood here is an error, so that no schema says more than is checked.

use serde_json::Value;

/// Whether a value is what the schema of this name says.
pub(crate) fn check(name: &str, value: &Value) -> Result<(), String> {
    let path = format!("{}/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let root: Value = serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    matches(&root, &root, value)
}

fn matches(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if *schema == Value::Bool(true) {
        return Ok(());
    }
    let keywords = schema.as_object().ok_or("a schema is an object, or true")?;
    for (keyword, wanted) in keywords {
        let ok = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let place = wanted.as_str().and_then(|place| place.strip_prefix('#'));
                let named = place.and_then(|place| root.pointer(place));
                return matches(root, named.ok_or_else(|| format!("there is no {wanted}"))?, value);
            }
            "const" => value == wanted,
            "enum" => wanted.as_array().is_some_and(|all| all.contains(value)),
            "type" => match wanted.as_array() {
                Some(types) => types.iter().any(|wanted| is_of_type(value, wanted)),
                None => is_of_type(value, wanted),
            },
            "minimum" => value.as_f64().zip(wanted.as_f64()).is_none_or(|(value, least)| value >= least),
            "maximum" => value.as_f64().zip(wanted.as_f64()).is_none_or(|(value, most)| value <= most),
            "pattern" => value.as_str().is_none_or(|text| fits(text, wanted.as_str().unwrap_or_default())),
            "required" => wanted.as_array().into_iter().flatten().all(|key| {
                value.as_object().is_none_or(|object| object.contains_key(key.as_str().unwrap_or_default()))
            }),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    matches(root, wanted, item)?;
                }
                true
            }
            "properties" => {
                for (key, schema) in wanted.as_object().into_iter().flatten() {
                    if let Some(value) = value.get(key) {
                        matches(root, schema, value).map_err(|error| format!("{key}: {error}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let named = keywords.get("properties").and_then(Value::as_object);
                for (key, value) in value.as_object().into_iter().flatten() {
                    if named.is_some_and(|named| named.contains_key(key)) {
                        continue;
                    }
                    if *wanted == Value::Bool(false) {
                        return Err(format!("{key} is not in the schema"));
                    }
                    matches(root, wanted, value).map_err(|error| format!("{key}: {error}"))?;
                }
                true
            }
            "propertyNames" => {
                for key in value.as_object().into_iter().flat_map(|object| object.keys()) {
                    matches(root, wanted, &Value::String(key.clone()))?;
                }
                true
            }
            "oneOf" => {
                let all = wanted.as_array().into_iter().flatten();
                all.filter(|schema| matches(root, schema, value).is_ok()).count() == 1
            }
            other => return Err(format!("the keyword {other} is not understood")),
        };
        if !ok {
            return Err(format!("{value} is not what the schema says with {keyword}"));
        }
    }
    Ok(())
}

fn is_of_type(value: &Value, wanted: &Value) -> bool {
    match wanted.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

/// The few patterns that the schemas have.
fn fits(text: &str, pattern: &str) -> bool {
    let hex = |text: &str| text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    let number = text.strip_prefix("0x");
    match pattern {
        "^0x[0-9a-f]{1,8}$" => number.is_some_and(|digits| (1..=8).contains(&digits.len()) && hex(digits)),
        "^0x[0-9a-f]{4}$" => number.is_some_and(|digits| digits.len() == 4 && hex(digits)),
        "^([0-9a-f]{2})+$" => !text.is_empty() && text.len().is_multiple_of(2) && hex(text),
        "^([0-9a-f]{2})*$" => text.len().is_multiple_of(2) && hex(text),
        "^[a-z0-9_]+$" => text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
        other => panic!("the pattern {other} is not understood"),
    }
}
