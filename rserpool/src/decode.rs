//! `rserpool decode`: one message as a tree of named fields.

use std::io::Read;

use bytes::Bytes;
use clap::ValueEnum;
use rserpool_core::wire::{AsapMessage, EnrpMessage, Field, describe_asap, describe_enrp};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output;
use crate::settings::PresetName;

/// Show one message with every parameter named.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rserpool decode --protocol asap 05000010 0009000c 4563686f506f6f6c
  tshark ... -T fields -e ... | rserpool decode --protocol enrp - --json

If the message is malformed, prints it as far as it can be read and exits with 1.")]
pub(crate) struct DecodeCommand {
    /// The protocol: the payload protocol identifier is 11 for ASAP and 12 for ENRP
    #[arg(long)]
    protocol: Protocol,
    /// The message in hexadecimal digits, with spaces, colons and 0x between them or not; - reads it from
    /// the input
    #[arg(required = true, value_name = "HEX")]
    hex: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Accepted as by every command; nothing here depends on it
    #[arg(long, hide = true)]
    preset: Option<PresetName>,
}

/// The protocols.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    /// RFC 5352.
    Asap,
    /// RFC 5353.
    Enrp,
}

impl DecodeCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let text = if self.hex == ["-"] {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text)?;
            text
        } else {
            self.hex.join(" ")
        };
        let bytes = Bytes::from(octets(&text).map_err(Failure::usage)?);
        let (tree, result) = match self.protocol {
            Protocol::Asap => (describe_asap(&bytes), AsapMessage::decode(&bytes).map(|_| ())),
            Protocol::Enrp => (describe_enrp(&bytes), EnrpMessage::decode(&bytes).map(|_| ())),
        };
        if self.json {
            output::pretty_json(&object(&tree))?;
        } else {
            output::line(tree.to_string().trim_end())?;
        }
        result.map_err(|error| Failure::failed(format!("malformed message: {error}")))
    }
}

/// Pairs of hexadecimal digits, with whitespace and colons anywhere.
fn octets(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || c == ':') {
        for c in word.strip_prefix("0x").unwrap_or(word).chars() {
            digits.push(c.to_digit(16).ok_or_else(|| format!("HEX: '{c}' is not a hexadecimal digit"))?);
        }
    }
    if digits.len() % 2 == 1 {
        return Err("HEX: an odd number of digits does not make whole octets: write two for each".into());
    }
    Ok(digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

fn object(field: &Field) -> Value {
    let mut object = json!({
        "name": field.name, "value": field.value, "offset": field.offset, "length": field.length,
    });
    if !field.fields.is_empty() {
        object["fields"] = field.fields.iter().map(self::object).collect();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_in_any_dress() {
        assert_eq!(octets("0x05 00:00\n10").unwrap(), [5, 0, 0, 16]);
        assert!(octets("050").unwrap_err().starts_with("HEX: "));
        assert!(octets("05zz").unwrap_err().contains("'z'"));
    }
}
