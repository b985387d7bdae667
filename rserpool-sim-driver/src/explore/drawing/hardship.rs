//! The kinds of trouble that worlds are drawn with beside the usual faults.

use std::fmt;
use std::str::FromStr;

macro_rules! hardships {
    ($($(#[$documentation:meta])* $kind:ident => $name:literal,)*) => {
        /// A kind of trouble that a world may have beside the usual faults. Each is drawn for a part of the
        /// seeds, from a stream of its own: leaving one out changes nothing else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Hardship {
            $($(#[$documentation])* $kind,)*
        }

        impl Hardship {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

hardships! {
    /// Requests that take longer than any time-out.
    SlowRequests => "slow-requests",
    /// Servers that take fewer sessions than there are.
    FullServers => "full-servers",
    /// Servers that close sessions at once, or on certain requests.
    ClosingServers => "closing-servers",
    /// Large requests over slow cables.
    LargeRequests => "large-requests",
    /// Clients that take answers late.
    SlowConsumers => "slow-consumers",
    /// Endpoints with different presets in one scope.
    MixedPresets => "mixed-presets",
    /// Registrars that page their tables differently.
    MixedPages => "mixed-pages",
    /// A registrar whose copy of the handlespace lacks pools for good.
    LackingPools => "lacking-pools",
    /// Registrars that start anew, with their identifier, about when others notice that they are gone.
    Restarts => "restarts",
    /// Registrars that stand still about as long.
    RegistrarPauses => "registrar-pauses",
    /// Elements that stand still several times.
    ElementPauses => "element-pauses",
    /// Updates that get lost between two registrars, while all else arrives.
    LostUpdates => "lost-updates",
    /// Elements that leave while a registrar stands still.
    LeavingMeanwhile => "leaving-meanwhile",
    /// A time without any registrar, in which sessions are opened.
    Desertion => "desertion",
    /// Users that report an element again and again.
    Reports => "reports",
}

impl fmt::Display for Hardship {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Hardship {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|kind| kind.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("there is no hardship {text:?}: write one of {}", names.join(", "))
        })
    }
}
