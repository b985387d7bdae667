//! Counters and gauges: numbers with names and meanings, and nothing else.

/// Defines `$name`, a struct of `u64` fields with a listing of their names, values and meanings.
macro_rules! numbers {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $field:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: u64,)*
        }

        impl $name {
            /// Every number with its name, in the order of declaration.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($field), self.$field)),*].into_iter()
            }

            /// Every name with its meaning, in the order of declaration.
            pub fn meanings() -> impl Iterator<Item = (&'static str, &'static str)> {
                [$((stringify!($field), concat!($($doc),+).trim_ascii())),*].into_iter()
            }
        }
    };
}

/// Defines `Counters`.
macro_rules! counters {
    ($($fields:tt)*) => {
        $crate::endpoint::counters::numbers! {
            /// What an endpoint has done and seen since its start.
            Counters { $($fields)* }
        }
    };
}

/// Defines `Sizes`.
macro_rules! gauges {
    ($($fields:tt)*) => {
        $crate::endpoint::counters::numbers! {
            /// How much an endpoint keeps at the moment.
            Sizes { $($fields)* }
        }
    };
}

pub(crate) use {counters, gauges, numbers};
