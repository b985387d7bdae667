//! What each command that has settings is: the names of its variables, and the values that it has by default.

use clap::{Args, Command};
use rserpool_core::element::ElementConfig;
use rserpool_core::inspector::InspectorConfig;
use rserpool_core::registrar::RegistrarConfig;
use rserpool_core::user::UserConfig;
use rserpool_transport::sctp::SctpConfig;
use rserpool_transport::tcp::TcpConfig;

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
    /// `connect` and `resolve`.
    User,
    /// The tools that ask a registrar about itself.
    Inspector,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Registrar, Self::Element, Self::User, Self::Inspector];

    /// The role of a command; `None` if it has no settings.
    pub(crate) fn of(command: &str) -> Option<Self> {
        match command {
            "registrar" => Some(Self::Registrar),
            "serve" => Some(Self::Element),
            "connect" | "resolve" | "watch" | "pingpong" | "calcapp" | "demo-user" => Some(Self::User),
            "pools" | "stats" | "health" => Some(Self::Inspector),
            _ => None,
        }
    }

    /// The command that stands for it in a message.
    pub(crate) const fn command(self) -> &'static str {
        match self {
            Self::Registrar => "registrar",
            Self::Element => "serve",
            Self::User => "connect",
            Self::Inspector => "stats",
        }
    }

    /// A command with the settings of this role, and nothing else.
    pub(crate) fn settings(self) -> Command {
        let command = Command::new(self.command()).no_binary_name(true).disable_help_flag(true);
        match self {
            Self::Registrar => RegistrarSettings::augment_args(command),
            Self::Element => ElementSettings::augment_args(command),
            Self::User => UserSettings::augment_args(command),
            Self::Inspector => InspectorSettings::augment_args(command),
        }
    }

    /// What the names of its variables begin with. Each role has its own: a tool beside a daemon must not take
    /// the daemon's address for its own.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Registrar => "RSERPOOL_REGISTRAR_",
            Self::Element => "RSERPOOL_ELEMENT_",
            Self::User => "RSERPOOL_USER_",
            Self::Inspector => "RSERPOOL_INSPECTOR_",
        }
    }

    /// The environment variable that stands for an option of this role.
    pub(crate) fn variable(self, option: &str) -> String {
        format!("{}{}", self.prefix(), option.to_uppercase().replace('-', "_"))
    }

    /// The options of a preset, each with its value as it is written. Options whose default is nothing that could
    /// be written are left out.
    pub(crate) fn preset(self, preset: PresetName) -> Vec<(&'static str, String)> {
        let fast = preset == PresetName::Fast;
        let mut all = match self {
            Self::Registrar => {
                let config =
                    if fast { RegistrarConfig::fast(None, 1) } else { RegistrarConfig::rfc(None, 1) };
                let mut all = RegistrarSettings::written(&config);
                all.extend(TcpSettings::written(&TcpConfig::default()));
                all
            }
            Self::Element => {
                let config =
                    if fast { ElementConfig::fast("".into(), 1) } else { ElementConfig::rfc("".into(), 1) };
                let mut all = ElementSettings::written(&config);
                all.extend(HuntSettings::written(&config.hunt));
                all
            }
            Self::User => {
                let mut config = if fast { UserConfig::fast(1) } else { UserConfig::rfc(1) };
                config.hunt.rounds = DEFAULT_ATTEMPTS.into();
                let mut all = UserSettings::written(&config);
                all.extend(HuntSettings::written(&config.hunt));
                all
            }
            Self::Inspector => InspectorSettings::written(&if fast {
                InspectorConfig::fast()
            } else {
                InspectorConfig::rfc()
            }),
        };
        let sctp = if fast { SctpConfig::fast(1) } else { SctpConfig::rfc(1) };
        all.extend(SctpSettings::written(&sctp));
        all
    }
}
