//! Open code points: numbers of which only some have names, and none is refused.

/// Gives an open code point its constants, its names and a readable `Debug` and `Display`: name
/// and number, or the number alone.
macro_rules! code_points {
    ($type:ident, $format:literal, { $($constant:ident = $value:literal => $name:literal,)* }) => {
        impl $type {
            $(#[doc = concat!($name, " (", stringify!($value), ").")] pub const $constant: Self = Self($value);)*

            /// All code points that have a name.
            pub const KNOWN: &'static [Self] = &[$(Self($value)),*];

            /// The name in the standard, "unknown" if there is none.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($value => $name,)*
                    _ => "unknown",
                }
            }

            /// Whether it has a name.
            pub fn is_known(self) -> bool {
                Self::KNOWN.contains(&self)
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                if self.is_known() {
                    write!(f, concat!("{} (", $format, ")"), self.name(), self.0)
                } else {
                    write!(f, $format, self.0)
                }
            }
        }

        impl core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }
    };
}

pub(super) use code_points;
