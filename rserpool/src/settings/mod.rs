//! Settings, from flags, environment variables, TOML keys and presets.
//!
//! One struct per role serves flags and file alike, so neither has a key that the other lacks. A flag comes
//! before the environment, the environment before the file, and the file before the preset. The macro
//! [`settings`] writes the structs; a line of it is a field, its flag, its type, and the place in the role's
//! configuration where its value goes.

#[cfg(test)]
mod any_text;
mod element;
mod inspector;
mod load;
mod logging;
mod places;
mod registrar;
mod transport;
mod user;
mod values;

pub(crate) use element::ElementSettings;
pub(crate) use inspector::InspectorSettings;
pub(crate) use load::{Source, name_in_environment};
pub(crate) use logging::{LogFormat, LogSettings};
pub(crate) use places::{Group, Host, TcpListen, UdpAddress};
pub(crate) use registrar::RegistrarSettings;
pub(crate) use transport::{HuntSettings, SctpSettings, TcpSettings};
pub(crate) use user::UserSettings;
pub(crate) use values::{
    Attempts, CountingName, Id, Life, LifeUnitName, Named, PaddingForm, PolicyText, PresetName, Switch, Time,
    WinnerName,
};

/// Writes a struct of settings, and `apply`, which puts those that are set into a configuration.
macro_rules! settings {
    (
        $(#[$struct_meta:meta])*
        $name:ident $([$generic:ident])? for $config:ty {
            $( $(#[$meta:meta])* $field:ident / $flag:literal : $ty:ty $(=> $($path:ident).+)? ; )*
        }
        $( groups { $( $(#[$group_meta:meta])* $group:ident : $group_ty:ty ; )* } )?
    ) => {
        $(#[$struct_meta])*
        #[derive(Clone, Debug, Default, PartialEq, clap::Args, serde::Serialize, serde::Deserialize)]
        #[group(skip)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub(crate) struct $name {
            $(
                $(#[$meta])*
                #[arg(id = $flag, long = $flag, value_name = <$ty as $crate::settings::Named>::NAME)]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub(crate) $field: Option<$ty>,
            )*
            $( $(
                $(#[$group_meta])*
                #[command(flatten)]
                pub(crate) $group: $group_ty,
            )* )?
        }

        impl $name {
            /// Puts the values that are set into a configuration.
            // The log has no configuration in the core.
            #[allow(dead_code, unused_variables)]
            pub(crate) fn apply$(<$generic>)?(&self, config: &mut $config) {
                $( $(
                    if let Some(value) = &self.$field {
                        config.$($path).+ = value.clone().into();
                    }
                )? )*
            }
        }
    };
}
pub(crate) use settings;
