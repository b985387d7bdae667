//! The commands an application has given: each gets exactly one answer.

use std::collections::BTreeMap;

use rserpool_core::base::{CommandId, Instant};

use crate::violation::Violation;

/// The commands that wait for their answer.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    last: u64,
    /// With the time since when, unless it may take as long as it likes.
    open: BTreeMap<CommandId, Option<Instant>>,
}

impl Commands {
    /// Names a new command.
    pub(crate) fn begin(&mut self, now: Instant) -> CommandId {
        self.add(Some(now))
    }

    /// Names a new command that is answered when something else has ended.
    pub(crate) fn begin_lasting(&mut self) -> CommandId {
        self.add(None)
    }

    fn add(&mut self, since: Option<Instant>) -> CommandId {
        self.last += 1;
        let id = CommandId(self.last);
        self.open.insert(id, since);
        id
    }

    /// An answer has come.
    pub(crate) fn end(&mut self, id: CommandId) -> Result<(), Violation> {
        match self.open.remove(&id) {
            Some(_) => Ok(()),
            None => Err(Violation::new("one answer for each command", format!("{id:?} was answered twice"))),
        }
    }

    /// The command that has waited for the longest time, of those that should not.
    pub(crate) fn oldest(&self) -> Option<(CommandId, Instant)> {
        self.open.iter().filter_map(|(id, since)| Some((*id, (*since)?))).min_by_key(|(_, since)| *since)
    }
}
