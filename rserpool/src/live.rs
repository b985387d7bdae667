//! What a command that plays in a session shows: a live line at a terminal, and a line for each failover.

use std::fmt::Display;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rserpool_tokio::SessionEvent;
use serde_json::json;

use crate::exit::Failure;
use crate::output;

/// How often the live line is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// A line at the bottom of a terminal that changes.
pub(crate) struct Live(Option<ProgressBar>);

impl Live {
    /// One at the standard error output, if that is a terminal and people read what is printed.
    pub(crate) fn new(json: bool) -> Self {
        let shown = !json && std::io::stderr().is_terminal();
        Self(shown.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(REDRAW);
            bar
        }))
    }

    /// Changes the line.
    pub(crate) fn show(&self, text: impl Display) {
        if let Some(bar) = &self.0 {
            bar.set_message(text.to_string());
        }
    }

    /// Prints a line above it, on the standard output.
    pub(crate) fn line(&self, text: impl Display) -> Result<(), Failure> {
        match &self.0 {
            Some(bar) => bar.suspend(|| output::line(text)),
            None => output::line(text),
        }
    }

    /// Tells of a failure and a failover; other events are not worth a line.
    pub(crate) fn say_event(&self, event: SessionEvent, json: bool) -> Result<(), Failure> {
        match event {
            SessionEvent::ElementFailed { element, reason, .. } if json => output::json(&json!({
                "event": "failed", "element": element.to_string(), "reason": reason.to_string(),
            })),
            SessionEvent::ElementFailed { element, reason, .. } => {
                self.line(format_args!("{element} failed: {reason}"))
            }
            SessionEvent::FailedOver { from, to, cookie_echoed, resent, .. } if json => {
                output::json(&json!({
                    "event": "failover", "from": from.to_string(), "to": to.to_string(),
                    "cookie_echoed": cookie_echoed, "resent": resent.len(),
                }))
            }
            SessionEvent::FailedOver { to, cookie_echoed, .. } => {
                let state = if cookie_echoed { "with its state" } else { "without state" };
                self.line(format_args!("{to} goes on {state}"))
            }
            SessionEvent::Closed { error: Some(error), .. } => Err(Failure::failed(error.to_string())),
            _ => Ok(()),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
