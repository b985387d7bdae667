//! What each command that has settings is: the names of its variables, and the values that it has by default.

use clap::{Args, Command};
use rserpool_core::element::ElementConfig;
use rserpool_core::inspector::InspectorConfig;
use rserpool_core::registrar::RegistrarConfig;
use rserpool_core::user::UserConfig;
use rserpool_transport::sctp::SctpConfig;
use rserpool_transport::tcp::TcpConfig;

#[cfg(feature = "proxy")]
use super::{AttachSettings, ProxySettings};
use super::{
    DEFAULT_ATTEMPTS, ElementSettings, HuntSettings, InspectorSettings, PresetName, RegistrarSettings,
    SctpSettings, TcpSettings, UserSettings,
};

/// A role: what has settings of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    /// `registrar`.
    Registrar,
    /// `serve`.
    Element,
    /// `attach`.
    #[cfg(feature = "proxy")]
    Attach,
    /// `connect` and `resolve`.
    User,
    /// `proxy`.
    #[cfg(feature = "proxy")]
    Proxy,
    /// The tools that ask a registrar about itself.
    Inspector,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: &[Self] = &[
        Self::Registrar,
        Self::Element,
        #[cfg(feature = "proxy")]
        Self::Attach,
        Self::User,
        #[cfg(feature = "proxy")]
        Self::Proxy,
        Self::Inspector,
    ];

    /// The role of a command; `None` if it has no settings.
    pub(crate) fn of(command: &str) -> Option<Self> {
        match command {
            "registrar" => Some(Self::Registrar),
            "serve" => Some(Self::Element),
            #[cfg(feature = "proxy")]
            "attach" => Some(Self::Attach),
            #[cfg(feature = "proxy")]
            "proxy" => Some(Self::Proxy),
            "connect" | "resolve" | "watch" | "template" | "pingpong" | "calcapp" | "demo-user" => {
                Some(Self::User)
            }
            "pools" | "stats" | "health" => Some(Self::Inspector),
            _ => None,
        }
    }

    /// The command that stands for it in a message.
    pub(crate) const fn command(self) -> &'static str {
        match self {
            Self::Registrar => "registrar",
            Self::Element => "serve",
            #[cfg(feature = "proxy")]
            Self::Attach => "attach",
            Self::User => "connect",
            #[cfg(feature = "proxy")]
            Self::Proxy => "proxy",
            Self::Inspector => "stats",
        }
    }

    /// A command with the settings of this role, and nothing else.
    pub(crate) fn settings(self) -> Command {
        let command = Command::new(self.command()).no_binary_name(true).disable_help_flag(true);
        match self {
            Self::Registrar => RegistrarSettings::augment_args(command),
            Self::Element => ElementSettings::augment_args(command),
            #[cfg(feature = "proxy")]
            Self::Attach => AttachSettings::augment_args(command),
            Self::User => UserSettings::augment_args(command),
            #[cfg(feature = "proxy")]
            Self::Proxy => ProxySettings::augment_args(command),
            Self::Inspector => InspectorSettings::augment_args(command),
        }
    }

    /// What the names of its variables begin with. Each role has its own: a tool beside a daemon must not take
    /// the daemon's address for its own.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Registrar => "RSERPOOL_REGISTRAR_",
            Self::Element => "RSERPOOL_ELEMENT_",
            #[cfg(feature = "proxy")]
            Self::Attach => "RSERPOOL_ATTACH_",
            Self::User => "RSERPOOL_USER_",
            #[cfg(feature = "proxy")]
            Self::Proxy => "RSERPOOL_PROXY_",
            Self::Inspector => "RSERPOOL_INSPECTOR_",
        }
    }

    /// The environment variable that stands for an option of this role.
    pub(crate) fn variable(self, option: &str) -> String {
        format!("{}{}", self.prefix(), option.to_uppercase().replace('-', "_"))
    }

    /// Whether it is a pool user.
    fn is_user(self) -> bool {
        #[cfg(feature = "proxy")]
        if self == Self::Proxy {
            return true;
        }
        self == Self::User
    }

    /// The options of a preset, each with its value as it is written. Options whose default is nothing that could
    /// be written are left out.
    pub(crate) fn preset(self, preset: PresetName) -> Vec<(&'static str, String)> {
        use PresetName::{Fast, Rack, Rfc};
        let mut all = match self {
            Self::Registrar => {
                let config = match preset {
                    Rfc => RegistrarConfig::rfc(None, 1),
                    Fast => RegistrarConfig::fast(None, 1),
                    Rack => RegistrarConfig::rack(None, 1),
                };
                let mut all = RegistrarSettings::written(&config);
                all.extend(TcpSettings::written(&TcpConfig::default()));
                all
            }
            Self::Element => {
                let config = element(preset);
                let mut all = ElementSettings::written(&config);
                all.extend(HuntSettings::written(&config.hunt));
                all
            }
            #[cfg(feature = "proxy")]
            Self::Attach => {
                let config = element(preset);
                let mut all = AttachSettings::written(&config);
                all.extend(HuntSettings::written(&config.hunt));
                all
            }
            Self::User => user(preset),
            #[cfg(feature = "proxy")]
            Self::Proxy => user(preset),
            Self::Inspector => InspectorSettings::written(&match preset {
                Rfc => InspectorConfig::rfc(),
                Fast | Rack => InspectorConfig::fast(),
            }),
        };
        // A user gives its peers less time than others do.
        let sctp = match (preset, self) {
            (Rfc, role) if role.is_user() => SctpConfig::rfc_user(1),
            (Rfc, _) => SctpConfig::rfc(1),
            (Fast, role) if role.is_user() => SctpConfig::fast_user(1),
            (Fast, _) => SctpConfig::fast(1),
            (Rack, role) if role.is_user() => SctpConfig::rack_user(1),
            (Rack, _) => SctpConfig::rack(1),
        };
        all.extend(SctpSettings::written(&sctp));
        all
    }
}

fn user(preset: PresetName) -> Vec<(&'static str, String)> {
    let mut config = match preset {
        PresetName::Rfc => UserConfig::rfc(1),
        PresetName::Fast => UserConfig::fast(1),
        PresetName::Rack => UserConfig::rack(1),
    };
    config.hunt.rounds = DEFAULT_ATTEMPTS.into();
    let mut all = UserSettings::written(&config);
    all.extend(HuntSettings::written(&config.hunt));
    all
}

fn element(preset: PresetName) -> ElementConfig {
    match preset {
        PresetName::Rfc => ElementConfig::rfc("".into(), 1),
        PresetName::Fast | PresetName::Rack => ElementConfig::fast("".into(), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_preset_is_what_it_has() {
        let silence = |role: Role, preset| {
            let all = role.preset(preset);
            all.into_iter().find(|(option, _)| *option == "sctp-max-silence").map(|(_, value)| value)
        };
        assert_eq!(silence(Role::User, PresetName::Rfc).as_deref(), Some("10s"));
        assert_eq!(silence(Role::User, PresetName::Fast).as_deref(), Some("200ms"));
        assert_eq!(silence(Role::Element, PresetName::Fast).as_deref(), Some("500ms"));
        let rack = Role::Registrar.preset(PresetName::Rack);
        assert!(rack.contains(&("keep-alive-interval", "50ms".into())), "{rack:?}");
        assert!(rack.contains(&("sctp-min-silence", "100ms".into())), "{rack:?}");
    }
}
