//! The values of configurations as they are written in a flag or a file, to show what is in force.

use std::net::IpAddr;
use std::time::Duration;

use rserpool_core::base::{ElementId, PoolHandle, RegistrarId, SctpPort};
use rserpool_core::policy::Counting;
use rserpool_core::registrar::TakeoverWinner;
use rserpool_core::user::CardUse;
use rserpool_core::wire::{LifeUnit, Padding, Policy, RegistrationLife};

use super::values::{Life, Time};

/// A value of a configuration.
pub(crate) trait Written {
    /// The text that a flag takes for it; `None` if it is drawn, or follows from something else.
    fn written(&self) -> Option<String>;
}

macro_rules! as_displayed {
    ($($ty:ty),+) => {$(
        impl Written for $ty {
            fn written(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )+};
}
as_displayed!(u8, u16, u32, usize, Policy);

/// A name for each value.
macro_rules! as_named {
    ($($ty:ty { $($value:pat => $name:literal),+ $(,)? })+) => {$(
        impl Written for $ty {
            fn written(&self) -> Option<String> {
                #[allow(unreachable_patterns)]
                let name = match self {
                    $($value => $name,)+
                    _ => return None,
                };
                Some(name.into())
            }
        }
    )+};
}
as_named! {
    bool { true => "yes", false => "no" }
    Counting { Self::Listed => "listed", Self::First => "first" }
    CardUse { Self::Any => "any", Self::Listed => "listed" }
    LifeUnit { Self::Seconds => "seconds", Self::Milliseconds => "milliseconds" }
    Padding { Self::Strict => "strict", Self::Padded => "padded" }
    TakeoverWinner { Self::LargerId => "larger-id", Self::SmallerId => "smaller-id" }
}

impl Written for Duration {
    fn written(&self) -> Option<String> {
        Some(Time(*self).to_string())
    }
}

impl Written for Option<Duration> {
    fn written(&self) -> Option<String> {
        self.and_then(|time| time.written())
    }
}

impl Written for SctpPort {
    fn written(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

impl Written for RegistrationLife {
    fn written(&self) -> Option<String> {
        Some(Life::from(*self).to_string())
    }
}

/// A count of attempts, where none means for ever.
impl Written for Option<u32> {
    fn written(&self) -> Option<String> {
        Some(self.unwrap_or(0).to_string())
    }
}

/// These have no preset: they are drawn, given by the service, or follow from the address bound.
macro_rules! not_fixed {
    ($($ty:ty),+) => {$(
        impl Written for $ty {
            fn written(&self) -> Option<String> {
                None
            }
        }
    )+};
}
not_fixed!(Option<RegistrarId>, Option<ElementId>, PoolHandle, Vec<IpAddr>);
