//! Settings, from flags, environment variables, TOML keys and presets.
//!
//! One struct per role serves all of them: a key of a file and a variable of the environment are read as the
//! flag of that name is, with the same words. A flag comes before the environment, the environment before the
//! file, and the file before the preset. The macro [`settings`] writes the structs; a line of it is a field, its
//! flag, its type, and the place in the role's configuration where its value goes.

#[cfg(test)]
mod any_text;
#[cfg(feature = "proxy")]
mod attach;
mod element;
mod file;
mod given;
mod help;
mod inspector;
mod logging;
mod nearest;
mod places;
#[cfg(feature = "proxy")]
mod proxy;
mod refusal;
mod registrar;
mod roles;
mod transport;
mod user;
mod values;
mod written;

#[cfg(feature = "proxy")]
pub(crate) use attach::{AttachSettings, Attached};
pub(crate) use element::ElementSettings;
#[cfg_attr(not(test), allow(unused_imports))]
pub(crate) use file::{read_file, with_file};
pub(crate) use given::{Given, Refused, Source};
pub(crate) use help::complete;
pub(crate) use inspector::InspectorSettings;
pub(crate) use logging::{LogFormat, LogSettings};
pub(crate) use places::{Group, Host, TcpListen, UdpAddress};
#[cfg(feature = "proxy")]
pub(crate) use proxy::ProxySettings;
pub(crate) use refusal::Refusal;
pub(crate) use registrar::RegistrarSettings;
pub(crate) use roles::Role;
pub(crate) use transport::{HuntSettings, SctpSettings, TcpSettings};
pub(crate) use user::{DEFAULT_ATTEMPTS, UserSettings};
pub(crate) use values::{
    Attempts, CardsName, CountingName, Id, Life, LifeUnitName, Named, PaddingForm, PolicyText, PoolName,
    PresetName, Switch, Time, WinnerName,
};

/// Writes a struct of settings, `apply`, which puts those that are set into a configuration, and `written`, which
/// says what a configuration has.
macro_rules! settings {
    (
        $(#[$struct_meta:meta])*
        $name:ident $([$generic:ident])? for $config:ty {
            $( $(#[$meta:meta])* $field:ident / $flag:literal : $ty:ty $(=> $($path:ident).+)? ; )*
        }
        $( groups { $( $(#[$group_meta:meta])* $group:ident : $group_ty:ty ; )* } )?
    ) => {
        $(#[$struct_meta])*
        #[derive(Clone, Debug, Default, PartialEq, clap::Args)]
        #[group(skip)]
        pub(crate) struct $name {
            $(
                $(#[$meta])*
                #[arg(
                    id = $flag,
                    long = $flag,
                    value_name = <$ty as $crate::settings::Named>::NAME,
                    value_parser = <$ty as $crate::settings::Named>::parser()
                )]
                pub(crate) $field: Option<$ty>,
            )*
            $( $(
                $(#[$group_meta])*
                #[command(flatten)]
                pub(crate) $group: $group_ty,
            )* )?
        }

        // The log has no configuration in the core, and every role has some settings that others lack.
        #[allow(dead_code, unused_variables, unused_mut)]
        impl $name {
            /// Puts the values that are set into a configuration.
            pub(crate) fn apply$(<$generic>)?(&self, config: &mut $config) {
                $( $(
                    if let Some(value) = &self.$field {
                        config.$($path).+ = value.clone().into();
                    }
                )? )*
            }

            /// The flags, each with its value in a configuration as it is written; without those that have no
            /// fixed value.
            pub(crate) fn written$(<$generic>)?(config: &$config) -> Vec<(&'static str, String)> {
                let mut all = Vec::new();
                $( $(
                    let text = $crate::settings::written::Written::written(&config.$($path).+);
                    all.extend(text.map(|text| ($flag, text)));
                )? )*
                all
            }
        }
    };
}
pub(crate) use settings;
