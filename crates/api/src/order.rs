//! A list of ids as a body: an object with `order`, or the bare list.

use axum::extract::{FromRequest, Request};
use serde_json::Value;

use crate::body;
use crate::error::ApiError;

/// The ids, in their order.
pub(crate) struct Order(pub(crate) Vec<u64>);

impl<S: Send + Sync> FromRequest<S> for Order {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Order, ApiError> {
        let (parts, content) = request.into_parts();
        ids(&body::read(&parts.headers, content).await?).map(Order)
    }
}

fn ids(bytes: &[u8]) -> Result<Vec<u64>, ApiError> {
    let bad = || ApiError::invalid("order", "must be a list of ids");
    let list = match serde_json::from_slice(bytes) {
        Ok(Value::Array(list)) => list,
        Ok(Value::Object(mut fields)) => match fields.remove("order") {
            Some(Value::Array(list)) => list,
            None | Some(_) => return Err(bad()),
        },
        Ok(_) => return Err(bad()),
        // Without any body nothing was ordered.
        Err(_) if bytes.iter().all(u8::is_ascii_whitespace) => return Err(bad()),
        Err(e) => return Err(ApiError::bad_body(format!("The body is not JSON: {e}"))),
    };
    let id = |value: &Value| match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    list.iter().map(id).collect::<Option<_>>().ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_list_with_or_without_a_name() {
        for good in ["[2,1]", r#"{"order":[2,1]}"#, r#"{"order":["2",1],"more":1}"#] {
            assert_eq!(ids(good.as_bytes()).unwrap(), [2, 1], "{good}");
        }
        assert!(ids(b"[]").unwrap().is_empty());
        for bad in ["", "{}", "1", "null", "[-1]", "[1.5]", r#"[{}]"#, r#"{"order":1}"#, "[1"] {
            assert!(ids(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
