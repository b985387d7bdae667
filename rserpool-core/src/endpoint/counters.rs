//! Counters: numbers with names, and nothing else.

/// Defines `Counters`, a struct of `u64` fields with a listing of their names and values.
macro_rules! counters {
    ($($(#[$field_doc:meta])* $field:ident,)*) => {
        /// What an endpoint has done and seen since its start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[$field_doc])* pub $field: u64,)*
        }

        impl Counters {
            /// Every counter with its name, in the order of declaration.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($field), self.$field)),*].into_iter()
            }
        }
    };
}

pub(crate) use counters;
