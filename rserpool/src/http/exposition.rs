//! Families of metrics as text, in the format of OpenMetrics 1.0, which Prometheus reads.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text as encoding};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// What the text is, for HTTP.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A name with its meaning, and its values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Family {
    /// The name as it is shown; that of a counter without `_total`.
    pub(super) name: String,
    pub(super) meaning: &'static str,
    pub(super) values: Values,
}

/// The values of a family, each with what tells it from the others.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    /// What only grows.
    Counter(f64),
    /// What goes up and down.
    Gauges(Vec<(Labels, f64)>),
}

pub(super) type Labels = Vec<(&'static str, String)>;

impl Family {
    pub(super) fn counter(name: impl Into<String>, meaning: &'static str, value: f64) -> Self {
        Self { name: name.into(), meaning, values: Values::Counter(value) }
    }

    pub(super) fn gauge(name: impl Into<String>, meaning: &'static str, value: f64) -> Self {
        Self::gauges(name, meaning, vec![(Labels::new(), value)])
    }

    pub(super) fn gauges(name: impl Into<String>, meaning: &'static str, values: Vec<(Labels, f64)>) -> Self {
        Self { name: name.into(), meaning, values: Values::Gauges(values) }
    }
}

/// All of them as text.
pub(super) fn text(families: Vec<Family>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families(families)));
    let mut text = String::new();
    // Only what is written to can fail, and a text takes everything.
    let written = encoding::encode(&mut text, &registry);
    debug_assert_eq!(written, Ok(()));
    text
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { name, meaning, values } in &self.0 {
            match values {
                Values::Counter(value) => {
                    let counter = ConstCounter::new(*value);
                    counter.encode(encoder.encode_descriptor(
                        name,
                        meaning,
                        None,
                        counter.metric_type(),
                    )?)?;
                }
                Values::Gauges(values) => {
                    let kind = ConstGauge::new(0.0).metric_type();
                    let mut encoder = encoder.encode_descriptor(name, meaning, None, kind)?;
                    for (labels, value) in values {
                        ConstGauge::new(*value).encode(encoder.encode_family(labels)?)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_text_and_labels_cannot_break_out_of_it() {
        let labelled =
            vec![(vec![("pool", "a \"b\"\\\nc 1".into())], 2.0), (vec![("pool", "d".into())], 0.5)];
        let families = vec![
            Family::counter("rserpool_x", "How many x.", 3.0),
            Family::gauges("rserpool_y", "How much y.", labelled),
            Family::gauge("rserpool_z", "How much z.", 1.0),
        ];
        let expected = "\
# HELP rserpool_x How many x.
# TYPE rserpool_x counter
rserpool_x_total 3.0
# HELP rserpool_y How much y.
# TYPE rserpool_y gauge
rserpool_y{pool=\"a \\\"b\\\"\\\\\\nc 1\"} 2.0
rserpool_y{pool=\"d\"} 0.5
# HELP rserpool_z How much z.
# TYPE rserpool_z gauge
rserpool_z 1.0
# EOF
";
        assert_eq!(text(families), expected);
    }
}
