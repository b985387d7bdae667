//! Who a registrar is, and how it is, as `health`, `stats` and `pools` say it.

use rserpool_core::endpoint::RegistrarStatus;
use serde_json::{Value, json};

use crate::settings::Time;

/// Who answers, and how it is.
pub(crate) fn sentence(status: &RegistrarStatus) -> String {
    let RegistrarStatus { id, version, state, reason, uptime, .. } = status;
    let uptime = Time(std::time::Duration::from_secs(uptime.as_secs()));
    format!("registrar {id} (version {version}) is {state}: {reason}; it was started {uptime} ago")
}

/// The same for programs.
pub(crate) fn json(status: &RegistrarStatus) -> Value {
    json!({
        "id": status.id.to_string(), "version": status.version, "state": status.state.to_string(),
        "reason": status.reason, "uptime_s": status.uptime.as_secs_f64(),
    })
}
