//! Why a text is not a plan.

use rserpool_core::wire::ParsePolicyError;

/// The first line that is wrong in the text of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct PlanError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: PlanProblem,
}

/// What is wrong with a line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanProblem {
    /// The text does not begin like a plan.
    #[error("this is not a plan: begin with \"plan 1\"")]
    NotAPlan,
    /// The plan is written in another version of the format.
    #[error("this is plan version {0}: this program reads version 1")]
    Version(String),
    /// No statement begins with this word.
    #[error(
        "there is no statement \"{0}\": write seed, timers, sctp, cable, chaos, registrar, element, user or fault"
    )]
    Statement(String),
    /// No step of a fault is called this.
    #[error(
        "there is no fault \"{0}\": write kill, start, start-anew, stop, pause, thaw, slow, unplug, plug, block, unblock, split, join, lose, keep, move, deafen, undeafen, cables or order"
    )]
    Fault(String),
    /// A step stands before the first fault.
    #[error("a step belongs to a fault: write \"fault\" on a line before it")]
    NoFault,
    /// A statement comes after one that it must precede.
    #[error("\"{0}\" comes too late: write registrars, then elements, then users, then faults")]
    Order(&'static str),
    /// A value is missing.
    #[error("{0} is missing: write it")]
    Missing(&'static str),
    /// A key is written that the statement does not have.
    #[error("there is no value \"{0}\" here: see the documentation of plan_text, or leave it out")]
    Unknown(String),
    /// A value cannot be read.
    #[error("\"{text}\" cannot be read as {expected}")]
    Value {
        /// What was written.
        text: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A policy cannot be read.
    #[error(transparent)]
    Policy(#[from] ParsePolicyError),
    /// A host is named that the plan does not have.
    #[error("there is no host \"{0}\": write the r, e or u and the number of one that the plan has")]
    Host(String),
    /// A host has not the next number of its kind.
    #[error("the next one is {0}: hosts are counted from 1, without gaps")]
    Number(String),
}
